package geelark

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Failure says that the API did not do what it was asked. It holds no credential.
type Failure struct {
	Endpoint string
	Code     int    // the vendor's, of the answer or of the one phone it was about; 0 where there was none
	Msg      string // the vendor's; in any language
	HTTP     int    // status, where the answer had no code
	Item     bool   // Code was about the one phone, not about the call
	Err      error  // where there was no answer
}

func (f *Failure) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "geelark %s: ", strings.TrimPrefix(f.Endpoint, "/open/v1"))
	switch {
	case f.Err != nil:
		b.WriteString(f.Err.Error())
	case f.Code != 0:
		fmt.Fprintf(&b, "code %d", f.Code)
	case f.HTTP != 0:
		fmt.Fprintf(&b, "HTTP %d", f.HTTP)
	}
	if f.Msg != "" {
		b.WriteString(": " + f.Msg)
	}
	return strings.Replace(b.String(), ": : ", ": ", 1)
}

// Unwrap gives the error on the way.
func (f *Failure) Unwrap() error { return f.Err }

// Evidence tells the failure to whoever judges it. What concerns the whole credential, and not this phone, holds the publisher.
func (f *Failure) Evidence(step string) reel.Evidence {
	e := reel.Evidence{Source: reel.SourceHTTP, Text: f.Error(), Step: step}
	switch {
	case f.Code != 0:
		e.Code = "geelark:" + strconv.Itoa(f.Code)
	case f.HTTP != 0:
		e.Code = strconv.Itoa(f.HTTP)
	}
	var timeout net.Error
	if f.Err != nil {
		e.Source = reel.SourceTool
		if errors.Is(f.Err, context.DeadlineExceeded) || errors.As(f.Err, &timeout) && timeout.Timeout() {
			e.Text = fmt.Sprintf("geelark %s: timed out", f.Endpoint)
		}
	}
	switch wait := closesFor(f.Code); {
	case f.Item:
	case wait > 0:
		e.RetryAfter, e.Holds = wait.String(), reel.HoldsPublisher
	case f.stopsAll():
		e.RetryAfter, e.Holds = untilAPerson.String(), reel.HoldsPublisher
	}
	return e
}

// untilAPerson is longer than a run waits for anything: it ends and says why, and the next one tries at once.
const untilAPerson = 24 * time.Hour

// stopsAll says that no job of this credential can succeed before a person has done something: a wrong token, no money, a plan that
// does not allow it, an address that is not on the list.
func (f *Failure) stopsAll() bool {
	switch f.Code {
	case codeToken, 40011, 40013, 40015, 40016, 41000, 41001, 43002, 46001, 46002, 46003:
		return true
	}
	return f.HTTP == 401 || f.HTTP == 403
}

// is says that an error is a failure with one of the codes.
func is(err error, codes ...int) bool {
	var f *Failure
	if !errors.As(err, &f) {
		return false
	}
	for _, c := range codes {
		if f.Code == c {
			return true
		}
	}
	return false
}
