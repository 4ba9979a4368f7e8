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
	// Take makes the phone of an account ready. Where it fails nothing is left running.
	Take(ctx context.Context, account string, step func(string)) (Held, error)
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
	// Started and Stopped are told of each phone before it is started and after it was stopped, so that somebody remembers it should
	// this process die. Started may refuse.
	Started func(ctx context.Context, p geelark.Phone) error
	Stopped func(p geelark.Phone)
}

// Take finds, starts and connects the phone of an account.
func (c *Cloud) Take(ctx context.Context, account string, step func(string)) (Held, error) {
	step(StepFind)
	p, err := c.Vendor.Find(ctx, account)
	if err != nil {
		return nil, err
	}
	step(StepStart)
	if c.Started != nil {
		if err := c.Started(ctx, p); err != nil {
			return nil, err
		}
	}
	h := &cloudPhone{cloud: c, phone: p}
	if err := c.Vendor.Start(ctx, p.ID); err != nil {
		var f *geelark.Finding
		if errors.As(err, &f) && (f.Code == geelark.CodeInUse || f.Code == geelark.CodeExpired) {
			c.told(p) // it was not started by us, and is left alone
			return nil, err
		}
		return nil, errors.Join(err, h.away(ctx)) // it may come up yet
	}
	step(StepConnect)
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

func (c *Cloud) told(p geelark.Phone) {
	if c.Stopped != nil {
		c.Stopped(p)
	}
}

type cloudPhone struct {
	cloud  *Cloud
	phone  geelark.Phone
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
	h.cloud.told(h.phone)
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
func (b *Devices) Take(ctx context.Context, account string, step func(string)) (Held, error) {
	step(StepConnect)
	serial, ok := b.Serials[account]
	if !ok {
		return nil, &NoDeviceError{account}
	}
	d := b.ADB.Device(serial, "")
	if err := d.Ready(ctx); err != nil {
		return nil, err
	}
	return heldDevice{d}, nil
}

type heldDevice struct{ device *adb.Device }

func (h heldDevice) Device() *adb.Device { return h.device }

func (h heldDevice) Load(ctx context.Context, video string) (string, error) {
	file := path.Join(folder, "reelpass"+strings.ToLower(filepath.Ext(video)))
	return file, h.device.Push(ctx, video, file)
}

func (h heldDevice) Release(ctx context.Context) error { return h.device.Disconnect(ctx) }
