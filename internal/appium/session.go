package appium

import (
	"bytes"
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"reelpass/internal/phone"
)

// Times of calls. The driver's own are longer than those that it gives its server on the phone, so that it is the one to speak.
const (
	beginMost    = 3 * time.Minute  // APKs of 21 MB are installed the first time
	callMost     = 45 * time.Second // longer than readMost
	deleteMost   = 15 * time.Second // seen: 5 s, 31 s, never
	readMost     = 30 * time.Second // of the server on the phone; 240 s by default
	adbMost      = 60 * time.Second
	silenceMost  = 10 * time.Minute // a session that nobody speaks to ends by itself
	maxAnswer    = 32 << 20
	touch        = 80 * time.Millisecond // longer than 500 ms is a long press
	w3cElement   = "element-6066-11e4-a52e-4f735466cecf"
	automation   = "UiAutomator2"
	sizeOfErrors = 2000
)

// Target is the phone that a session is for.
type Target struct {
	Serial     string // as adb calls it
	ADBPort    int    // of the adb server that knows it
	SystemPort int    // of this machine, forwarded to the phone; its own for each session
	// Prepared says that the driver's server is on the phone already: nothing is installed then.
	Prepared bool
}

// Session drives one phone. It is used by one goroutine at a time.
type Session struct {
	server *Server
	path   string
}

// Begin begins a session.
func (s *Server) Begin(ctx context.Context, t Target) (*Session, error) {
	caps := map[string]any{
		"platformName": "Android", "appium:automationName": automation, "appium:udid": t.Serial, "appium:deviceName": t.Serial,
		"appium:noReset": true, "appium:autoLaunch": false, "appium:adbPort": t.ADBPort, "appium:systemPort": t.SystemPort,
		"appium:suppressKillServer": true, "appium:newCommandTimeout": int(silenceMost.Seconds()), "appium:skipUnlock": true,
		"appium:skipLogcatCapture": true, "appium:ignoreHiddenApiPolicyError": true, "appium:disableWindowAnimation": true,
		"appium:skipServerInstallation": t.Prepared, "appium:skipDeviceInitialization": t.Prepared,
		"appium:uiautomator2ServerReadTimeout": readMost.Milliseconds(), "appium:adbExecTimeout": adbMost.Milliseconds(),
		"appium:uiautomator2ServerLaunchTimeout": time.Minute.Milliseconds(),
	}
	var answer struct {
		SessionID string `json:"sessionId"`
	}
	body := map[string]any{"capabilities": map[string]any{"alwaysMatch": caps, "firstMatch": []any{map[string]any{}}}}
	if err := s.call(ctx, beginMost, http.MethodPost, "/session", body, &answer); err != nil {
		return nil, err
	}
	if answer.SessionID == "" || strings.ContainsAny(answer.SessionID, "/?#") {
		return nil, &Failure{Call: "POST /session", Code: CodeSession, Text: "the answer has no session"}
	}
	n := &Session{server: s, path: "/session/" + answer.SessionID}
	// An app that never stands still would be waited for before each call.
	settings := map[string]any{"settings": map[string]any{"waitForIdleTimeout": 0}}
	if err := n.call(ctx, http.MethodPost, "/appium/settings", settings, nil); err != nil {
		n.End(context.WithoutCancel(ctx))
		return nil, err
	}
	return n, nil
}

// End ends the session. Whether it worked matters to nobody: a server that does not answer is killed with all it has.
func (n *Session) End(ctx context.Context) {
	_ = n.server.call(ctx, deleteMost, http.MethodDelete, n.path, nil, nil)
}

// Screen is what the phone shows now.
func (n *Session) Screen(ctx context.Context) (phone.Screen, error) {
	var source string
	if err := n.call(ctx, http.MethodGet, "/source", nil, &source); err != nil {
		return phone.Screen{}, err
	}
	s, err := phone.Parse(strings.NewReader(source))
	if err != nil {
		return phone.Screen{}, &Failure{Call: "GET /source", Text: err.Error()}
	}
	return s, nil
}

// Picture is a PNG of the screen.
func (n *Session) Picture(ctx context.Context) ([]byte, error) {
	var text string
	if err := n.call(ctx, http.MethodGet, "/screenshot", nil, &text); err != nil {
		return nil, err
	}
	data, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil, &Failure{Call: "GET /screenshot", Text: "the answer is no picture"}
	}
	return data, nil
}

// Tap touches the screen for a moment.
func (n *Session) Tap(ctx context.Context, at phone.Point) error {
	finger := []any{
		map[string]any{"type": "pointerMove", "duration": 0, "x": at.X, "y": at.Y, "origin": "viewport"},
		map[string]any{"type": "pointerDown", "button": 0},
		map[string]any{"type": "pause", "duration": touch.Milliseconds()},
		map[string]any{"type": "pointerUp", "button": 0},
	}
	return n.call(ctx, http.MethodPost, "/actions", map[string]any{"actions": []any{map[string]any{
		"type": "pointer", "id": "finger", "parameters": map[string]any{"pointerType": "touch"}, "actions": finger,
	}}}, nil)
}

