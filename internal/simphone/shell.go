package simphone

import (
	"archive/zip"
	"bytes"
	"fmt"
	"io"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
)

// The packages of the driver, and the app.
const (
	app        = "com.instagram.android"
	launcher   = "com.android.launcher3"
	settings   = "io.appium.settings"
	uia        = "io.appium.uiautomator2.server"
	uiaTest    = "io.appium.uiautomator2.server.test"
	activity   = "/.activity.MainTabActivity"
	loginError = "error: you should run glogin to login first\n"
)

// shell runs a command line and returns its exit code. While nobody is logged in, every command but glogin says so, with exit
// code 0, as cloud phones do.
func (p *Phone) shell(line string, in io.Reader, out, errs io.Writer) int {
	p.mu.Lock()
	late := p.faults.shell + p.cfg.Latency
	p.mu.Unlock()
	if !p.wait(late) {
		return 1
	}
	if word, password, _ := strings.Cut(strings.TrimSpace(line), " "); word == "glogin" {
		if p.logIn(unquote(strings.TrimSpace(password))) {
			fmt.Fprintln(out, "success")
		} else {
			fmt.Fprintln(out, "error: wrong password")
		}
		return 0
	}
	if !p.loggedIn() {
		_, _ = io.WriteString(out, loginError)
		return 0
	}
	code := 0
	for part := range strings.SplitSeq(line, ";") {
		for i, step := range strings.Split(part, "&&") {
			if i > 0 && code != 0 {
				break
			}
			code = p.step(words(step), in, out, errs)
		}
	}
	return code
}

// words splits a command and takes its quotes off.
func words(line string) (list []string) {
	for _, w := range wordPattern.FindAllString(line, -1) {
		list = append(list, unquote(w))
	}
	return list
}

var wordPattern = regexp.MustCompile(`'[^']*'|"[^"]*"|\S+`)

func unquote(w string) string {
	if len(w) >= 2 && (w[0] == '\'' || w[0] == '"') && w[len(w)-1] == w[0] {
		return w[1 : len(w)-1]
	}
	return w
}

// step runs one command. What it does not know ends with 127, as a shell does.
func (p *Phone) step(w []string, in io.Reader, out, errs io.Writer) int {
	if len(w) == 0 {
		return 0
	}
	say := func(format string, a ...any) int { fmt.Fprintf(out, format, a...); return 0 }
	last := w[len(w)-1]
	switch w[0] {
	case "getprop":
		return say("%s\n", property(p, last))
	case "settings", "appops", "mkdir", "ime", "input", "wm", "svc", "exec", "logcat", "export":
		return p.quiet(w, out)
	case "echo":
		return say("%s\n", strings.Join(w[1:], " "))
	case "[":
		if len(w) > 2 && w[1] == "-e" && p.file(w[2]) != nil {
			return 0
		}
		return 1
	case "cat", "stat", "sha256sum", "ls", "rm":
		return p.fileCommand(w, out, errs)
	case "screencap":
		_, _ = out.Write(p.Picture())
		return 0
	case "dumpsys":
		return say("%s", p.dumpsys(w[1:]))
	case "pm", "cmd":
		return p.packageManager(w, in, out)
	case "am", "monkey":
		return p.activityManager(w, out)
	case "ps":
		return say("%s", p.processes(last))
	}
	fmt.Fprintf(errs, "/system/bin/sh: %s: inaccessible or not found\n", w[0])
	return 127
}

func property(p *Phone, name string) string {
	switch name {
	case "ro.build.version.sdk":
		return "31"
	case "ro.build.version.release":
		return "12"
	case "ro.serialno", "ro.boot.serialno":
		return p.cfg.Name
	case "ro.product.model":
		return "SimPhone"
	case "ro.product.manufacturer":
		return "sim"
	}
	return ""
}

// quiet runs what changes nothing that anybody looks at, but for logcat, which stays open.
func (p *Phone) quiet(w []string, out io.Writer) int {
	switch {
	case slices.Contains(w, "logcat"):
		fmt.Fprintln(out, "--------- beginning of main")
		if s, ok := streamOf(out); ok {
			<-s.over
		}
	case w[0] == "wm":
		fmt.Fprintf(out, "Physical size: %dx%d\n", Width, Height)
	case len(w) > 2 && w[0] == "input" && w[1] == "keyevent":
		p.press(w[2])
	}
	return 0
}

func streamOf(w io.Writer) (*stream, bool) {
	switch w := w.(type) {
	case *stream:
		return w, true
	case framed:
		return streamOf(w.to)
	}
	return nil, false
}

// dumpsys answers what the driver looks for in its answers.
func (p *Phone) dumpsys(w []string) string {
	what := strings.Join(w, " ")
	p.mu.Lock()
	front := p.front
	p.mu.Unlock()
	switch {
	case strings.HasPrefix(what, "package "):
		name := w[1]
		if !p.installed(name) {
			return "Unable to find package: " + name + "\n"
		}
		code, number := "1", "1.0"
		switch name {
		case settings:
			code, number = "191", "8.0.9"
		case uia, uiaTest:
			code, number = "278", "10.6.6"
		}
		return fmt.Sprintf("Packages:\n  Package [%s] (abc123):\n    versionCode=%s minSdk=26\n    versionName=%s\n", name, code, number)
	case strings.HasPrefix(what, "activity services"):
		return "ServiceRecord{1 u0 io.appium.settings/.ForegroundService}\n isForeground=true\n"
	case what == "activity processes":
		return fmt.Sprintf("  *APP* UID 10100 ProcessRecord{a1b2c3 4242:%s/u0a100}\n", front)
	case strings.HasPrefix(what, "window"):
		return fmt.Sprintf("  mCurrentFocus=Window{a1 u0 %s%s}\n  mFocusedApp=ActivityRecord{b2 u0 %s%s t12}\n  mShowingLockscreen=false\n", front, activity, front, activity)
	case what == "power":
		return "  mWakefulness=Awake\n"
	case what == "input_method":
		return "  mInputShown=false\n"
	}
	return ""
}

