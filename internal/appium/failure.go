package appium

import (
	"errors"
	"strings"

	"reelpass/internal/reel"
)

// Failure says that Appium, its driver or the phone behind it did not do what it was asked.
type Failure struct {
	Call string // what was asked, as "GET /source"
	W3C  string // the error's name in the protocol: tells little, since nearly all that goes wrong is "unknown error"
	Text string // the message: all that tells
	Code string // one of the codes below, or empty
	Err  error  // where there was no answer
}

// The codes of what Appium does not say by itself; fault has a rule for each.
const (
	CodeMissing = "appium_missing"
	CodeStart   = "appium_start"
	CodeSilent  = "appium_silent"  // a call was not answered in time
	CodeSession = "appium_session" // the session is lost for ever
)

func (f *Failure) Error() string {
	text := f.Text
	if text == "" && f.Err != nil {
		text = f.Err.Error()
	}
	if f.W3C != "" && f.W3C != "unknown error" {
		text = f.W3C + ": " + text
	}
	return "appium " + f.Call + ": " + text
}

// Unwrap gives the error on the way.
func (f *Failure) Unwrap() error { return f.Err }

// Evidence tells the failure to whoever judges it.
func (f *Failure) Evidence(step string) reel.Evidence {
	return reel.Evidence{Source: reel.SourceTool, Code: f.Code, Text: f.Error(), Step: step}
}

// lost are the messages after which a session never works again (what the driver prints, word for word).
var lost = []string{
	"instrumentation process is not running",
	"cannot be proxied to UiAutomator2 server",
	"A session is either terminated or not started",
	"socket hang up",
	"ECONNREFUSED",
	"The session identified by",
}

// Lost says that an error means the end of its session: the phone must be made ready again, and another session begun.
func Lost(err error) bool {
	var f *Failure
	if !errors.As(err, &f) {
		return false
	}
	if f.Code == CodeSession || f.Code == CodeSilent || f.W3C == "invalid session id" || f.Err != nil {
		return true
	}
	for _, text := range lost {
		if strings.Contains(f.Text, text) {
			return true
		}
	}
	return false
}
