package schedule_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/schedule"
)

// book is a ledger of appointments in memory. What the real ones promise of it is held by their suite (ledgertest).
type book struct {
	mu    sync.Mutex
	duty  reel.Duty
	all   []reel.Appointment
	fails int    // so many calls
	mute  string // an owner that gives no more sign of life
}

func (b *book) gone() error {
	if b.fails > 0 {
		b.fails--
		return errors.New("the server is away")
	}
	return nil
}

func (b *book) TakeDuty(_ context.Context, d reel.Duty) (reel.Duty, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := b.gone(); err != nil {
		return d, err
	}
	if d.Owner == b.mute || b.duty.Owner != "" && b.duty.Owner != d.Owner && b.duty.Until.After(time.Now()) {
		return b.duty, reel.ErrTaken
	}
	d.Until = time.Now().Add(reel.DutyTTL)
	b.duty = d
	return d, nil
}

func (b *book) LeaveDuty(_ context.Context, d reel.Duty) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.duty.Owner == d.Owner {
		b.duty = reel.Duty{}
	}
	return nil
}

func (b *book) Appoint(_ context.Context, d reel.Duty, a reel.Appointment, _ int) (bool, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.duty.Owner != d.Owner {
		return false, reel.ErrLost
	}
	if slices.ContainsFunc(b.all, func(o reel.Appointment) bool { return o.Plan == a.Plan && o.At.Equal(a.At) }) {
		return false, nil
	}
	b.all = append(b.all, a)
	return true, b.gone()
}

func (b *book) EndAppointment(_ context.Context, d reel.Duty, a reel.Appointment) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.duty.Owner != d.Owner {
		return reel.ErrLost
	}
	for i := range b.all {
		if b.all[i].Plan == a.Plan && b.all[i].At.Equal(a.At) {
			b.all[i].State, b.all[i].Note = reel.AppointmentEnded, a.Note
		}
	}
	return nil
}

func (b *book) Appointments(context.Context) (list []reel.Appointment, err error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for i, a := range b.all {
		seen := a.State == reel.AppointmentSeen
		if a.State == reel.AppointmentOpen || !slices.ContainsFunc(b.all[i+1:], func(o reel.Appointment) bool {
			return o.Plan == a.Plan && seen == (o.State == reel.AppointmentSeen)
		}) {
			list = append(list, a)
		}
	}
	return list, nil
}

func (b *book) story() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	var s []string
	for _, a := range b.all {
		if a.State != reel.AppointmentSeen {
			s = append(s, strings.TrimSpace(fmt.Sprintf("%s %s %s", a.At.UTC().Format("02 15:04"), a.State, a.Note)))
		}
	}
	return strings.Join(s, ", ")
}

// stage is a keeper with its book, in the time of synctest, which begins at midnight UTC of 2000-01-01.
type stage struct {
	*book
	mu    sync.Mutex
	ran   []string
	said  []string
	jobs  int
	wrong error
	// how a run ends; nil: at once and well
	run func(ctx context.Context, n int) (string, bool)
}

// gonePID is a process that is dead.
const gonePID = 13

func (s *stage) keeper(owner string, plans ...schedule.Plan) *schedule.Keeper {
	return &schedule.Keeper{
		Ledger: s.book, Duty: reel.Duty{Name: reel.ScheduleDuty, Owner: owner, Who: owner},
		Plans: func() ([]schedule.Plan, error) { return plans, nil },
		Bring: func(context.Context, schedule.Plan, reel.Appointment) (int, error) { return s.jobs, s.wrong },
		Run: func(ctx context.Context, batch string) (string, bool) {
			s.mu.Lock()
			s.ran = append(s.ran, batch)
			n, run := len(s.ran), s.run
			s.mu.Unlock()
			if run == nil {
				return "exit code 0", true
			}
			return run(ctx, n)
		},
		Dead:  func(p reel.Process) bool { return p.PID == gonePID },
		Clock: time.Now,
		Say: func(text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.said = append(s.said, owner+": "+text)
		},
	}
}

// during lets a keeper work for a while.
func during(k *schedule.Keeper, d time.Duration) {
	ctx, cancel := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { k.Keep(ctx) })
	idle(d)
	cancel()
	wait.Wait()
}

