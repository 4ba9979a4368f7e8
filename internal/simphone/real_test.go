package simphone_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"reelpass/internal/phone"
	"reelpass/internal/simphone"
)

// note is an app with a field and a button.
type note struct {
	text   string
	taps   int
	events []simphone.Event
	keys   []phone.Key
}

var (
	fieldBox  = phone.Rect{X1: 20, Y1: 100, X2: 700, Y2: 200}
	buttonBox = phone.Rect{X1: 20, Y1: 300, X2: 700, Y2: 380}
)

func (n *note) Screen() phone.Screen {
	const ids = "com.instagram.android:id/"
	return phone.Screen{Nodes: []phone.Node{
		{ID: ids + "field", Class: "android.widget.EditText", Package: "com.instagram.android", Text: n.text, Bounds: fieldBox, Clickable: true},
		{ID: ids + "button", Class: "android.widget.Button", Package: "com.instagram.android", Desc: "Tap <me> & \"go\"", Bounds: buttonBox, Clickable: true},
	}}
}

func (n *note) Tap(at phone.Point) {
	if at.Y >= buttonBox.Y1 && at.Y < buttonBox.Y2 {
		n.taps++
	}
}

func (n *note) Type(_ phone.Point, text string, replace bool) {
	if replace {
		n.text = ""
	}
	n.text += text
}
func (n *note) Press(k phone.Key)      { n.keys = append(n.keys, k) }
func (n *note) Event(e simphone.Event) { n.events = append(n.events, e) }

// missing skips a test whose real tool is not there, and fails it in CI.
func missing(t *testing.T, what string) {
	t.Helper()
	if os.Getenv("CI") != "" {
		t.Fatal(what)
	}
	t.Skip(what)
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// adbServer is a real adb with a server of its own.
type adbServer struct {
	t    *testing.T
	port string
}

func startADB(t *testing.T) adbServer {
	t.Helper()
	if _, err := exec.LookPath("adb"); err != nil {
		missing(t, "adb is not installed (apt-get install adb)")
	}
	a := adbServer{t, fmt.Sprint(freePort(t))}
	a.run("start-server")
	t.Cleanup(func() { _ = exec.Command("adb", "-P", a.port, "kill-server").Run() })
	return a
}

func (a adbServer) run(args ...string) string {
	a.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
	defer cancel()
	out, err := exec.CommandContext(ctx, "adb", append([]string{"-P", a.port}, args...)...).CombinedOutput()
	if err != nil {
		out = append(out, []byte(" ["+err.Error()+"]")...)
	}
	return string(out)
}

// connect connects to a phone and waits until it is a device.
func (a adbServer) connect(p *simphone.Phone) {
	a.t.Helper()
	a.run("connect", p.Address())
	await(a.t, func() bool { return strings.TrimSpace(a.run("-s", p.Address(), "get-state")) == "device" })
}

// await waits until something is so.
func await(t *testing.T, so func() bool) {
	t.Helper()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	late := time.After(20 * time.Second)
	for !so() {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("it does not come")
		}
	}
}

func start(t *testing.T, cfg simphone.Config) (*simphone.Phone, *note) {
	t.Helper()
	n := &note{}
	cfg.App = n
	p, err := simphone.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p, n
}

