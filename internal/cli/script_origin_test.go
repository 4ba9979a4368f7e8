package cli_test

import (
	"encoding/pem"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// origin FOLDER FILE serves the videos of a folder over https, which the script's programs trust from then on, and puts the
// server's address into FILE where ORIGIN stands, with a user and password where USERORIGIN does. A name that begins with cut breaks off in the middle the first time, one that
// begins with busy is refused the first time. The file `asked` gets a line for each request.
func origin(ts *testscript.TestScript, neg bool, args []string) {
	usageOf(ts, neg, len(args) == 2, "origin FOLDER FILE")
	var mu sync.Mutex
	met := map[string]bool{}
	folder, asked := ts.MkAbs(args[0]), ts.MkAbs("asked")
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		name := filepath.Base(r.URL.Path)
		first := !met[name]
		met[name] = true
		if f, err := os.OpenFile(asked, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600); err == nil {
			_, _ = f.WriteString(strings.TrimSpace(name+" "+r.Header.Get("Range")) + "\n")
			_ = f.Close()
		}
		data, err := os.ReadFile(filepath.Join(folder, name))
		switch {
		case err != nil:
			http.NotFound(w, r)
		case first && strings.HasPrefix(name, "busy"):
			w.WriteHeader(http.StatusServiceUnavailable)
		case first && strings.HasPrefix(name, "cut"):
			w.Header().Set("ETag", `"1"`)
			w.Header().Set("Content-Length", strconv.Itoa(len(data)))
			_, _ = w.Write(data[:len(data)/2])
		default:
			w.Header().Set("ETag", `"1"`)
			http.ServeFile(w, r, filepath.Join(folder, name))
		}
	}))
	ts.Defer(s.Close)
	authority := ts.MkAbs("authority.pem")
	ts.Check(os.WriteFile(authority, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: s.Certificate().Raw}), 0o600))
	ts.Setenv("SSL_CERT_FILE", authority)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.NewReplacer("USERORIGIN", strings.Replace(s.URL, "//", "//ana:hunter2pw@", 1), "ORIGIN", s.URL, "WORK", ts.MkAbs(".")).Replace(ts.ReadFile(args[1]))), 0o600))
}
