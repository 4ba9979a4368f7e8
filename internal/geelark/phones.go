package geelark

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Phone is a cloud phone as it was found.
type Phone struct {
	ID    string // decimal digits, more than a float holds
	Name  string // the account's: serialName
	State State
}

// State is what a phone does.
type State int

// The states, by the API's numbers.
const (
	Running  State = 0
	Starting State = 1
	Off      State = 2
	Expired  State = 3
)

// The codes of what the client finds out by itself; fault has a rule for each.
const (
	CodeNotInGeeLark = "not_in_geelark" // no phone bears the account's name
	CodeTwoOfAName   = "two_of_a_name"  // two bear it: nobody knows which one is meant
	CodeExpired      = "phone_expired"
	CodeInUse        = "phone_in_use" // it runs already, and not for us
	CodeStartTimeout = "start_timeout"
	CodeADBTimeout   = "adb_timeout"
	CodeFileType     = "unsupported_file"
	CodeUploadFailed = "upload_failed"
)

// Finding is a failure that the API did not name: the client saw it.
type Finding struct{ Code, Text string }

func (f *Finding) Error() string { return "geelark: " + f.Text }

// Evidence tells the finding to whoever judges it.
func (f *Finding) Evidence(step string) reel.Evidence {
	return reel.Evidence{Source: reel.SourceTool, Code: f.Code, Text: f.Error(), Step: step}
}

// number reads a code that is written as a number or as a text.
type number int

// UnmarshalJSON implements json.Unmarshaler.
func (n *number) UnmarshalJSON(data []byte) error {
	text := strings.Trim(string(data), `"`)
	if text == "" || text == "null" {
		return nil
	}
	i, err := strconv.Atoi(text)
	if err != nil {
		return fmt.Errorf("%.40q is no number", text)
	}
	*n = number(i)
	return nil
}

// word reads an id or a port that is written as a text or as a number, without losing a digit.
type word string

// UnmarshalJSON implements json.Unmarshaler.
func (w *word) UnmarshalJSON(data []byte) error {
	if len(data) > 0 && data[0] == '"' {
		var s string
		err := json.Unmarshal(data, &s)
		*w = word(s)
		return err
	}
	if s := string(data); s != "null" {
		*w = word(s)
	}
	return nil
}

const (
	pageSize = 100 // the most that the API gives
	maxPages = 200
)

// Find looks for the phone of an account: the one whose serial name is the account's, exactly. A *Finding where there is none, or
// more than one.
func (c *Client) Find(ctx context.Context, account string) (Phone, error) {
	type item struct {
		ID     word   `json:"id"`
		Name   string `json:"serialName"`
		Status number `json:"status"`
	}
	var found []Phone
	for page, seen := 1, 0; page <= maxPages; page++ {
		var list struct {
			Total number `json:"total"`
			Items []item `json:"items"`
		}
		err := c.call(ctx, "/open/v1/phone/list", map[string]any{"page": page, "pageSize": pageSize, "serialName": account}, &list)
		if err != nil {
			return Phone{}, err
		}
		for _, i := range list.Items { // the API may find names that only begin so
			if i.Name == account && !slices.ContainsFunc(found, func(p Phone) bool { return p.ID == string(i.ID) }) {
				found = append(found, Phone{ID: string(i.ID), Name: i.Name, State: State(i.Status)})
			}
		}
		if seen += len(list.Items); len(list.Items) < pageSize || seen >= int(list.Total) {
			break
		}
	}
	switch len(found) {
	case 0:
		return Phone{}, &Finding{CodeNotInGeeLark, fmt.Sprintf("no phone is named %s", account)}
	case 1:
		return found[0], nil
	}
	return Phone{}, &Finding{CodeTwoOfAName, fmt.Sprintf("%d phones are named %s", len(found), account)}
}

// many is the answer of a call about several phones.
type many struct {
	Done []struct {
		ID     word   `json:"id"`
		Status number `json:"status"`
	} `json:"successDetails"`
	Failed []struct {
		ID   word   `json:"id"`
		Code number `json:"code"`
		Msg  string `json:"msg"`
	} `json:"failDetails"`
}

