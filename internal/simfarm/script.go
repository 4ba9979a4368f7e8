package simfarm

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"time"

	"github.com/goccy/go-yaml"

	"reelpass/internal/simgram"
)

// Script says what happens to accounts and their phones, in order.
type Script struct{ accounts map[string]account }

type account struct {
	Language string
	Posts    int
	Runs     []Run
}

// everybody is the account that stands for all others.
const everybody = "*"

// ReadScript reads a script: YAML as docs/simulate.md shows. An error names the line.
func ReadScript(r io.Reader) (_ *Script, err error) {
	defer func() { // the YAML library panics on some malformed input
		if recover() != nil {
			err = errors.New("scenario: not readable as YAML")
		}
	}()
	data, err := io.ReadAll(io.LimitReader(r, 1<<20))
	if err != nil {
		return nil, err
	}
	var f struct {
		Accounts map[string]struct {
			Language string
			Posts    int
			Runs     []struct {
				Harms []struct {
					Kind, When string
					After      string
				}
				App struct {
					Trouble    simgram.Trouble
					AfterShare simgram.Trouble `yaml:"after_share"`
					Popups     []string
					Stale      bool
					CannotPost bool `yaml:"cannot_post"`
					Story      bool
					LongVideo  bool `yaml:"long_video"`
					Fails      bool
					Silent     bool
					Crash      bool
					Hidden     bool
				}
			}
		}
	}
	if err := yaml.UnmarshalWithOptions(data, &f, yaml.Strict()); err != nil {
		return nil, fmt.Errorf("scenario: %s", yaml.FormatError(err, false, false))
	}
	s := &Script{accounts: map[string]account{}}
	for name, a := range f.Accounts {
		one := account{Language: a.Language, Posts: a.Posts}
		if a.Language != "" && !slices.Contains(simgram.Languages(), a.Language) {
			return nil, fmt.Errorf("scenario: account %s: the app speaks %v, not %q", name, simgram.Languages(), a.Language)
		}
		for i, r := range a.Runs {
			run := Run{App: simgram.Scenario(r.App)}
			for _, t := range []simgram.Trouble{run.App.Trouble, run.App.AfterShare} {
				if t != "" && !slices.Contains(simgram.Troubles(), t) {
					return nil, fmt.Errorf("scenario: account %s, run %d: there is no trouble %q", name, i+1, t)
				}
			}
			for _, p := range run.App.Popups {
				if !slices.Contains(simgram.Popups(), p) {
					return nil, fmt.Errorf("scenario: account %s, run %d: there is no popup %q", name, i+1, p)
				}
			}
			for _, h := range r.Harms {
				harm := Harm{Kind: h.Kind, When: h.When}
				if h.After != "" {
					if harm.After, err = time.ParseDuration(h.After); err != nil {
						return nil, fmt.Errorf("scenario: account %s, run %d: after: %q is no duration like 2s", name, i+1, h.After)
					}
				}
				if err := harm.Check(); err != nil {
					return nil, fmt.Errorf("scenario: account %s, run %d: %w", name, i+1, err)
				}
				run.Harms = append(run.Harms, harm)
			}
			one.Runs = append(one.Runs, run)
		}
		s.accounts[name] = one
	}
	return s, nil
}

// of is what the script says of an account.
func (s *Script) of(name string) account {
	if s == nil {
		return account{}
	}
	if a, ok := s.accounts[name]; ok {
		return a
	}
	return s.accounts[everybody]
}

// draw draws what happens from one start to the next, where faults are mixed: in about half of the runs something does. The lock is
// held, or the farm is not running yet.
func (f *Farm) draw() (r Run) {
	if f.chance.IntN(2) == 0 {
		return r
	}
	// What never answers costs a job its whole deadline, so that is drawn more seldom.
	usual := []string{
		"link_cut", "link_away", "logged_out", "slow", "connects_late", "disk_full", "server_dies", "server_cut", "server_refuses", "stopped",
		"no_room", "in_use", "start_fails", "too_many_calls", "adb_closed", "upload_fails",
	}
	seldom := []string{"link_down", "frozen", "frozen_a_while", "server_hangs", "server_lame"}
	kind := usual[f.chance.IntN(len(usual))]
	if f.chance.IntN(8) == 0 {
		kind = seldom[f.chance.IntN(len(seldom))]
	}
	when := []string{AtStart, BeforeShare, AfterShare}[f.chance.IntN(3)]
	if kind == "disk_full" || kind == "server_lame" || kind == "connects_late" || kind == "upload_fails" {
		when = AtStart // later it has no effect
	}
	if k, _ := kindOf(kind); k.Vendor {
		when = ""
	}
	r.Harms = []Harm{{Kind: kind, When: when, After: time.Duration(f.chance.IntN(1500)) * time.Millisecond}}
	return r
}

// Once is a script in which a run happens to one account, and then all goes well.
func Once(name string, r Run) *Script {
	return &Script{accounts: map[string]account{name: {Runs: []Run{r}}}}
}
