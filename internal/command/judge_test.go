package command

import (
	"strings"
	"testing"
	"unicode/utf8"
)

func TestCodesThatTellOfAKill(t *testing.T) {
	for code, want := range map[int]bool{
		1: false, 2: false, 65: false, 75: false, 77: false, 100: false, 255: false, // the program's own word
		124: true,            // timeout(1)
		130: true, 137: true, // a shell: SIGINT, SIGKILL
		241: true, 247: true, // Python's subprocess: SIGTERM, SIGKILL
	} {
		if got := killedInside(code); got != want {
			t.Errorf("exit code %d tells of a kill: %t, want %t", code, got, want)
		}
	}
}

// A look that came to grief exits 1 as one that saw nothing, and must not be taken for it.
func TestACrashedLookIsNoAbsence(t *testing.T) {
	for _, text := range []string{
		"Traceback (most recent call last):\n  File \"x.py\", line 3, in <module>",
		"  File \"/usr/lib/python3/x.py\", line 700, in send\nrequests.exceptions.ConnectionError: no route",
		"json.decoder.JSONDecodeError: Expecting value", "KeyError: 'id'", "Error: connect ECONNREFUSED\n    at TCPConnectWrap.afterConnect (node:net:1611:16)", "fatal: not a repository",
		"panic: runtime error", "2026/11/22 10:00:00 dial tcp: refused", "Node.js v20.20.2", "Uncaught exception",
		"java.io.IOException: closed\n\tat Find.main(Find.java:3)", "find.rb:3:in `main': gone (RuntimeError)",
	} {
		if !crashed.MatchString(text) {
			t.Errorf("taken for an absence: %q", text)
		}
	}
	for _, text := range []string{"", "not there", "no post of job-1 among 12 of acc1", "checked 3 pages, nothing found"} {
		if crashed.MatchString(text) {
			t.Errorf("taken for a crash: %q", text)
		}
	}
}

// Whatever a program's last line is: a receipt that can be kept and shown, or none.
func FuzzReceipt(f *testing.F) {
	for _, s := range []string{`{"id":"17","url":"https://x/y"}`, `{"id":17895695668004550123}`, `{"id":1.5}`, `{"ID":null,"url":{}}`, `{"id":"a\u0000b","url":"https://u:hunter2@h/"}`, "bye", "{", `{"id":"\ud800"}`} {
		f.Add(s)
	}
	w := &Worker{}
	f.Fuzz(func(t *testing.T, line string) {
		r := w.receipt(line)
		for _, s := range []string{r.ID, r.URL} {
			if !utf8.ValidString(s) || strings.ContainsRune(s, 0) || s != strings.TrimSpace(s) || len(s) > 64<<10 {
				t.Fatalf("%q gave %q", line, s)
			}
		}
		if !strings.HasPrefix(line, "{") && r.ID+r.URL != "" {
			t.Fatalf("%q gave %+v", line, r)
		}
	})
}
