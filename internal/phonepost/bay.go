package phonepost

import (
	"context"
	"errors"
	"fmt"
	"path"
	"path/filepath"
	"strings"

	"reelpass/internal/adb"
	"reelpass/internal/geelark"
	"reelpass/internal/reel"
)

// Bay is where phones stand.
type Bay interface {
	// Take makes the phone of an assignment's account ready. Where it fails nothing is left running.
	Take(ctx context.Context, a reel.Assignment, d reel.Desk) (Held, error)
}

// Held is a phone that is ready.
type Held interface {
	Device() *adb.Device
	// Load brings a video onto the phone and says where it lies there.
	Load(ctx context.Context, video string) (file string, err error)
	// Release gives the phone back: what was started is stopped. An error means that it may still run.
	Release(ctx context.Context) error
}

// Steps until the app is reached, as the desk is told them.
const (
	StepFind    = "find phone"
	StepStart   = "start phone"
	StepConnect = "connect"
	StepUpload  = "upload"
	StepSession = "session"
	StepLook    = "look at profile"
)

// Vendor rents cloud phones out. *geelark.Client is one.
type Vendor interface {
	Find(ctx context.Context, account string) (geelark.Phone, error)
	Start(ctx context.Context, id string) error
	OpenADB(ctx context.Context, id string) (geelark.Access, error)
	Upload(ctx context.Context, id, path string) (name string, err error)
	Stop(ctx context.Context, id string) error
}

// Cloud is a bay of cloud phones: each account has the phone that bears its name.
type Cloud struct {
	Vendor Vendor
	ADB    *adb.Client
}

// Take finds, starts and connects the phone of an assignment's account. One that runs already is taken only where an earlier attempt of
// the job had started it, and as it is: an upload may go on there.
func (c *Cloud) Take(ctx context.Context, a reel.Assignment, d reel.Desk) (Held, error) {
	d.Step(StepFind)
	p, err := c.Vendor.Find(ctx, a.Account)
	if err != nil {
		return nil, err
	}
	d.Step(StepStart)
	if err := keeps(ctx, d, p); err != nil {
		return nil, err
	}
	h := &cloudPhone{cloud: c, phone: p, desk: d}
	if err := c.Vendor.Start(ctx, p.ID); err != nil {
		var f *geelark.Finding
		errors.As(err, &f)
		switch {
		case f != nil && f.Code == geelark.CodeInUse && left(a).ID == p.ID:
		case f != nil && (f.Code == geelark.CodeInUse || f.Code == geelark.CodeExpired):
			stopped(ctx, d) // it was not started by us, and is left alone
			return nil, err
		default:
			return nil, errors.Join(err, h.away(ctx)) // it may come up yet
		}
	}
	d.Step(StepConnect)
	access, err := c.Vendor.OpenADB(ctx, p.ID)
	if err == nil {
		h.device = c.ADB.Device(access.Address, access.Password)
		err = h.device.Ready(ctx)
	}
	if err != nil {
		return nil, errors.Join(err, h.away(ctx))
	}
	return h, nil
}

type cloudPhone struct {
	cloud  *Cloud
	phone  geelark.Phone
	desk   reel.Desk
	device *adb.Device
}

func (h *cloudPhone) Device() *adb.Device { return h.device }

func (h *cloudPhone) Load(ctx context.Context, video string) (string, error) {
	name, err := h.cloud.Vendor.Upload(ctx, h.phone.ID, video)
	return path.Join(geelark.Folder, name), err
}

// away releases it in a time of its own, since the job's may be over.
func (h *cloudPhone) away(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), releaseMost)
	defer cancel()
	return h.Release(ctx)
}

func (h *cloudPhone) Release(ctx context.Context) error {
	if h.device != nil {
		_ = h.device.Disconnect(ctx) // a phone that is off is gone by itself
	}
	if err := h.cloud.Vendor.Stop(ctx, h.phone.ID); err != nil {
		return &RunningError{Phone: h.phone.Name, Err: err}
	}
	stopped(ctx, h.desk)
	return nil
}

// RunningError says that a phone could not be stopped, and may run on at somebody's cost.
type RunningError struct {
	Phone string
	Err   error
}

func (e *RunningError) Error() string {
	return fmt.Sprintf("the phone %s may still be running: %v", e.Phone, e.Err)
}

// Unwrap gives what went wrong.
func (e *RunningError) Unwrap() error { return e.Err }

// Devices is a bay of phones and emulators that adb reaches by itself: on the cable, or at an address. Nobody starts or stops them.
type Devices struct {
	ADB     *adb.Client
	Serials map[string]string // by account
}

// folder is where videos are laid on a device.
const folder = "/sdcard/Download"

// NoDeviceError says that an account has no device.
type NoDeviceError struct{ Account string }

func (e *NoDeviceError) Error() string { return "no device is named for account " + e.Account }

// Evidence tells it to whoever judges it: nobody can post for the account until a person has named one.
func (e *NoDeviceError) Evidence(step string) reel.Evidence {
	return reel.Evidence{Source: reel.SourceTool, Code: geelark.CodeNotInGeeLark, Text: e.Error(), Step: step}
}

// Take connects to the device of an account.
func (b *Devices) Take(ctx context.Context, a reel.Assignment, d reel.Desk) (Held, error) {
	d.Step(StepConnect)
	serial, ok := b.Serials[a.Account]
	if !ok {
		return nil, &NoDeviceError{a.Account}
	}
	device := b.ADB.Device(serial, "")
	if err := device.Ready(ctx); err != nil {
		return nil, err
	}
	return heldDevice{device}, nil
}

type heldDevice struct{ device *adb.Device }

func (h heldDevice) Device() *adb.Device { return h.device }

func (h heldDevice) Load(ctx context.Context, video string) (string, error) {
	file := path.Join(folder, "reelpass"+strings.ToLower(filepath.Ext(video)))
	return file, h.device.Push(ctx, video, file)
}

func (h heldDevice) Release(ctx context.Context) error { return h.device.Disconnect(ctx) }
