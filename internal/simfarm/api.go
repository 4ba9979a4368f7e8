package simfarm

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// ask is what a call may hold.
type ask struct {
	ID, Cmd, FileType, FileURL, TaskID, SerialName string
	IDs                                            []string
	Open                                           bool
	Page, PageSize                                 int
}

// reply is an answer: a code and data. The vendor answers HTTP 200 to all.
type reply struct {
	code int
	msg  string
	data any
}

func ok(data any) reply { return reply{0, "成功", data} }

// item is the answer about one phone.
func item(id string, code int, status int) reply {
	if code != 0 {
		return ok(map[string]any{"totalAmount": 1, "failAmount": 1, "failDetails": []any{map[string]any{"id": id, "code": code, "msg": "env error"}}})
	}
	return ok(map[string]any{"totalAmount": 1, "successAmount": 1, "successDetails": []any{map[string]any{"id": id, "status": status}}})
}

func (f *Farm) routes() http.Handler {
	m := http.NewServeMux()
	f.control(m)
	m.HandleFunc("PUT /oss/{name}", f.store)
	for path, do := range map[string]func(ask) reply{
		"auth/status": func(ask) reply { return ok(nil) }, "phone/list": f.list, "phone/status": f.state, "phone/start": f.startCall, "phone/stop": f.stopCall,
		"adb/setStatus": f.setADB, "adb/getData": f.getADB, "shell/execute": f.shell, "upload/getUrl": f.place, "phone/uploadFile": f.load,
		"phone/uploadFile/result": func(ask) reply { return ok(map[string]any{"status": 2}) },
	} {
		m.HandleFunc("POST /open/v1/"+path, func(w http.ResponseWriter, r *http.Request) { f.serve(w, r, do) })
	}
	return m
}

func (f *Farm) serve(w http.ResponseWriter, r *http.Request, do func(ask) reply) {
	f.mu.Lock()
	f.calls++
	f.mu.Unlock()
	var in ask
	body, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
	var a reply
	switch {
	case r.Header.Get("Authorization") != "Bearer "+f.token:
		a = reply{code: 40003, msg: "signature error"}
	case err != nil || json.Unmarshal(body, &in) != nil:
		a = reply{code: 40001, msg: "could not read body"}
	default:
		if len(in.IDs) == 1 {
			in.ID = in.IDs[0]
		}
		a = do(in)
	}
	w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(w).Encode(map[string]any{"traceId": r.Header.Get("traceId"), "code": a.code, "msg": a.msg, "data": a.data})
}

// rentedBy finds a phone.
func (f *Farm) rentedBy(id string) *rented {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.phones[id]
}

// Status of a phone, by the vendor's numbers.
const (
	running  = 0
	starting = 1
	off      = 2
	expired  = 3
)

// expires says that the next run of a phone that is off is one in which its time is used up. The lock is held.
func (f *Farm) expires(r *rented) bool {
	has := func(list []Harm) bool {
		return slices.ContainsFunc(list, func(h Harm) bool { return h.Kind == "expired" })
	}
	return has(r.harms) || len(r.runs) > 0 && has(r.runs[0].Harms)
}

func (f *Farm) status(r *rented) int {
	f.mu.Lock()
	defer f.mu.Unlock()
	switch {
	case r.phone == nil && f.expires(r):
		return expired
	case r.phone == nil:
		return off
	case time.Since(r.since) < f.cfg.Boot:
		return starting
	}
	return running
}

func (f *Farm) list(in ask) reply {
	var items []any
	for _, id := range f.ids() {
		r := f.rentedBy(id)
		if strings.HasPrefix(r.account, in.SerialName) {
			items = append(items, map[string]any{"id": id, "serialName": r.account, "status": f.status(r)})
		}
	}
	size := max(in.PageSize, 1)
	pages := slices.Collect(slices.Chunk(items, size))
	page := []any{}
	if n := max(in.Page, 1); n <= len(pages) {
		page = pages[n-1]
	}
	return ok(map[string]any{"total": len(items), "page": in.Page, "pageSize": size, "items": page})
}