func (p *Phone) installed(name string) bool {
	if name == app {
		return true
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.packages[name]
}

// packageManager installs what is streamed to it, and lists what there is.
func (p *Phone) packageManager(w []string, in io.Reader, out io.Writer) int {
	say := func(format string, a ...any) int { fmt.Fprintf(out, format, a...); return 0 }
	line := strings.Join(w, " ")
	switch {
	case strings.Contains(line, "install") && slices.Contains(w, "-S"):
		size, err := strconv.ParseInt(w[slices.Index(w, "-S")+1], 10, 64)
		const most = 64 << 20
		if err != nil || size < 0 || size > most {
			return say("Failure [INSTALL_PARSE_FAILED]\n")
		}
		apk, err := io.ReadAll(io.LimitReader(in, size))
		if err != nil || int64(len(apk)) != size {
			return 1
		}
		p.mu.Lock()
		p.packages[packageName(apk)] = true
		p.mu.Unlock()
		return say("Success\n")
	case strings.Contains(line, "resolve-activity"):
		return say("priority=0 preferredOrder=0\n%s%s\n", w[len(w)-1], activity)
	case strings.Contains(line, "list packages"):
		for _, n := range []string{app, settings, uia, uiaTest} {
			if p.installed(n) {
				code := map[string]int{settings: 191, uia: 278, uiaTest: 278}[n]
				say("package:%s versionCode:%d\n", n, max(code, 1))
			}
		}
		return 0
	case strings.Contains(line, "list instrumentation"):
		return say("instrumentation:%s/androidx.test.runner.AndroidJUnitRunner (target=%s)\n", uiaTest, uia)
	case strings.Contains(line, "uninstall"):
		p.mu.Lock()
		delete(p.packages, w[len(w)-1])
		p.mu.Unlock()
	}
	return say("Success\n")
}

// packageName finds out which of the driver's packages an APK is: the name stands in its binary manifest.
func packageName(apk []byte) string {
	z, err := zip.NewReader(bytes.NewReader(apk), int64(len(apk)))
	if err != nil {
		return ""
	}
	f, err := z.Open("AndroidManifest.xml")
	if err != nil {
		return ""
	}
	defer f.Close()
	manifest, _ := io.ReadAll(io.LimitReader(f, 4<<20)) // what cannot be read names nothing
	for _, name := range []string{uiaTest, uia, settings} {
		if bytes.Contains(manifest, []byte(name)) || bytes.Contains(manifest, wide(name)) {
			return name
		}
	}
	return ""
}

func wide(s string) (b []byte) {
	for _, u := range utf16.Encode([]rune(s)) {
		b = append(b, byte(u), byte(u>>8))
	}
	return b
}

// activityManager starts and stops apps.
func (p *Phone) activityManager(w []string, out io.Writer) int {
	line := strings.Join(w, " ")
	switch {
	case len(w) > 1 && w[1] == "instrument":
		return p.instrument(out)
	case len(w) > 2 && w[1] == "force-stop":
		if w[2] == uia || w[2] == uiaTest {
			p.KillServer()
		} else {
			p.kill(w[2])
		}
	case len(w) > 1 && w[1] == "broadcast" && strings.Contains(line, "MEDIA_SCANNER"):
		p.scan()
		fmt.Fprintln(out, "Broadcast completed: result=0")
	case len(w) > 1 && w[1] == "broadcast":
		fmt.Fprintln(out, "Broadcast completed: result=0")
	case w[0] == "monkey" && slices.Contains(w, "-p"):
		p.launch(w[slices.Index(w, "-p")+1])
		fmt.Fprintln(out, "Events injected: 1")
	case len(w) > 1 && strings.HasPrefix(w[1], "start"):
		for i, x := range w {
			if x == "-n" && i+1 < len(w) {
				name, _, _ := strings.Cut(w[i+1], "/")
				p.launch(name)
			}
		}
		fmt.Fprintf(out, "Starting: Intent\nStatus: ok\nComplete\n")
	}
	return 0
}

func (p *Phone) processes(option string) string {
	if option == "--help" {
		return "usage: ps\n-A\tAll processes\n"
	}
	text := "USER PID PPID VSZ RSS WCHAN ADDR S NAME\nroot 1 0 1 1 0 0 S init\n"
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.server != nil {
		text += "u0_a101 4300 1 1 1 0 0 S " + uia + "\n"
	}
	return text + "u0_a100 4242 1 1 1 0 0 S " + p.front + "\n"
}

// scan makes the gallery know what lies in the folder of downloads.
func (p *Phone) scan() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, name := range p.sortedFiles() {
		f := p.files[name]
		if !f.scanned && path.Dir(name) == downloads {
			f.scanned = true
			p.cfg.App.Event(Event{Kind: MediaAdded, File: *f})
		}
	}
}

// Run runs a command line as a vendor's API does: no login is asked for.
func (p *Phone) Run(line string) (output string, ok bool) {
	var out bytes.Buffer
	code := 0
	for part := range strings.SplitSeq(line, ";") {
		code = p.step(words(part), strings.NewReader(""), &out, &out)
	}
	return out.String(), code == 0
}