// idle lets the time of synctest pass.
func idle(d time.Duration) { <-time.After(d) }

func at(times ...time.Duration) schedule.Plan {
	return schedule.Plan{Name: "p", At: times, Zone: time.UTC, Batch: "{plan}-{date}-{time}", Missed: schedule.Once}
}

func (s *stage) want(t *testing.T, story string, ran ...string) {
	t.Helper()
	if got := s.story(); got != story {
		t.Errorf("appointments: %s\nwant:         %s\n%s", got, story, strings.Join(s.said, "\n"))
	}
	if fmt.Sprint(s.ran) != fmt.Sprint(ran) {
		t.Errorf("ran %v, want %v", s.ran, ran)
	}
}

func play(t *testing.T, f func(t *testing.T, s *stage)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) { f(t, &stage{book: &book{}, jobs: 3}) })
}

func TestAppointmentsAreKept(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		during(s.keeper("a", at(9*time.Hour, 18*time.Hour)), 48*time.Hour)
		s.want(t, "01 09:00 ended exit code 0, 01 18:00 ended exit code 0, 02 09:00 ended exit code 0, 02 18:00 ended exit code 0",
			"p-2000-01-01-0900", "p-2000-01-01-1800", "p-2000-01-02-0900", "p-2000-01-02-1800")
	})
}

func TestWhatIsNewHasMissedNothing(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		idle(10 * time.Hour)
		during(s.keeper("a", at(9*time.Hour)), time.Hour)
		s.want(t, "")
	})
}

// Whoever writes a time of this morning into a plan at noon does not want its posts now.
func TestATimeThatIsNewHasMissedNothing(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		during(s.keeper("a", at(9*time.Hour)), 10*time.Hour)
		idle(2 * time.Hour) // nobody keeps it
		during(s.keeper("b", at(9*time.Hour, 11*time.Hour)), time.Hour)
		s.want(t, "01 09:00 ended exit code 0", "p-2000-01-01-0900")
		during(s.keeper("b", at(9*time.Hour, 11*time.Hour)), 21*time.Hour)
		s.want(t, "01 09:00 ended exit code 0, 02 09:00 ended exit code 0", "p-2000-01-01-0900", "p-2000-01-02-0900")
	})
}

func TestMissedAppointments(t *testing.T) {
	for missed, c := range map[schedule.Missed]struct{ story, ran string }{
		schedule.Once: {"01 09:00 ended exit code 0, 03 18:00 ended exit code 0", "[p-2000-01-01-0900 p-2000-01-03-1800]"},
		schedule.Skip: {"01 09:00 ended exit code 0, 03 18:00 missed 5 missed", "[p-2000-01-01-0900]"},
	} {
		play(t, func(t *testing.T, s *stage) {
			p := at(9*time.Hour, 18*time.Hour)
			p.Missed = missed
			during(s.keeper("a", p), 12*time.Hour)
			idle(56 * time.Hour) // until the third at 20:00
			during(s.keeper("b", p), time.Hour)
			if got := s.story(); got != c.story || fmt.Sprint(s.ran) != c.ran {
				t.Errorf("%s: %s, ran %v", missed, got, s.ran)
			}
		})
	}
}

// One that dies is replaced, and what it left open is gone on with, once its lease is over.
func TestTheNextKeeperGoesOn(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		p := at(time.Hour)
		dead := s.keeper("dead", p)
		gone := make(chan struct{})
		s.run = func(context.Context, int) (string, bool) { <-gone; return "killed", false } // its process
		ctx, cancel := context.WithCancel(context.Background())
		var wait sync.WaitGroup
		wait.Go(func() { dead.Keep(ctx) })
		idle(time.Hour + time.Second)
		s.mu.Lock()
		s.run = nil
		s.mu.Unlock()
		next := s.keeper("next", p)
		wait.Go(func() { next.Keep(ctx) })
		idle(time.Minute)
		s.want(t, "01 01:00 open", "p-2000-01-01-0100") // the first is alive
		if !slices.Contains(s.said, "next: dead keeps the schedule: waiting until it is gone") {
			t.Errorf("%q", s.said)
		}
		s.book.mu.Lock()
		s.duty.Until, s.mute = time.Now(), "dead" // as if it gave no more sign of life
		s.book.mu.Unlock()
		idle(time.Minute)
		s.want(t, "01 01:00 ended exit code 0", "p-2000-01-01-0100", "p-2000-01-01-0100")
		close(gone)
		cancel()
		wait.Wait()
	})
}