func (f *Farm) state(in ask) reply {
	r := f.rentedBy(in.ID)
	if r == nil {
		return item(in.ID, 42001, 0)
	}
	return item(in.ID, 0, f.status(r))
}

func (f *Farm) startCall(in ask) reply {
	r := f.rentedBy(in.ID)
	if r == nil {
		return item(in.ID, 42001, 0)
	}
	code, whole, err := f.start(r)
	switch {
	case err != nil:
		return reply{code: 50000, msg: "server err"}
	case whole != 0:
		return reply{code: whole, msg: "refused"}
	}
	return item(in.ID, code, starting)
}

func (f *Farm) stopCall(in ask) reply {
	r := f.rentedBy(in.ID)
	switch {
	case r == nil:
		return item(in.ID, 42001, 0)
	case f.status(r) == off:
		return item(in.ID, 42002, 0)
	}
	if err := f.stop(in.ID); err != nil {
		return reply{code: 50000, msg: "server err"}
	}
	return item(in.ID, 0, off)
}

// setADB opens and closes: an open one that is opened again answers 50000, as was seen.
func (f *Farm) setADB(in ask) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.phones[in.ID]
	switch {
	case r == nil || r.phone == nil:
		return reply{code: 42002, msg: "env not running"}
	case in.Open && f.refuses(r, "adb_closed"):
		return ok(nil) // it says so, and does not
	case in.Open && r.adb:
		return reply{code: 50000, msg: "server err"}
	}
	r.adb = in.Open
	return ok(nil)
}

func (f *Farm) getADB(in ask) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	r := f.phones[in.ID]
	one := map[string]any{"id": in.ID, "code": 49001, "msg": "ADB did not opened"}
	if r == nil || r.phone == nil {
		one = map[string]any{"id": in.ID, "code": 42002, "msg": "phone is not running"}
	} else if r.adb {
		host, port, _ := net.SplitHostPort(r.phone.Address())
		one = map[string]any{"id": in.ID, "code": 0, "ip": host, "port": port, "pwd": password}
	}
	return ok(map[string]any{"items": []any{one}})
}

func (f *Farm) shell(in ask) reply {
	p := f.on(in.ID)
	if p == nil {
		return reply{code: 42002, msg: "env not running"}
	}
	out, good := p.Run(in.Cmd)
	return ok(map[string]any{"status": good, "output": out})
}

func (f *Farm) place(in ask) reply {
	f.mu.Lock()
	defer f.mu.Unlock()
	name := fmt.Sprintf("f%d.%s", f.calls, filepath.Base(in.FileType))
	return ok(map[string]any{"uploadUrl": f.url + "/oss/" + name, "resourceUrl": f.url + "/oss/" + name})
}

// store takes a file on its way to a phone.
func (f *Farm) store(w http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Content-Type") != "" {
		http.Error(w, "SignatureDoesNotMatch", http.StatusForbidden)
		return
	}
	out, err := os.Create(filepath.Join(f.cfg.Dir, filepath.Base(r.PathValue("name"))))
	if err == nil {
		_, err = io.Copy(out, r.Body)
		_ = out.Close()
	}
	if err != nil {
		http.Error(w, "InternalError", http.StatusInternalServerError)
	}
}

func (f *Farm) load(in ask) reply {
	p := f.on(in.ID)
	if p == nil {
		return reply{code: 42002, msg: "env not running"}
	}
	f.mu.Lock()
	fails := f.refuses(f.phones[in.ID], "upload_fails")
	f.mu.Unlock()
	if fails {
		return reply{code: 50000, msg: "server err"}
	}
	name := filepath.Join(f.cfg.Dir, filepath.Base(in.FileURL))
	file, err := os.Open(name)
	if err != nil {
		return reply{code: 40005, msg: "not found"}
	}
	defer func() { _ = os.Remove(name) }() // it is on the phone now
	defer file.Close()
	if err := p.Put("/sdcard/Download/"+filepath.Base(name), file); err != nil {
		return reply{code: 50000, msg: "server err"}
	}
	return ok(map[string]any{"taskId": fmt.Sprintf("t-%s", in.ID)})
}
