package notify

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/nicholas-fedor/shoutrrr/pkg/router" // some thirty chat, mail and push services behind one call
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// Services lists the services that a target may name.
func Services() []string {
	names := slices.DeleteFunc(new(router.ServiceRouter).ListServices(), func(n string) bool { return n == "logger" }) // it reaches nobody
	slices.Sort(names)
	return names
}

// What is wrong with a service's address.
var (
	errNoService = errors.New("names no service that is known")
	errService   = errors.New("is not an address as its service wants it")
	errHanging   = errors.New("the message before is still under way")
	errPanicked  = errors.New("the service's client failed")
)

// service is one of shoutrrr's. Its calls know no context: one that hangs is left behind, and no other is made before it has ended.
type service struct {
	name    string
	url     string
	sender  types.Service // nil: it is made at each message
	turn    chan struct{} // holds one while a call goes on
	running sync.WaitGroup
}

func newService(scheme, text string) (*service, error) {
	name, _, _ := strings.Cut(strings.ToLower(scheme), "+")
	if !slices.Contains(Services(), name) {
		return nil, errNoService
	}
	s := &service{name: name, url: text, turn: make(chan struct{}, 1)}
	if name == "matrix" { // it signs in when it is made, and a parser asks nobody
		return s, nil
	}
	var err error
	if s.sender, err = locate(text); err != nil {
		return nil, errService // err may quote it
	}
	return s, nil
}

// locate makes a service's client. It outlives whatever an odd address does to the library.
func locate(text string) (s types.Service, err error) {
	defer func() {
		if recover() != nil {
			s, err = nil, errPanicked
		}
	}()
	return new(router.ServiceRouter).Locate(text)
}

// titled are the services that show a title by itself, above a message or as a subject.
func titled() []string {
	return []string{"bark", "discord", "gotify", "join", "lark", "ntfy", "opsgenie", "pushbullet", "pushover", "slack", "smtp", "teams"}
}

// send hands the message to the service, and leaves the call behind when ctx is over.
func (s *service) send(ctx context.Context, m Message, missed int) error {
	select {
	case s.turn <- struct{}{}:
	default:
		return errHanging
	}
	text, params := m.Text, types.Params{}
	if missed > 0 {
		text += fmt.Sprintf("\n(messages before this one that did not arrive here: %d)", missed)
	}
	if slices.Contains(titled(), s.name) {
		params.SetTitle(calm(m.Title))
	} else {
		text = m.Title + "\n" + text
	}
	done := make(chan error, 1)
	s.running.Go(func() {
		defer func() { <-s.turn }()
		done <- s.call(calm(text), &params)
	})
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (s *service) call(text string, params *types.Params) (err error) {
	defer func() {
		if recover() != nil {
			err = errPanicked
		}
	}()
	sender := s.sender
	if sender == nil {
		if sender, err = locate(s.url); err != nil {
			return err
		}
	}
	return sender.Send(text, params)
}

// wait returns when no call goes on.
func (s *service) wait() { s.running.Wait() }

// calm takes the meaning from what chats would call everybody for: names and texts in a message come from outside.
func calm(text string) string {
	return strings.NewReplacer("@", "@\u200b", "<!", "<\u200b!", "<@", "<\u200b@").Replace(text)
}
