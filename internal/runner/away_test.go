package runner_test

import (
	"context"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
)

func TestADoubtOfAnotherHostIsLeftToIt(t *testing.T) {
	for name, away := range map[string]bool{
		"here": false, "elsewhere": true, "here, shared": false, "elsewhere, shared": true,
		"before":         false, // this machine was started again: its power was cut
		"before, shared": true,
	} {
		host, _, shared := strings.Cut(name, ",")
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				start := time.Now()
				s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, finished: make(chan struct{})}
				s.held = func() []reel.Held {
					if len(s.endings) > 0 {
						return nil
					}
					return []reel.Held{{
						Claim: reel.Claim{Lease: reel.Lease{Key: 5, Fence: 2}, Pass: 1, Attempt: 1, Limits: reel.DefaultLimits()}, State: reel.Publishing, Until: start,
						Supervisor: reel.Supervisor{ID: "other", Process: reel.Process{Host: host, PID: 9}},
					}}
				}
				time.AfterFunc(time.Minute, func() { close(s.finished) })
				r := s.runner(stuck{}, grave{s: s, lives: true})
				r.Look, r.Shared = true, shared
				if _, err := r.Lead(context.Background()); err != nil {
					t.Fatal(err)
				}
				if len(s.endings) != 1 || s.endings[0].Away != away || s.endings[0].Look == away {
					t.Errorf("%+v", s.endings)
				}
			})
		})
	}
}

func TestWhatThisHostLeftInDoubtIsBuried(t *testing.T) {
	for name, c := range map[string]struct {
		host  string
		lives bool
		want  []string
	}{
		"its supervisor is dead":   {"here", false, []string{"kill workers", "bury"}},
		"its supervisor lives":     {"here", true, nil},
		"it is of a third machine": {"elsewhere", false, nil},
	} {
		for _, how := range []string{"lead", "lend"} {
			t.Run(name+", "+how, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					s := &shelf{renew: func() ([]reel.Lease, error) { return nil, nil }, finished: make(chan struct{})}
					s.held = func() []reel.Held {
						if slices.Contains(s.log, "bury") {
							return nil
						}
						return []reel.Held{{
							Claim: reel.Claim{Lease: reel.Lease{Key: 5, Fence: 2}, Attempt: 1}, State: reel.InDoubt, Away: true,
							Supervisor: reel.Supervisor{ID: "other", Process: reel.Process{Host: c.host, PID: 9}},
						}}
					}
					time.AfterFunc(time.Minute, func() { close(s.finished) })
					r := s.runner(stuck{}, grave{s: s, lives: c.lives})
					var err error
					if how == "lead" {
						_, err = r.Lead(context.Background())
					} else {
						err = r.Lend(context.Background(), func(context.Context) (bool, error) { return true, nil })
					}
					if err != nil || !slices.Equal(s.log, c.want) {
						t.Errorf("%q (%v), want %q", s.log, err, c.want)
					}
				})
			})
		}
	}
}
