package workertest

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"reelpass/internal/reel"
	"reelpass/internal/worker"
)

// The jobs of the suite. The job's id says what the publisher does with it.
const (
	Posts      reel.JobID = "posts"       // asks for the go, posts
	Fails      reel.JobID = "fails"       // fails before the share with FailText
	FailsAfter reel.JobID = "fails-after" // asks for the go, then fails
	DiesBefore reel.JobID = "dies-before" // kills itself before the share
	DiesAfter  reel.JobID = "dies-after"  // posts, and kills itself before it can say so
	Hangs      reel.JobID = "hangs"       // never ends, and tells of no progress
	Crowds     reel.JobID = "crowds"      // like Hangs, after it has started other processes
	Plods      reel.JobID = "plods"       // posts, slowly, telling of its progress
	Panics     reel.JobID = "panics"
	Leaks      reel.JobID = "leaks"   // fails, and tells its secret to everybody
	Puzzles    reel.JobID = "puzzles" // posts; a look at it cannot tell
	Keeps      reel.JobID = "keeps"   // keeps a container and fails; posts what was kept before
)

// FailText is what a failing job says.
const FailText = "adb: device offline"

// The environment of the suite's processes.
const (
	envRole   = "WORKERTEST_ROLE"
	envWorld  = "WORKERTEST_WORLD"  // file with a line for each effect
	envSocket = "WORKERTEST_SOCKET" // where processes tell their pid
	envSecret = "WORKERTEST_SECRET"
)

// The roles a test binary can be started in.
const (
	RoleServe = "serve" // speaks the protocol
	RolePlain = "plain" // a plain program for the exit protocol
	RoleFind  = "find"  // its find program
	roleStay  = "stay"  // tells its pid and stays
)

// Main is for TestMain: it plays the role that the environment names, or runs the tests.
func Main(m *testing.M) {
	switch role := os.Getenv(envRole); role {
	case "":
		os.Exit(m.Run())
	case RoleServe:
		if err := worker.Serve(context.Background(), os.Stdin, os.Stdout, publisher{}); err != nil {
			fmt.Fprintln(os.Stderr, "serve:", err)
			os.Exit(1)
		}
	case RolePlain:
		os.Exit(plain())
	case RoleFind:
		os.Exit(find())
	case roleStay:
		stay()
	default:
		fmt.Fprintln(os.Stderr, "no such role:", role)
		os.Exit(2)
	}
	os.Exit(0)
}

// publisher behaves as the job's id says.
type publisher struct{}

func (publisher) Publish(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	failure := reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: FailText, Step: "upload"}}
	d.Step("begin")
	switch a.JobID {
	case Fails:
		return failure
	case DiesBefore:
		die()
	case Hangs:
		<-ctx.Done()
	case Crowds:
		crowd()
		<-ctx.Done()
	case Panics:
		panic("at the disco")
	case Leaks:
		secret := os.Getenv(envSecret)
		fmt.Fprintf(os.Stderr, "stderr has %s in it\n", secret)
		fmt.Printf("stdout has %s in it\n", secret)
		d.Step("step " + secret)
		failure.Evidence.Text, failure.Evidence.Note, failure.Evidence.Step = "text "+secret, "note "+secret, ""
		return failure
	case Keeps:
		return keeps(ctx, a, d)
	case Plods:
		for i := range 6 {
			<-time.After(plodStep)
			d.Step(fmt.Sprint("plod ", i))
		}
	}
	if !d.Share(ctx) {
		return failure
	}
	if a.JobID == FailsAfter {
		return failure
	}
	effect(a.JobID)
	if a.JobID == DiesAfter {
		die()
	}
	return reel.Report{Posted: true, Receipt: receipt(a.JobID)}
}

func keeps(ctx context.Context, a reel.Assignment, d reel.Desk) reel.Report {
	id := a.Kept["container"]
	if id == "" {
		said := "not kept"
		if d.Keep(ctx, "container", "17 of "+a.Account) {
			said = "kept"
		}
		return reel.Report{Evidence: reel.Evidence{Source: reel.SourceTool, Text: said}}
	}
	if !d.Share(ctx) || !d.Keep(ctx, "container", "") {
		return reel.Report{}
	}
	return reel.Report{Posted: true, Receipt: reel.Receipt{ID: id}}
}