// Type writes a text into a field, in the place of what is there. Any character may be in it.
func (n *Session) Type(ctx context.Context, field phone.Node, text string) error {
	id, err := n.element(ctx, field)
	if err != nil {
		return err
	}
	if err := n.call(ctx, http.MethodPost, "/element/"+id+"/clear", map[string]any{}, nil); err != nil {
		return err
	}
	return n.call(ctx, http.MethodPost, "/element/"+id+"/value", map[string]any{"text": text}, nil)
}

// element finds what the driver calls a node: the one of its id, or of its class, that lies where it lies.
func (n *Session) element(ctx context.Context, want phone.Node) (string, error) {
	by := map[string]any{"using": "id", "value": want.ID}
	if want.ID == "" {
		by = map[string]any{"using": "class name", "value": want.Class}
	}
	var found []map[string]string
	if err := n.call(ctx, http.MethodPost, "/elements", by, &found); err != nil {
		return "", err
	}
	for _, e := range found {
		id := e[w3cElement]
		if id == "" || strings.ContainsAny(id, "/?#") {
			continue
		}
		if len(found) == 1 {
			return id, nil
		}
		var r struct{ X, Y, Width, Height int }
		if err := n.call(ctx, http.MethodGet, "/element/"+id+"/rect", nil, &r); err != nil {
			return "", err
		}
		if (phone.Rect{X1: r.X, Y1: r.Y, X2: r.X + r.Width, Y2: r.Y + r.Height}) == want.Bounds {
			return id, nil
		}
	}
	return "", &Failure{Call: "POST /elements", W3C: "no such element", Text: fmt.Sprintf("%s %s is not on the screen any more", want.ID, want.Class)}
}

// Press presses a key.
func (n *Session) Press(ctx context.Context, k phone.Key) error {
	return n.mobile(ctx, "pressKey", map[string]any{"keycode": int(k)})
}

// Open brings an app to the front, and starts it where it does not run.
func (n *Session) Open(ctx context.Context, app string) error {
	return n.mobile(ctx, "activateApp", map[string]any{"appId": app})
}

// Shut ends an app.
func (n *Session) Shut(ctx context.Context, app string) error {
	return n.mobile(ctx, "terminateApp", map[string]any{"appId": app})
}

func (n *Session) mobile(ctx context.Context, command string, arg map[string]any) error {
	return n.call(ctx, http.MethodPost, "/execute/sync", map[string]any{"script": "mobile: " + command, "args": []any{arg}}, nil)
}

func (n *Session) call(ctx context.Context, method, path string, in, out any) error {
	return n.server.call(ctx, callMost, method, n.path+path, in, out)
}

// call asks the server one thing. It is never asked twice: what was done once may not be done again.
func (s *Server) call(ctx context.Context, most time.Duration, method, path string, in, out any) error {
	name := path
	if rest, ok := strings.CutPrefix(path, "/session/"); ok {
		_, rest, _ = strings.Cut(rest, "/")
		name = "/" + rest
	}
	call := method + " " + name
	inner, cancel := context.WithTimeout(ctx, most)
	defer cancel()
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return err
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(inner, method, s.base+path, body)
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	var data []byte
	if err == nil {
		defer resp.Body.Close()
		data, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	}
	switch {
	case err == nil:
	case ctx.Err() != nil:
		return &Failure{Call: call, Err: context.Cause(ctx)}
	case errors.Is(err, context.DeadlineExceeded):
		return &Failure{Call: call, Code: CodeSilent, Text: fmt.Sprintf("no answer within %s", most)}
	default:
		return &Failure{Call: call, Code: CodeSession, Text: "the server is gone: " + err.Error(), Err: err}
	}
	return read(call, resp.StatusCode, data, out)
}

// read takes an answer apart.
func read(call string, status int, data []byte, out any) error {
	var answer struct {
		Value json.RawMessage `json:"value"`
	}
	if err := json.Unmarshal(data, &answer); err != nil {
		return &Failure{Call: call, Text: fmt.Sprintf("HTTP %d: %.200s", status, data)}
	}
	if status >= http.StatusBadRequest {
		var e struct{ Error, Message string }
		_ = json.Unmarshal(answer.Value, &e) // without them the status tells
		if e.Message == "" {
			e.Message = fmt.Sprintf("HTTP %d", status)
		}
		if len(e.Message) > sizeOfErrors {
			e.Message = strings.ToValidUTF8(e.Message[:sizeOfErrors], "") + "…"
		}
		return &Failure{Call: call, W3C: e.Error, Text: e.Message}
	}
	if out == nil {
		return nil
	}
	if err := json.Unmarshal(answer.Value, out); err != nil {
		return &Failure{Call: call, Text: "an answer of another form: " + err.Error()}
	}
	return nil
}