func TestRealADB(t *testing.T) {
	a := startADB(t)
	p, n := start(t, simphone.Config{Password: "pw1", Name: "s-1"})
	a.connect(p)
	dev := func(args ...string) string { return a.run(append([]string{"-s", p.Address()}, args...)...) }
	want := func(what, got, want string) {
		t.Helper()
		if got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
	}
	want("without a login", dev("shell", "getprop", "ro.build.version.sdk"), "error: you should run glogin to login first\n")
	want("a wrong password", dev("shell", "glogin", "no"), "error: wrong password\n")
	want("the right one", dev("shell", "glogin", "pw1"), "success\n")
	want("a property", dev("shell", "getprop", "ro.build.version.sdk"), "31\n")
	want("an unknown command", dev("shell", "frobnicate"), "/system/bin/sh: frobnicate: inaccessible or not found\n [exit status 127]")

	big := filepath.Join(t.TempDir(), "v.mp4")
	if err := os.WriteFile(big, bytes.Repeat([]byte("0123456789abcdef"), 200_000), 0o600); err != nil {
		t.Fatal(err)
	}
	if out := dev("push", big, "/sdcard/Download/v.mp4"); !strings.Contains(out, "1 file pushed") {
		t.Error(out)
	}
	want("its size", dev("shell", "stat", "-c", "%s", "/sdcard/Download/v.mp4"), "3200000\n")
	want("the folder", dev("shell", "ls", "-1", "/sdcard/Download"), "v.mp4\n")
	dev("shell", "am", "broadcast", "-a", "android.intent.action.MEDIA_SCANNER_SCAN_FILE", "-d", "file:///sdcard/Download/v.mp4")
	p.DiskFull(true)
	if out := dev("push", big, "/sdcard/Download/w.mp4"); !strings.Contains(out, "No space left on device") {
		t.Error(out)
	}
	p.DiskFull(false)
	small := filepath.Join(t.TempDir(), "s.txt")
	if err := os.WriteFile(small, []byte("small"), 0o600); err != nil {
		t.Fatal(err)
	}
	dev("push", small, "/sdcard/s.txt")
	back := filepath.Join(t.TempDir(), "back")
	dev("pull", "/sdcard/s.txt", back)
	if got, _ := os.ReadFile(back); string(got) != "small" {
		t.Errorf("pulled %q", got)
	}
	if out := dev("exec-out", "screencap", "-p"); !strings.HasPrefix(out, "\x89PNG") {
		t.Errorf("no picture: %.20q", out)
	}
	dev("shell", "monkey", "-p", "com.instagram.android", "1")
	dev("shell", "input", "keyevent", "4")

	p.Logout()
	want("after the logout", dev("shell", "id"), "error: you should run glogin to login first\n")
	p.Drop()
	await(t, func() bool { return strings.TrimSpace(dev("get-state")) == "device" })
	p.Down()
	if out := a.run("connect", p.Address()); strings.Contains(out, "already") {
		a.run("disconnect", p.Address())
	}
	want("a phone that is down", a.run("connect", p.Address()), "failed to connect to '"+p.Address()+"': Connection refused\n")
	if err := p.Up(); err != nil {
		t.Fatal(err)
	}
	a.connect(p)
	p.Close()
	var kinds []simphone.EventKind
	for _, e := range n.events {
		kinds = append(kinds, e.Kind)
	}
	if fmt.Sprint(kinds) != "[media_added launched]" || fmt.Sprint(n.keys) != "[4]" || n.events[0].File.Size != 3_200_000 {
		t.Errorf("%v %v", kinds, n.keys)
	}
}

func TestFrozenLink(t *testing.T) {
	a := startADB(t)
	p, _ := start(t, simphone.Config{})
	a.connect(p)
	p.Freeze()
	ctx, cancel := context.WithTimeout(t.Context(), 500*time.Millisecond)
	defer cancel()
	if out, err := exec.CommandContext(ctx, "adb", "-P", a.port, "-s", p.Address(), "shell", "getprop", "x").CombinedOutput(); err == nil {
		t.Errorf("a frozen phone answers %q", out)
	}
	p.Thaw()
	p.Drop()
	await(t, func() bool { return a.run("-s", p.Address(), "shell", "getprop", "ro.build.version.sdk") == "31\n" })
}

// appium starts a real Appium server.
func appium(t *testing.T, a adbServer) string {
	t.Helper()
	home, err := filepath.Abs(filepath.Join("..", "..", "tools", "appium"))
	if err != nil {
		t.Fatal(err)
	}
	index := filepath.Join(home, "node_modules", "appium", "index.js")
	if _, err := os.Stat(index); err != nil {
		missing(t, "Appium is not installed (npm ci --ignore-scripts in tools/appium)")
	}
	port := freePort(t)
	ctx, cancel := context.WithCancel(context.Background())
	c := exec.CommandContext(ctx, "node", index, "--address", "127.0.0.1", "--port", fmt.Sprint(port), "--use-drivers=uiautomator2", "--log-level=warn")
	c.Dir = home
	c.Env = append(os.Environ(), "ANDROID_HOME=/usr/lib/android-sdk", "APPIUM_HOME="+home)
	var log bytes.Buffer
	c.Stdout, c.Stderr = &log, &log
	c.Cancel = func() error { return c.Process.Signal(os.Interrupt) }
	c.WaitDelay = 5 * time.Second
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = c.Wait()
		if t.Failed() {
			t.Log(log.String())
		}
	})
	base := fmt.Sprintf("http://127.0.0.1:%d", port)
	await(t, func() bool {
		r, err := http.Get(base + "/status")
		if err != nil {
			return false
		}
		defer r.Body.Close()
		return r.StatusCode == http.StatusOK
	})
	return base
}