// One of this machine that is dead is not waited for.
func TestADeadKeeperIsReplacedAtOnce(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.duty = reel.Duty{Name: reel.ScheduleDuty, Owner: "dead", Process: reel.Process{PID: gonePID}, Until: time.Now().Add(time.Hour)}
		during(s.keeper("next", at(time.Minute)), 2*time.Minute)
		s.want(t, "01 00:01 ended exit code 0", "p-2000-01-01-0001")
	})
}

// Of two appointments that are to be filled at once, the second sees what the first took.
func TestOneBatchIsFilledAtATime(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		p, q := at(time.Hour), at(time.Hour)
		q.Name = "q"
		k := s.keeper("a", p, q)
		filling := 0
		k.Bring = func(context.Context, schedule.Plan, reel.Appointment) (int, error) {
			if filling++; filling > 1 {
				t.Error("two at a time")
			}
			idle(time.Second)
			filling--
			return 1, nil
		}
		during(k, 2*time.Hour)
		if len(s.ran) != 2 {
			t.Errorf("ran %v", s.ran)
		}
	})
}

func TestARunThatDidNotEndIsRunAgain(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.run = func(_ context.Context, n int) (string, bool) { return fmt.Sprint("try ", n), n == 3 }
		began := time.Now()
		during(s.keeper("a", at(time.Hour)), time.Hour+2*schedule.Again+time.Second)
		s.want(t, "01 01:00 ended try 3", "p-2000-01-01-0100", "p-2000-01-01-0100", "p-2000-01-01-0100")
		if time.Since(began) > 2*time.Hour {
			t.Error("too late")
		}
	})
}

func TestNothingToPostAndAFileThatCannotBeRead(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.jobs = 0
		during(s.keeper("a", at(time.Hour)), 2*time.Hour)
		s.want(t, "01 01:00 ended nothing to post")
	})
	play(t, func(t *testing.T, s *stage) {
		s.wrong = errors.New("posts.csv: line 3: no account")
		during(s.keeper("a", at(time.Hour)), time.Hour+10*time.Minute)
		s.want(t, "01 01:00 open")
		if n := len(slices.DeleteFunc(s.said, func(text string) bool { return !strings.Contains(text, "line 3") })); n != 1 {
			t.Errorf("said %d times", n)
		}
		s.wrong = nil // somebody mended it
		during(s.keeper("a", at(time.Hour)), time.Minute)
		s.want(t, "01 01:00 ended exit code 0", "p-2000-01-01-0100")
	})
}

func TestAServerThatIsAwayIsWaitedFor(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.fails = 5
		during(s.keeper("a", at(time.Hour)), 2*time.Hour)
		s.want(t, "01 01:00 ended exit code 0", "p-2000-01-01-0100")
	})
}

func TestAStopWaitsForWhatRuns(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.run = func(ctx context.Context, _ int) (string, bool) {
			<-ctx.Done()
			idle(time.Minute) // running posts finish
			return "interrupted", false
		}
		began := time.Now()
		during(s.keeper("a", at(time.Hour)), 2*time.Hour)
		s.want(t, "01 01:00 open", "p-2000-01-01-0100")
		if took := time.Since(began); took < 2*time.Hour+time.Minute {
			t.Errorf("it did not wait: %s", took)
		}
		if s.duty.Owner != "" {
			t.Error("the duty was not given up")
		}
	})
}

func TestAPlanThatIsGoneBringsNothingMore(t *testing.T) {
	play(t, func(t *testing.T, s *stage) {
		s.run = func(context.Context, int) (string, bool) { return "exit code 1", false }
		during(s.keeper("a", at(time.Hour)), time.Hour+time.Second)
		s.run, s.wrong = nil, errors.New("it was asked for more")
		during(s.keeper("a"), 2*time.Minute)
		s.want(t, "01 01:00 ended exit code 0", "p-2000-01-01-0100", "p-2000-01-01-0100")
	})
}
