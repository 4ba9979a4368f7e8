package adb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path"
	"strconv"
	"strings"
	"time"
)

// Device is one device: a cloud phone at HOST:PORT, an emulator, or a phone on the cable.
type Device struct {
	adb      *Client
	serial   string
	password string // of glogin; empty where none is asked for
	network  bool   // it must be connected to
}

// Device is the device of a serial number, or of an address that is connected to first. Cloud phones ask for a login with a password.
func (c *Client) Device(serial, password string) *Device {
	host, port, found := strings.Cut(serial, ":")
	_, err := strconv.ParseUint(port, 10, 16)
	return &Device{adb: c, serial: serial, password: password, network: found && err == nil && host != ""}
}

// Serial is what adb calls it.
func (d *Device) Serial() string { return d.serial }

// String is Serial; %+v and %#v do not print the password either.
func (d *Device) String() string { return d.serial }

// GoString is String.
func (d *Device) GoString() string { return d.serial }

func (d *Device) run(ctx context.Context, most time.Duration, args ...string) (result, error) {
	return d.adb.run(ctx, most, append([]string{"-s", d.serial}, args...)...)
}

// State is what adb says of it: device, offline or another word of its own; empty where it does not know it. An error means that
// there is no adb to ask.
func (d *Device) State(ctx context.Context) (string, error) {
	r, err := d.run(ctx, commandMost, "get-state")
	var f *Failure
	if !errors.As(err, &f) {
		return strings.TrimSpace(r.out), nil
	}
	for _, s := range []string{"offline", "unauthorized", "authorizing", "connecting"} {
		if strings.Contains(f.Text, s) {
			return s, nil
		}
	}
	if f.Code == CodeNoProgram {
		return "", f
	}
	return "", nil
}

// Ready connects to it, waits until adb calls it a device, and logs in. An entry that is offline would make connect do nothing, so
// it is disconnected first; what connect says is not looked at, since it says failed of what comes and connected of what is dead.
func (d *Device) Ready(ctx context.Context) error {
	if d.network {
		if _, err := d.adb.run(ctx, commandMost, "disconnect", d.serial); is(err, CodeNoProgram) {
			return err
		}
		if _, err := d.adb.run(ctx, commandMost, "connect", d.serial); err != nil && ctx.Err() != nil {
			return err
		}
	}
	if err := d.await(ctx); err != nil {
		return err
	}
	return d.Login(ctx)
}

// await waits until it is a device. One that has vanished from the list, as after a cut, is connected to again.
func (d *Device) await(ctx context.Context) error {
	const again = 5 * time.Second
	until, next := time.Now().Add(connectMost), time.Now().Add(again)
	tick := time.NewTicker(poll)
	defer tick.Stop()
	for {
		state, err := d.State(ctx)
		switch {
		case err != nil:
			return err
		case state == "device":
			return nil
		case state == "unauthorized":
			return &Failure{Command: "get-state", Text: "device unauthorized: allow this machine on the phone"}
		case ctx.Err() != nil:
			return &Failure{Command: "get-state", Err: context.Cause(ctx)}
		case time.Now().After(until):
			if state == "" {
				state = "not listed"
			}
			return &Failure{Command: "get-state", Code: CodeNoDevice, Text: fmt.Sprintf("%s did not become a device within %s: it is %s", d.serial, connectMost, state)}
		case state == "" && d.network && time.Now().After(next):
			next = time.Now().Add(again)
			_, _ = d.adb.run(ctx, commandMost, "connect", d.serial) // the state tells
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
		}
	}
}

// Login logs in where a password is known, and makes sure that the shell answers.
func (d *Device) Login(ctx context.Context) error {
	if d.password != "" {
		r, err := d.run(ctx, commandMost, "shell", "glogin "+quote(d.password))
		if err != nil {
			return err
		}
		if said := strings.ToLower(r.out + r.errs); strings.Contains(said, "error") {
			return &Failure{Command: "shell glogin", Code: CodeLogin, Text: "the login was refused"}
		}
	}
	return d.Probe(ctx)
}

// Probe makes sure that the shell answers, by the content of an answer.
func (d *Device) Probe(ctx context.Context) error {
	out, err := d.Shell(ctx, "getprop ro.build.version.sdk")
	if err != nil {
		return err
	}
	if _, err := strconv.Atoi(strings.TrimSpace(out)); err != nil {
		return &Failure{Command: "shell getprop ro.build.version.sdk", Code: CodeIncorrect, Text: fmt.Sprintf("the device answered %.60q", out)}
	}
	return nil
}

