package geelark

import (
	"encoding/json"
	"testing"
)

// The vendor's own example.
func TestDigest(t *testing.T) {
	got := digest("eH6gQR4oHr3FsZpI36La01IW", "db6094ab-3797-4186-84d5-b0b58eebad56", "1716972892166", "db6094", "YjmFIUuq0oJgSDJ42fxLEb6R1qjjqf")
	if want := "6280C080AF7C3CCE168F15C913E3444A00A618CB0E16038EED9811D6E3366BDD"; got != want {
		t.Error(got)
	}
}

func FuzzAnswers(f *testing.F) {
	f.Add([]byte(`{"code":"0","msg":"成功","data":{"items":[{"id":528429100000000001,"port":21005,"status":"2"}],"failDetails":[{"code":"48001"}]}}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		var e envelope
		if json.Unmarshal(data, &e) != nil || len(e.Data) == 0 {
			return
		}
		var m many
		_ = json.Unmarshal(e.Data, &m)
		var id struct{ ID word }
		if json.Unmarshal([]byte(`{"id":528429100000000001}`), &id); id.ID != "528429100000000001" {
			t.Error(id.ID)
		}
	})
}
