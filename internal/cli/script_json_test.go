package cli_test

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"
)

// keys FILE KEY... says that every line of FILE is a JSON object with exactly these keys in this order.
func keys(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) > 1, "keys FILE KEY...")
	for n, line := range strings.Split(strings.TrimRight(ts.ReadFile(args[0]), "\n"), "\n") {
		if got := strings.Join(keysOf(ts, line), " "); got != strings.Join(args[1:], " ") {
			ts.Fatalf("%s: line %d:\n got %s\nwant %s", args[0], n+1, got, strings.Join(args[1:], " "))
		}
	}
}

// keysOf lists an object's keys as they stand.
func keysOf(ts *testscript.TestScript, text string) []string {
	dec := json.NewDecoder(strings.NewReader(text))
	if t, err := dec.Token(); err != nil || t != json.Delim('{') {
		ts.Fatalf("not a JSON object: %s", text)
	}
	var names []string
	for dec.More() {
		name, err := dec.Token()
		ts.Check(err)
		names = append(names, name.(string))
		var skip json.RawMessage
		ts.Check(dec.Decode(&skip))
	}
	return names
}

// value FILE LINE PATH WANT says what stands at a path (keys and indices, with dots between) of the JSON on a line of FILE, or of
// the whole FILE where LINE is 0. WANT is as it stands there, a text without its quotes.
func value(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) == 4, "value FILE LINE PATH WANT")
	text := ts.ReadFile(args[0])
	if n := atoi(ts, args[1]); n > 0 {
		text = lineOf(ts, args[0], n)
	}
	at := json.RawMessage(text)
	for part := range strings.SplitSeq(args[2], ".") {
		if i, err := strconv.Atoi(part); err == nil {
			var list []json.RawMessage
			ts.Check(json.Unmarshal(at, &list))
			if i >= len(list) {
				ts.Fatalf("%s: there are %d", args[2], len(list))
			}
			at = list[i]
			continue
		}
		var object map[string]json.RawMessage
		ts.Check(json.Unmarshal(at, &object))
		at = object[part]
	}
	var b bytes.Buffer
	if len(at) > 0 {
		ts.Check(json.Compact(&b, at))
	}
	got := b.String()
	var s string
	if json.Unmarshal(at, &s) == nil && got != "null" {
		got = s
	}
	if got != args[3] {
		ts.Fatalf("%s is %s, want %s", args[2], got, args[3])
	}
}
