// Command publisher plays the programs that reelpass runs in the torture test: one that is judged by how it exits, one that
// speaks the protocol, and one that looks whether a post is there. What each attempt does stands in script.json of the
// round's folder; each real effect is one line appended to world.jsonl.
package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"
)

type job struct {
	Type    string `json:"type"`
	ID      string `json:"job_id"`
	Account string `json:"account"`
	Attempt int    `json:"attempt"`
}

func main() {
	dir := os.Args[2]
	switch os.Args[1] {
	case "exit":
		plain(dir)
	case "jsonl":
		converse(dir)
	case "find":
		n, _ := strconv.Atoi(os.Getenv("REELPASS_ATTEMPT"))
		code, receipt := look(dir, job{ID: os.Getenv("REELPASS_JOB_ID"), Account: os.Getenv("REELPASS_ACCOUNT"), Attempt: n})
		if code == 3 { // an interpreter's crash also exits with 1, and has seen nothing
			fmt.Fprintln(os.Stderr, "Traceback (most recent call last):\n  nowhere\nKeyError: 'x'")
			code = 1
		}
		if code == 0 {
			fmt.Printf("{\"id\":%q}\n", receipt)
		}
		os.Exit(code)
	case "middle": // starts the grandchild and goes, so that nobody is its parent
		c := exec.Command(os.Args[0], append([]string{"grandchild"}, os.Args[2:]...)...)
		c.ExtraFiles = []*os.File{os.NewFile(3, "alive")}
		must(c.Start())
	case "grandchild":
		signal.Ignore(syscall.SIGHUP, syscall.SIGTERM, syscall.SIGINT)
		n, _ := strconv.Atoi(os.Args[5])
		ms, _ := strconv.Atoi(os.Args[6])
		wait(ms)
		effect(dir, job{ID: os.Args[3], Account: os.Args[4], Attempt: n})
	}
}

func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "the torture's publisher is broken:", err)
		os.Exit(99)
	}
}

// wait waits for milliseconds, or, where there are less than none, for the n-th word of the test: the file act-N.
func wait(ms int) {
	for ms < 0 {
		if _, err := os.Stat(filepath.Join(os.Args[2], "act"+strconv.Itoa(ms))); err == nil {
			return
		}
		time.Sleep(20 * time.Millisecond)
	}
	time.Sleep(time.Duration(ms) * time.Millisecond)
}

func die(s syscall.Signal) {
	_ = syscall.Kill(os.Getpid(), s)
	wait(1 << 20) // until it is killed
}

