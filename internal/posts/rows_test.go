package posts

import (
	"encoding/csv"
	"errors"
	"io"
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

// rows must read like encoding/csv whatever that accepts.
func FuzzRowsLikeEncodingCSV(f *testing.F) {
	for _, s := range []string{"a,b\nc,d\n", "\"a\"\"\r\nb\",c\r\n\r\n,\n", "a\rb,\"c\rd\"\r", "\"a\" b\nc\n", "a\"b\n\"c\nd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if !utf8.ValidString(in) || strings.Contains(in, "\x00") || strings.HasPrefix(in, "\uFEFF") {
			t.Skip("refused before it is split")
		}
		want := csv.NewReader(strings.NewReader(in))
		want.FieldsPerRecord = -1
		got, err := newRows(strings.NewReader(in))
		if err != nil {
			t.Fatal(err)
		}
		for {
			record, wantErr := want.Read()
			gotErr := got.next()
			if errors.Is(wantErr, io.EOF) != errors.Is(gotErr, io.EOF) || (wantErr == nil) != (gotErr == nil) {
				t.Fatalf("error %v, encoding/csv says %v", gotErr, wantErr)
			}
			if _, goesOn := errors.AsType[*RowError](gotErr); gotErr != nil && !goesOn {
				return
			}
			if gotErr != nil {
				continue
			}
			line, _ := want.FieldPos(0)
			if !slices.Equal(record, got.cells) || line != got.start {
				t.Fatalf("line %d %q, encoding/csv says line %d %q", got.start, got.cells, line, record)
			}
		}
	})
}
