package worker

import (
	"crypto/rand"
	"errors"
	"os"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// EnvMark is the environment variable that every child carries. Children of children inherit it, also those that leave
// the process group, so that KillMarked finds them when the supervisor that started them is dead.
const EnvMark = "REELPASS_MARK"

// OwnMark is a mark for one process and what it starts, under the mark of its supervisor: KillMarked finds them by either.
func OwnMark(supervisor string) string {
	if supervisor == "" {
		return ""
	}
	return supervisor + "/" + rand.Text()
}

// ErrElsewhere says that a process belongs to another machine, boot or container: nothing can be said of it from here.
var ErrElsewhere = errors.New("process is not of this host")

// ErrStillAlive says that killed processes did not go in time.
var ErrStillAlive = errors.New("killed processes are still there")

// Self identifies the calling process. It fails where the system does not show start times (everywhere but Linux).
func Self() (reel.Process, error) { return Identify(os.Getpid()) }

// Identify identifies a running process of this host by its pid. It fails with reel.ErrNotFound when there is none.
func Identify(pid int) (reel.Process, error) {
	started, err := startTime(pid)
	if err != nil {
		return reel.Process{}, err
	}
	return reel.Process{Host: Host(), PID: pid, Started: started}, nil
}

// Here says that a process is, or was, one of this host as this program sees it.
func Here(p reel.Process) bool { return sameHost(p.Host, Host()) }

// OtherBoot says that a process is of another start of this machine, or of another machine.
func OtherBoot(p reel.Process) bool { return otherBoot(p.Host, Host()) }

func otherBoot(a, b string) bool {
	_, a, okA := strings.Cut(a, "/")
	_, b, okB := strings.Cut(b, "/")
	a, _, _ = strings.Cut(a, "/")
	b, _, _ = strings.Cut(b, "/")
	return okA && okB && a != b && a != "?" && b != "?" && a != "" && b != ""
}

// sameHost compares two hosts without their names: a machine may be renamed while it runs, and boot and pid namespace
// say already which pids are meant.
func sameHost(a, b string) bool {
	if a == b {
		return true
	}
	_, a, okA := strings.Cut(a, "/")
	_, b, okB := strings.Cut(b, "/")
	return okA && okB && a == b && !strings.HasPrefix(a, "?")
}

// Environment is an environment for a child: base, then additions, where later ones replace earlier ones of the same
// name. A name that ends in "*" with no "=" removes all that begin so; one without "=" removes that variable.
func Environment(base []string, additions ...string) []string {
	place := make(map[string]int, len(base)+len(additions))
	out := make([]string, 0, len(base)+len(additions))
	add := func(kv string) {
		name, _, ok := strings.Cut(kv, "=")
		if !ok || name == "" {
			return
		}
		if i, seen := place[name]; seen {
			out[i] = kv
			return
		}
		place[name] = len(out)
		out = append(out, kv)
	}
	for _, kv := range base {
		add(kv)
	}
	for _, kv := range additions {
		if strings.Contains(kv, "=") {
			add(kv)
			continue
		}
		for name, i := range place {
			if prefix, wild := strings.CutSuffix(kv, "*"); name == kv || wild && strings.HasPrefix(name, prefix) {
				out[i] = ""
				delete(place, name)
			}
		}
	}
	kept := out[:0]
	for _, kv := range out {
		if kv != "" {
			kept = append(kept, kv)
		}
	}
	return kept
}

// poll waits in growing steps from 1 ms to 50 ms, up to a bound.
type poll struct {
	step  time.Duration
	until time.Time
}

func newPoll(bound time.Duration) *poll {
	return &poll{step: time.Millisecond, until: time.Now().Add(bound)}
}

// again waits one step, and says whether there is time for another look.
func (p *poll) again() bool {
	if time.Now().After(p.until) {
		return false
	}
	<-time.After(p.step)
	p.step = min(2*p.step, 50*time.Millisecond)
	return true
}
