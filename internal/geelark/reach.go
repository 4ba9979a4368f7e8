package geelark

import (
	"context"
	"fmt"
	"net"
	"time"
)

// Access is how adb reaches a running phone. The address changes with each start.
type Access struct {
	Address  string // host:port
	Password string // for glogin; a secret
}

// String keeps the password out of whatever prints an Access.
func (a Access) String() string { return a.Address }

// GoString is String.
func (a Access) GoString() string { return a.Address }

// How ADB is opened: it is closed first, since an open one that hangs answers 50000 else (the vendor's own advice), and takes some
// seconds to come.
const (
	adbBetween = time.Second
	adbWait    = 3 * time.Second
	adbMost    = time.Minute
)

// OpenADB opens the ADB of a running phone and waits until it can be reached.
func (c *Client) OpenADB(ctx context.Context, id string) (Access, error) {
	until := c.cfg.Clock().Add(adbMost)
	if err := c.setADB(ctx, id, false); err != nil && !is(err, codeServer, codeADBOff) {
		return Access{}, err
	}
	if err := c.pause(ctx, adbBetween); err != nil {
		return Access{}, err
	}
	for {
		err := c.setADB(ctx, id, true)
		if err == nil {
			break
		}
		if !is(err, codeServer) || c.cfg.Clock().After(until) {
			return Access{}, err
		}
		if err := c.pause(ctx, adbWait); err != nil {
			return Access{}, err
		}
	}
	for {
		if err := c.pause(ctx, adbWait); err != nil {
			return Access{}, err
		}
		a, err := c.access(ctx, id)
		if err == nil || !is(err, codeADBOff) {
			return a, err
		}
		if c.cfg.Clock().After(until) {
			return Access{}, &Finding{CodeADBTimeout, fmt.Sprintf("the phone's ADB did not open within %s", adbMost)}
		}
	}
}

// CloseADB closes it again.
func (c *Client) CloseADB(ctx context.Context, id string) error { return c.setADB(ctx, id, false) }

func (c *Client) setADB(ctx context.Context, id string, open bool) error {
	return c.call(ctx, "/open/v1/adb/setStatus", map[string]any{"ids": []string{id}, "open": open}, nil)
}

func (c *Client) access(ctx context.Context, id string) (Access, error) {
	const path = "/open/v1/adb/getData"
	var data struct {
		Items []struct {
			Code number `json:"code"`
			Msg  string `json:"msg"`
			ID   word   `json:"id"`
			IP   string `json:"ip"`
			Port word   `json:"port"`
			Pwd  string `json:"pwd"`
		} `json:"items"`
	}
	if err := c.call(ctx, path, map[string]any{"ids": []string{id}}, &data); err != nil {
		return Access{}, err
	}
	for _, i := range data.Items {
		switch {
		case string(i.ID) != id:
		case i.Code != 0:
			return Access{}, &Failure{Endpoint: path, Code: int(i.Code), Msg: i.Msg, Item: true}
		case i.IP == "" || i.Port == "":
			return Access{}, &Failure{Endpoint: path, Code: codeADBOff, Msg: "there is no address yet", Item: true}
		default:
			return Access{Address: net.JoinHostPort(i.IP, string(i.Port)), Password: i.Pwd}, nil
		}
	}
	return Access{}, &Failure{Endpoint: path, Msg: "the answer does not speak of the phone", Item: true}
}

func (c *Client) pause(ctx context.Context, d time.Duration) error {
	if err := c.cfg.Pause(ctx, d); err != nil {
		return c.failed("/open/v1/adb/setStatus", err)
	}
	return nil
}

// Shell runs a command on a running phone, through the API: it needs neither ADB nor a login.
func (c *Client) Shell(ctx context.Context, id, command string) (output string, ok bool, err error) {
	var data struct {
		Status bool   `json:"status"`
		Output string `json:"output"`
	}
	err = c.call(ctx, "/open/v1/shell/execute", map[string]any{"id": id, "cmd": command}, &data)
	return data.Output, data.Status, err
}
