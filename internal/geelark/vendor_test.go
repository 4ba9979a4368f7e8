package geelark_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"reelpass/internal/geelark"
)

// Secrets of the false vendor: none may ever be printed.
const (
	token    = "tok-5f1d-SECRET"
	appID    = "app-1"
	apiKey   = "key-77-SECRET"
	adbPwd   = "pwd-99-SECRET"
	proxyPwd = "proxy-33-SECRET"
)

// vendor plays the API as its documentation and field notes tell: always HTTP 200, codes in the envelope, ids longer than a
// float, ports as text or number, messages in Chinese.
type vendor struct {
	*httptest.Server

	mu      sync.Mutex
	phones  map[string]*cloudPhone
	codes   map[string][]int // endpoint: codes to answer next, before anything else
	raw     map[string]string
	calls   []string
	now     time.Time
	stored  map[string][]byte
	tasks   map[string]int // upload tasks: how often they were asked
	starts  int
	outside map[string]string // endpoint: a code for the one phone
}

type cloudPhone struct {
	id, name string
	state    int // -1: starting for ever
	asked    int // how often since it was started
	adb      bool
	adbAsked int
	files    []string
}

func newVendor(t *testing.T) *vendor {
	v := &vendor{
		phones: map[string]*cloudPhone{}, codes: map[string][]int{}, raw: map[string]string{}, now: time.Unix(1_780_000_000, 0),
		stored: map[string][]byte{}, tasks: map[string]int{}, outside: map[string]string{},
	}
	v.Server = httptest.NewServer(http.HandlerFunc(v.serve))
	t.Cleanup(v.Close)
	return v
}

func (v *vendor) add(name string, state int) *cloudPhone {
	p := &cloudPhone{id: fmt.Sprintf("5284291%011d", len(v.phones)+1), name: name, state: state}
	v.phones[p.id] = p
	return p
}