// Heal brings back a device that stopped answering: a login that ran out is given again on the link that is there; any other trouble
// gets a new connection.
func (d *Device) Heal(ctx context.Context) error {
	err := d.Probe(ctx)
	if err == nil {
		return nil
	}
	if is(err, CodeLogin) {
		if d.Login(ctx) == nil {
			return nil
		}
	}
	return d.Ready(ctx)
}

// KeepEvery is how often a login is renewed: it lasts about ten minutes.
const KeepEvery = 7 * time.Minute

// Keep renews the login on the link that is there, each time that tick says so, until ctx ends. A login that fails is given again
// at the next tick; whoever uses the device sees the trouble by himself.
func (d *Device) Keep(ctx context.Context, tick <-chan time.Time) {
	if d.password == "" {
		<-ctx.Done()
		return
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick:
			_ = d.Login(ctx) // see above
		}
	}
}

// Shell runs a command line on the device.
func (d *Device) Shell(ctx context.Context, line string) (string, error) {
	r, err := d.run(ctx, commandMost, "shell", line)
	return r.out, err
}

// Push copies a file and makes sure that all of it has come.
func (d *Device) Push(ctx context.Context, local, remote string) error {
	st, err := os.Stat(local)
	if err != nil {
		return err
	}
	if _, err := d.run(ctx, pushMost, "push", local, remote); err != nil {
		return err
	}
	out, err := d.Shell(ctx, "stat -c %s "+quote(remote))
	if err != nil {
		return err
	}
	if got := strings.TrimSpace(out); got != strconv.FormatInt(st.Size(), 10) {
		return &Failure{Command: "push", Code: CodeIncorrect, Text: fmt.Sprintf("%d bytes were pushed, and there are %.20s", st.Size(), got)}
	}
	return nil
}

// List names the files of a folder.
func (d *Device) List(ctx context.Context, folder string) (names []string, err error) {
	out, err := d.Shell(ctx, "ls -1 "+quote(folder))
	for line := range strings.Lines(out) {
		if line = strings.TrimRight(line, "\r\n"); line != "" {
			names = append(names, line)
		}
	}
	return names, err
}

// Remove deletes a file.
func (d *Device) Remove(ctx context.Context, file string) error {
	_, err := d.Shell(ctx, "rm -f "+quote(file))
	return err
}

// Scan makes the gallery know a file.
func (d *Device) Scan(ctx context.Context, file string) error {
	_, err := d.Shell(ctx, "am broadcast -a android.intent.action.MEDIA_SCANNER_SCAN_FILE -d file://"+quote(path.Clean(file)))
	return err
}

// Picture is a PNG of the screen.
func (d *Device) Picture(ctx context.Context) ([]byte, error) {
	r, err := d.run(ctx, commandMost, "exec-out", "screencap", "-p")
	if err == nil && !strings.HasPrefix(r.out, "\x89PNG\r\n\x1a\n") {
		err = &Failure{Command: "exec-out screencap -p", Code: CodeIncorrect, Text: "the answer is no picture"}
	}
	return []byte(r.out), err
}

// Unforward takes a port of this machine off the device, where an earlier owner has left it. One that is not forwarded is no failure.
func (d *Device) Unforward(ctx context.Context, port int) error {
	ports, err := d.Forwards(ctx)
	if err != nil {
		return err
	}
	for _, p := range ports {
		if p == port {
			_, err = d.run(ctx, commandMost, "forward", "--remove", "tcp:"+strconv.Itoa(port))
		}
	}
	return err
}

// Forwards lists the ports of this machine that lead to the device.
func (d *Device) Forwards(ctx context.Context) (ports []int, err error) {
	r, err := d.adb.run(ctx, commandMost, "forward", "--list")
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(r.out) {
		if f := strings.Fields(line); len(f) == 3 && f[0] == d.serial {
			if port, err := strconv.Atoi(strings.TrimPrefix(f[1], "tcp:")); err == nil {
				ports = append(ports, port)
			}
		}
	}
	return ports, nil
}

// Disconnect forgets a device at an address.
func (d *Device) Disconnect(ctx context.Context) error {
	if !d.network {
		return nil
	}
	_, err := d.adb.run(ctx, commandMost, "disconnect", d.serial)
	var f *Failure
	if errors.As(err, &f) && strings.Contains(f.Text, "no such device") {
		return nil
	}
	return err
}

// is says that an error is a failure of a code.
func is(err error, code string) bool {
	var f *Failure
	return errors.As(err, &f) && f.Code == code
}

// quote makes one word of a text for the device's shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