// effect is the irreversible step.
func effect(dir string, j job) string {
	receipt := fmt.Sprintf("%s-%d", j.ID, j.Attempt)
	line, err := json.Marshal(map[string]any{
		"job_id": j.ID, "account": j.Account, "attempt": j.Attempt, "receipt": receipt, "at": time.Now().UTC(), "pid": os.Getpid(),
	})
	must(err)
	f, err := os.OpenFile(filepath.Join(dir, "world.jsonl"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	must(err)
	_, err = f.Write(append(line, '\n'))
	must(err)
	must(f.Close())
	return receipt
}

// there looks for an effect of the job.
func there(dir string, j job) (receipt string, ok bool) {
	data, err := os.ReadFile(filepath.Join(dir, "world.jsonl"))
	if err != nil && !os.IsNotExist(err) {
		must(err)
	}
	for line := range bytes.Lines(data) {
		var e struct {
			ID      string `json:"job_id"`
			Receipt string `json:"receipt"`
		}
		must(json.Unmarshal(line, &e))
		if e.ID == j.ID {
			return e.Receipt, true
		}
	}
	return "", false
}

// look answers 0 found, 1 absent, 2 cannot tell, 3 crashed.
func look(dir string, j job) (code int, receipt string) {
	switch scripted(dir, "find "+j.ID, 1) {
	case "unsure":
		return 2, ""
	case "crash":
		return 3, ""
	}
	if receipt, ok := there(dir, j); ok {
		return 0, receipt
	}
	return 1, ""
}

// scripted is what an attempt does: kind, milliseconds before, milliseconds after.
func scripted(dir, id string, attempt int) string {
	data, err := os.ReadFile(filepath.Join(dir, "script.json"))
	must(err)
	var all map[string][]string
	must(json.Unmarshal(data, &all))
	list := all[id]
	if len(list) == 0 {
		return ""
	}
	return list[min(attempt, len(list))-1]
}

type step struct {
	kind          string
	before, after int
}

func parse(text string) step {
	s := step{kind: "ok"}
	_, _ = fmt.Sscan(text, &s.kind, &s.before, &s.after)
	return s
}

// delegate lets a process that left the group, the session and its parents make the effect later. alive ends when that
// process ends, however it does.
func delegate(dir string, j job, ms int) (alive *os.File) {
	r, w, err := os.Pipe()
	must(err)
	c := exec.Command(os.Args[0], "middle", dir, j.ID, j.Account, strconv.Itoa(j.Attempt), strconv.Itoa(ms))
	c.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	c.ExtraFiles = []*os.File{w}
	must(c.Run())
	must(w.Close())
	return r
}

// plain is a program that is judged by how it exits.
func plain(dir string) {
	n, _ := strconv.Atoi(os.Getenv("REELPASS_ATTEMPT"))
	j := job{ID: os.Getenv("REELPASS_JOB_ID"), Account: os.Getenv("REELPASS_ACCOUNT"), Attempt: n}
	s := parse(scripted(dir, j.ID, j.Attempt))
	code, isExit := strings.CutPrefix(s.kind, "exit:")
	post := func() {
		receipt := effect(dir, j)
		wait(s.after)
		fmt.Printf("{\"id\":%q}\n", receipt)
	}
	if s.kind == "stubborn" {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		wait(1 << 20) // until it is killed
	}
	if !strings.HasPrefix(s.kind, "helper") {
		wait(s.before)
	}
	switch {
	case s.kind == "ok":
		post()
	case isExit:
		fmt.Fprintln(os.Stderr, "something moved where nothing should")
		n, _ := strconv.Atoi(code)
		os.Exit(n)
	case s.kind == "die":
		die(syscall.SIGKILL)
	case s.kind == "died":
		post()
		die(syscall.SIGKILL)
	case s.kind == "terminated":
		post()
		die(syscall.SIGTERM)
	case s.kind == "shell":
		post()
		os.Exit(137)
	case s.kind == "helper":
		_, _ = io.ReadAll(delegate(dir, j, s.before))
		receipt, ok := there(dir, j)
		if !ok {
			os.Exit(75)
		}
		wait(s.after)
		fmt.Printf("{\"id\":%q}\n", receipt)
	case s.kind == "helper-die":
		delegate(dir, j, s.before)
		die(syscall.SIGKILL)
	case s.kind == "helper-exit":
		delegate(dir, j, s.before)
		os.Exit(75)
	default:
		must(fmt.Errorf("no kind %q", s.kind))
	}
}

// converse is a program that speaks the protocol.
func converse(dir string) {
	in := bufio.NewScanner(os.Stdin)
	say := func(m map[string]any) {
		line, err := json.Marshal(m)
		must(err)
		if _, err := os.Stdout.Write(append(line, '\n')); err != nil {
			os.Exit(0) // nobody listens
		}
	}
	for in.Scan() {
		var j job
		must(json.Unmarshal(in.Bytes(), &j))
		switch j.Type {
		case "find":
			code, receipt := look(dir, j)
			say([]map[string]any{
				{"type": "found", "receipt": map[string]any{"id": receipt}}, {"type": "absent"}, {"type": "unsure"}, {"type": "unsure"},
			}[code])
		case "job":
			if !execute(dir, j, in, say) {
				return
			}
		}
	}
}

// execute carries one job out; false means that the process ends between two jobs, as programs may.
func execute(dir string, j job, in *bufio.Scanner, say func(map[string]any)) bool {
	s := parse(scripted(dir, j.ID, j.Attempt))
	failed := func(text string) {
		say(map[string]any{"type": "failed", "evidence": map[string]any{"source": "tool", "text": text}})
	}
	allowed := func() bool {
		say(map[string]any{"type": "share"})
		for in.Scan() {
			var m job
			must(json.Unmarshal(in.Bytes(), &m))
			if m.Type == "go" || m.Type == "stop" {
				return m.Type == "go"
			}
		}
		os.Exit(0) // the supervisor is gone
		return false
	}
	posted := func() {
		receipt := effect(dir, j)
		wait(s.after)
		say(map[string]any{"type": "posted", "receipt": map[string]any{"id": receipt}})
	}
	say(map[string]any{"type": "step", "name": "begin"})
	text, fails := strings.CutPrefix(s.kind, "fail:")
	if s.kind == "stubborn" {
		signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
		wait(1 << 20) // until it is killed
	}
	if !strings.HasPrefix(s.kind, "helper") {
		wait(s.before)
	}
	switch {
	case fails:
		failed(strings.ReplaceAll(text, "_", " "))
		return true
	case s.kind == "die":
		die(syscall.SIGKILL)
	case s.kind == "rogue":
		posted()
		return true
	}
	if !allowed() {
		if s.kind == "deaf" { // it does not share, and does not go either
			signal.Ignore(syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP)
			wait(1 << 20) // until it is killed
		}
		failed("told to stop")
		return true
	}
	switch s.kind {
	case "ok", "deaf":
		posted()
	case "noise":
		fmt.Println("progress 50%\n{\"type\":\"weather\"}\n{}")
		posted()
	case "bye":
		posted()
		return false
	case "go-die":
		die(syscall.SIGKILL)
	case "go-fail":
		failed("adb: device offline")
	case "twice":
		if allowed() {
			effect(dir, j) // a second go would be a second post
		}
		wait(1 << 20) // until it is killed
	case "died":
		effect(dir, j)
		wait(s.after)
		die(syscall.SIGKILL)
	case "mute":
		effect(dir, j)
		wait(1 << 20) // until it is killed
	case "helper":
		_, _ = io.ReadAll(delegate(dir, j, s.before))
		if _, ok := there(dir, j); ok {
			say(map[string]any{"type": "posted", "receipt": map[string]any{"id": j.ID}})
			return true
		}
		failed("the other program ended")
	case "helper-die":
		delegate(dir, j, s.before)
		die(syscall.SIGKILL)
	default:
		must(fmt.Errorf("no kind %q", s.kind))
	}
	return true
}