func ask(t *testing.T, method, url string, body any) (value json.RawMessage) {
	t.Helper()
	var data []byte
	if body != nil {
		data, _ = json.Marshal(body)
	}
	req, err := http.NewRequestWithContext(t.Context(), method, url, bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	r, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Body.Close()
	text, _ := io.ReadAll(r.Body)
	var answer struct{ Value json.RawMessage }
	if err := json.Unmarshal(text, &answer); err != nil {
		t.Fatalf("%s %s: %s", method, url, text)
	}
	return answer.Value
}

func TestRealAppium(t *testing.T) {
	a := startADB(t)
	base := appium(t, a)
	for name, short := range map[string]bool{"few things asked": true, "the driver's defaults": false} {
		t.Run(name, func(t *testing.T) {
			p, n := start(t, simphone.Config{})
			a.connect(p)
			caps := map[string]any{
				"platformName": "Android", "appium:automationName": "UiAutomator2", "appium:udid": p.Address(), "appium:noReset": true,
				"appium:systemPort": freePort(t), "appium:newCommandTimeout": 300, "appium:suppressKillServer": true, "appium:adbPort": mustInt(a.port),
			}
			if short {
				for _, c := range []string{"skipServerInstallation", "skipDeviceInitialization", "skipUnlock", "skipLogcatCapture", "ignoreHiddenApiPolicyError", "disableWindowAnimation"} {
					caps["appium:"+c] = true
				}
				caps["appium:autoLaunch"] = false
			}
			var session struct{ SessionID string }
			answer := ask(t, "POST", base+"/session", map[string]any{"capabilities": map[string]any{"alwaysMatch": caps, "firstMatch": []any{map[string]any{}}}})
			if err := json.Unmarshal(answer, &session); err != nil || session.SessionID == "" {
				t.Fatalf("%.400s", answer)
			}
			in := base + "/session/" + session.SessionID
			var source string
			if err := json.Unmarshal(ask(t, "GET", in+"/source", nil), &source); err != nil {
				t.Fatal(err)
			}
			s, err := phone.Parse(strings.NewReader(source))
			if err != nil || len(s.Nodes) != 2 || s.Nodes[1].Desc != "Tap <me> & \"go\"" || s.Nodes[1].Bounds != buttonBox {
				t.Fatalf("%v %+v", err, s)
			}
			var el map[string]string
			_ = json.Unmarshal(ask(t, "POST", in+"/element", map[string]string{"using": "id", "value": "field"}), &el)
			field := el["element-6066-11e4-a52e-4f735466cecf"]
			ask(t, "POST", in+"/element/"+field+"/value", map[string]string{"text": "Grüße 👋 & more"})
			ask(t, "POST", in+"/actions", map[string]any{"actions": []any{map[string]any{
				"type": "pointer", "id": "finger", "parameters": map[string]string{"pointerType": "touch"}, "actions": []any{
					map[string]any{"type": "pointerMove", "duration": 0, "x": 300, "y": 340},
					map[string]any{"type": "pointerDown", "button": 0},
					map[string]any{"type": "pause", "duration": 50},
					map[string]any{"type": "pointerUp", "button": 0},
				},
			}}})
			var shot string
			_ = json.Unmarshal(ask(t, "GET", in+"/screenshot", nil), &shot)
			if !strings.HasPrefix(shot, "iVBOR") {
				t.Errorf("no picture: %.30s", shot)
			}
			p.CutServer() // one cut connection is healed silently, when the next thing asked changes nothing
			ask(t, "GET", in+"/source", nil)
			ask(t, "POST", in+"/back", map[string]any{})
			ask(t, "DELETE", in, nil)
			p.Close()
			if n.text != "Grüße 👋 & more" || n.taps != 1 || fmt.Sprint(n.keys) != "[4]" {
				t.Errorf("%q, %d taps, keys %v", n.text, n.taps, n.keys)
			}
		})
	}
}

func mustInt(s string) (n int) {
	_, _ = fmt.Sscan(s, &n)
	return n
}
