package runner_test

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
)

func TestADoubtOfAnotherHostIsLeftToIt(t *testing.T) {
	for host, away := range map[string]bool{"here": false, "elsewhere": true} {
		t.Run(host, func(t *testing.T) {
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
				r.Look = true
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