// one asks something about one phone. The answer's own code may be 0 though the phone failed.
func (c *Client) one(ctx context.Context, path, id string) (status State, err error) {
	var m many
	if err := c.call(ctx, path, map[string]any{"ids": []string{id}}, &m); err != nil {
		return 0, err
	}
	for _, f := range m.Failed {
		if string(f.ID) == id || f.ID == "" {
			return 0, &Failure{Endpoint: path, Code: int(f.Code), Msg: f.Msg, Item: true}
		}
	}
	for _, d := range m.Done {
		if string(d.ID) == id {
			return State(d.Status), nil
		}
	}
	return 0, &Failure{Endpoint: path, Msg: "the answer does not speak of the phone", Item: true}
}

// State asks what a phone does.
func (c *Client) State(ctx context.Context, id string) (State, error) {
	return c.one(ctx, "/open/v1/phone/status", id)
}

// How long a phone may take, and how often it is asked. Boots take from 12 s to two minutes; one was seen that never ended.
const (
	startEvery = 3 * time.Second
	startMost  = 10 * time.Minute
	offMost    = time.Minute // a phone that is to start and is off for so long was stopped by somebody
	stopMost   = time.Minute
)

// Start turns a phone on and waits until it runs. It must be off: one that runs is used by somebody else, and is left alone.
func (c *Client) Start(ctx context.Context, id string) error {
	state, err := c.State(ctx, id)
	if err != nil {
		return err
	}
	switch state {
	case Off:
	case Expired:
		return &Finding{CodeExpired, "the phone's time is used up"}
	case Running, Starting:
		return &Finding{CodeInUse, "the phone runs already: somebody else uses it, or an earlier run did not stop it"}
	}
	if _, err := c.one(ctx, "/open/v1/phone/start", id); err != nil {
		return err
	}
	begun := c.cfg.Clock()
	state, err = c.await(ctx, id, startMost, func(s State) bool {
		return s == Running || s == Expired || s == Off && c.cfg.Clock().Sub(begun) > offMost
	})
	switch {
	case errors.Is(err, errTooLong):
		return &Finding{CodeStartTimeout, fmt.Sprintf("the phone did not start within %s", startMost)}
	case err == nil && state == Off:
		return &Finding{CodeStartTimeout, "the phone is off again: somebody stopped it while it started"}
	case err == nil && state == Expired:
		return &Finding{CodeExpired, "the phone's time is used up"}
	}
	return err
}

// Stop turns a phone off and waits until it is. One that is off already, or is gone, is no failure.
func (c *Client) Stop(ctx context.Context, id string) error {
	_, err := c.one(ctx, "/open/v1/phone/stop", id)
	if is(err, codeGone, codeNotRunning) {
		return nil
	}
	if err != nil && !is(err, codeBusy, codeControlled) {
		return err
	}
	busy := err
	state, err := c.await(ctx, id, stopMost, func(s State) bool { return s == Off || s == Expired })
	switch {
	case is(err, codeGone):
		return nil
	case errors.Is(err, errTooLong) && busy != nil:
		return busy
	case errors.Is(err, errTooLong):
		return &Failure{Endpoint: "/open/v1/phone/stop", Msg: fmt.Sprintf("the phone is still in state %d", state), Item: true}
	}
	return err
}

var errTooLong = errors.New("it takes too long")

// await asks for a phone's state until it is as wanted; errTooLong where it is not in time.
func (c *Client) await(ctx context.Context, id string, most time.Duration, wanted func(State) bool) (State, error) {
	for until := c.cfg.Clock().Add(most); ; {
		s, err := c.State(ctx, id)
		if err != nil || wanted(s) {
			return s, err
		}
		if c.cfg.Clock().After(until) {
			return s, errTooLong
		}
		if err := c.cfg.Pause(ctx, startEvery); err != nil {
			return s, c.failed("/open/v1/phone/status", err)
		}
	}
}

// Check says whether the credential is good.
func (c *Client) Check(ctx context.Context) error {
	return c.call(ctx, "/open/v1/auth/status", struct{}{}, nil)
}