func (publisher) Find(_ context.Context, a reel.Assignment, _ time.Time, _ reel.Desk) reel.Look {
	switch found := happened(a.JobID); {
	case a.JobID == Keeps:
		return reel.Look{Finding: reel.Found, Receipt: reel.Receipt{ID: a.Kept["container"]}}
	case a.JobID == Puzzles:
		return reel.Look{Finding: reel.Unsure, Why: "the page would not load"}
	case found:
		return reel.Look{Finding: reel.Found, Receipt: receipt(a.JobID)}
	}
	return reel.Look{Finding: reel.Absent}
}

// plain is the same as a program that only has its exit code.
func plain() int {
	job := reel.JobID(os.Getenv("REELPASS_JOB_ID"))
	if a := stdinJob(); a.JobID != job {
		fmt.Fprintf(os.Stderr, "stdin names job %q, the environment %q\n", a.JobID, job)
		return 99
	}
	switch job {
	case Fails:
		fmt.Fprintln(os.Stderr, FailText)
		return 75
	case DiesBefore:
		die()
	case Hangs:
		hang()
	case Crowds:
		crowd()
		hang()
	case Leaks:
		fmt.Fprintln(os.Stderr, "stderr has", os.Getenv(envSecret), "in it")
		return 1
	}
	effect(job)
	if job == DiesAfter {
		die()
	}
	line, _ := json.Marshal(receipt(job))
	fmt.Printf("done\n%s\n\n", line)
	return 0
}

func find() int {
	job := reel.JobID(os.Getenv("REELPASS_JOB_ID"))
	switch {
	case job == Puzzles || os.Getenv("REELPASS_SINCE") == "":
		fmt.Fprintln(os.Stderr, "the page would not load")
		return 2
	case happened(job):
		line, _ := json.Marshal(receipt(job))
		fmt.Printf("%s\n", line)
		return 0
	}
	return 1
}

func stdinJob() (a reel.Assignment) {
	line, _ := bufio.NewReader(os.Stdin).ReadBytes('\n')
	_ = json.Unmarshal(line, &a)
	return a
}

func receipt(job reel.JobID) reel.Receipt {
	return reel.Receipt{ID: "id-" + string(job), URL: "https://www.instagram.com/reel/" + string(job) + "/"}
}

func effect(job reel.JobID) {
	f, err := os.OpenFile(os.Getenv(envWorld), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		panic(err)
	}
	if _, err := fmt.Fprintln(f, job); err != nil {
		panic(err)
	}
	_ = f.Close()
}

func happened(job reel.JobID) bool { return Effects(os.Getenv(envWorld), job) > 0 }

// Effects counts a job's effects in a world: lines that are its id, or an object with it as job_id.
func Effects(world string, job reel.JobID) int {
	b, _ := os.ReadFile(world)
	n := 0
	for line := range strings.Lines(string(b)) {
		var object struct {
			JobID reel.JobID `json:"job_id"`
		}
		if strings.TrimSpace(line) == string(job) || json.Unmarshal([]byte(line), &object) == nil && object.JobID == job {
			n++
		}
	}
	return n
}

func die() {
	fmt.Fprintln(os.Stderr, "last words")
	_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
	hang()
}

// crowd starts a process in the own group and stays itself.
func crowd() {
	if err := Spawn(nil, false); err != nil {
		panic(err)
	}
	if err := hello(); err != nil {
		panic(err)
	}
}

// Spawn starts the running binary as a process that tells its pid to the socket and stays, in a session of its own where
// detached is true. Its output goes to the caller's.
func Spawn(env []string, detached bool) error {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(append(os.Environ(), env...), envRole+"="+roleStay)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: detached}
	return cmd.Start()
}

// hello tells the pid, and keeps the connection until the process ends.
func hello() error {
	c, err := net.Dial("unix", os.Getenv(envSocket))
	if err != nil {
		return err
	}
	if _, err := fmt.Fprintln(c, os.Getpid()); err != nil {
		return err
	}
	go func() { _, _ = io.Copy(io.Discard, c) }()
	return nil
}

func stay() {
	if hello() == nil {
		hang()
	}
}

// hang waits until it is killed. An empty select would do, but a program without cgo and other goroutines calls that a deadlock.
func hang() {
	r, _, err := os.Pipe()
	if err != nil {
		os.Exit(1)
	}
	_, _ = r.Read(make([]byte, 1))
}