// client is a client of this vendor whose clock is the vendor's: waiting takes no time.
func (v *vendor) client(t *testing.T, change ...func(*geelark.Config)) *geelark.Client {
	t.Helper()
	cfg := geelark.Config{
		Base: v.URL, Token: token, Limit: free{}, HTTP: v.Client(),
		Clock: func() time.Time { v.mu.Lock(); defer v.mu.Unlock(); return v.now },
		Pause: func(ctx context.Context, d time.Duration) error {
			v.mu.Lock()
			defer v.mu.Unlock()
			v.now = v.now.Add(d)
			return context.Cause(ctx)
		},
	}
	for _, c := range change {
		c(&cfg)
	}
	c, err := geelark.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

// free limits nothing.
type free struct{}

func (free) Take(context.Context) error                 { return nil }
func (free) Close(context.Context, time.Duration) error { return nil }

func (v *vendor) serve(w http.ResponseWriter, r *http.Request) {
	v.mu.Lock()
	defer v.mu.Unlock()
	body, _ := io.ReadAll(r.Body)
	path := strings.TrimPrefix(r.URL.Path, "/open/v1")
	if r.Method == http.MethodPut {
		if r.Header.Get("Content-Type") != "" || r.ContentLength != int64(len(body)) {
			http.Error(w, "SignatureDoesNotMatch", http.StatusForbidden)
			return
		}
		v.stored[r.URL.Path] = body
		return
	}
	v.calls = append(v.calls, path)
	answer := func(code int, msg string, data any) {
		_ = json.NewEncoder(w).Encode(map[string]any{"traceId": r.Header.Get("traceId"), "code": code, "msg": msg, "data": data})
	}
	if raw, ok := v.raw[path]; ok {
		_, _ = io.WriteString(w, raw)
		return
	}
	switch {
	case r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/json":
		answer(40001, "could not read body", nil)
		return
	case !v.knows(r):
		answer(40003, "token "+r.Header.Get("Authorization")[:6]+" invalid", nil)
		return
	}
	if next := v.codes[path]; len(next) > 0 {
		v.codes[path] = next[1:]
		if next[0] != 0 {
			answer(next[0], "服务器错误", nil)
			return
		}
	}
	var in struct {
		ID, Cmd, FileType, FileURL, TaskID, SerialName string
		IDs                                            []string
		Open                                           bool
		Page, PageSize                                 int
	}
	if json.Unmarshal(body, &in) != nil {
		answer(40001, "could not read body", nil)
		return
	}
	if len(in.IDs) == 1 {
		in.ID = in.IDs[0]
	}
	p := v.phones[in.ID]
	if code, ok := v.outside[path]; ok { // a code as text, as in one documented example
		answer(0, "成功", map[string]any{"totalAmount": 1, "failAmount": 1, "failDetails": []any{map[string]any{"id": in.ID, "code": code, "msg": "no"}}})
		return
	}
	v.answer(answer, path, p, in.ID, in.Cmd, in.TaskID, in.SerialName, in.Open, in.Page, in.PageSize)
}

func (v *vendor) answer(answer func(int, string, any), path string, p *cloudPhone, id, cmd, task, name string, open bool, page, size int) {
	details := func(code int) {
		if code != 0 {
			answer(0, "成功", map[string]any{"failDetails": []any{map[string]any{"id": id, "code": code, "msg": "env error"}}})
			return
		}
		answer(0, "成功", map[string]any{"successDetails": []any{map[string]any{"id": id, "status": max(p.state, 1*boolInt(p.state < 0))}}})
	}
	switch path {
	case "/auth/status":
		answer(0, "success", nil)
	case "/phone/list":
		var items []any
		for _, id := range slices.Sorted(maps.Keys(v.phones)) {
			if q := v.phones[id]; strings.HasPrefix(q.name, name) {
				items = append(items, map[string]any{"id": q.id, "serialName": q.name, "status": q.state, "proxy": map[string]any{"password": proxyPwd}})
			}
		}
		total := len(items)
		from := min((page-1)*size, total)
		answer(0, "成功", map[string]any{"total": total, "page": page, "pageSize": size, "items": items[from:min(from+size, total)]})
	case "/phone/status", "/phone/start", "/phone/stop":
		if p == nil {
			details(42001)
			return
		}
		switch path {
		case "/phone/start":
			v.starts++
			if p.state == 2 {
				p.state, p.asked = 1, 0
			}
		case "/phone/stop":
			if p.state == 2 {
				details(42002)
				return
			}
			p.state, p.adb = 2, false
		default:
			if p.asked++; p.state == 1 && p.asked >= 3 {
				p.state = 0
			}
		}
		details(0)
	case "/adb/setStatus":
		p.adb, p.adbAsked = open && p.state == 0, 0
		answer(0, "成功", nil)
	case "/adb/getData":
		item := map[string]any{"id": id, "code": 0, "ip": "10.0.0.7", "port": "21005", "pwd": adbPwd}
		if p.adbAsked++; !p.adb || p.adbAsked < 2 {
			item = map[string]any{"id": id, "code": 49001, "msg": "ADB did not opened"}
		} else if p.adbAsked%2 == 0 {
			item["port"] = 21005
		}
		answer(0, "成功", map[string]any{"items": []any{item}})
	case "/shell/execute":
		answer(0, "成功", map[string]any{"status": strings.HasPrefix(cmd, "ls "), "output": strings.Join(p.files, "\n") + "\n"})
	case "/upload/getUrl":
		answer(0, "成功", map[string]any{"uploadUrl": v.URL + "/oss/a1?Signature=SECRET-SIG", "resourceUrl": "https://oss/a1.mp4"})
	case "/phone/uploadFile":
		v.tasks["t1"] = 0
		answer(0, "成功", map[string]any{"taskId": "t1"})
	case "/phone/uploadFile/result":
		v.tasks[task]++
		if status := v.tasks[task] - 1; status < 2 {
			answer(0, "成功", map[string]any{"status": status})
			return
		}
		for _, q := range v.phones {
			q.files = append(q.files, "a1.mp4")
		}
		answer(0, "成功", map[string]any{"status": 2})
	default:
		answer(40012, "deprecated", nil)
	}
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// knows checks either credential as the vendor does.
func (v *vendor) knows(r *http.Request) bool {
	h := r.Header
	if h.Get("traceId") == "" {
		return false
	}
	if h.Get("Authorization") != "" {
		return h.Get("Authorization") == "Bearer "+token
	}
	sum := sha256.Sum256([]byte(h.Get("appId") + h.Get("traceId") + h.Get("ts") + h.Get("nonce") + apiKey))
	return h.Get("appId") == appID && h.Get("sign") == strings.ToUpper(hex.EncodeToString(sum[:]))
}
