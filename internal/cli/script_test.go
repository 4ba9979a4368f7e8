package cli_test

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"reelpass/internal/cli"
	"reelpass/internal/postgrestest"
)

var update = flag.Bool("update", false, "write what the scripts compare with anew")

// The test binary plays reelpass, also where reelpass starts itself again as a worker.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"reelpass": func() { os.Exit(cli.Main(os.Args, os.Getenv, os.Stdin, os.Stdout, os.Stderr)) },
	})
}

func TestScript(t *testing.T) {
	p := scripts(t, func(*testscript.Env) error { return nil })
	p.Dir, p.UpdateScripts = "testdata/script", *update
	testscript.Run(t, p)
}

// The same scripts with the ledger on a server, but for those that speak of a file or of none. They are for what is different there, and a
// race would be found with a file as well: so they run the program as it is built for people, in half the time.
func TestScriptOnServer(t *testing.T) {
	bin := t.TempDir()
	build(t, bin)
	server, err := postgrestest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	var made atomic.Int32
	p := scripts(t, func(env *testscript.Env) error {
		address, err := server.Database(t.Context(), fmt.Sprint("script", made.Add(1)))
		env.Setenv("REELPASS_DB", address)
		env.Setenv("PATH", bin+string(filepath.ListSeparator)+env.Getenv("PATH"))
		return err
	})
	files, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	p.Files = slices.DeleteFunc(files, func(f string) bool {
		return slices.Contains([]string{"bad_ledger", "bad_posts", "doctor_version_completion", "help_golden", "ledger_backup", "ledger_restored", "settings_precedence", "secrets"}, strings.TrimSuffix(filepath.Base(f), ".txtar"))
	})
	testscript.Run(t, p)
}

// scripts is what a script may use. ledger is asked where each keeps its ledger.
func scripts(t *testing.T, ledger func(*testscript.Env) error) testscript.Params {
	t.Helper()
	foreign, err := filepath.Abs("testdata/foreign.db")
	if err != nil {
		t.Fatal(err)
	}
	return testscript.Params{
		Setup: func(env *testscript.Env) error {
			env.Setenv("TZ", "UTC")
			env.Setenv("USER", "ana")
			env.Setenv("FOREIGN", foreign) // a database of another program, with one empty table
			env.Values[backgroundKey{}] = map[string]*background{}
			env.Values[caughtKey{}] = &caught{}
			return ledger(env)
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"mask":   mask,
			"keys":   keys,
			"value":  value,
			"clean":  clean,
			"start":  start,
			"hears":  hears,
			"signal": signalled,
			"ends":   ends,
			"origin": origin,
			"hook":   hook,
			"caught": catches,
			"page":   page,
		},
	}
}

// exits CODE PROGRAM [ARGS...] runs a program that must end with exactly this code, and never with a stack trace.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE PROGRAM [ARGS...]")
	}
	err := ts.Exec(args[1], args[2:]...)
	if got := code(ts, err); got != args[0] {
		ts.Fatalf("exit code %s, want %s", got, args[0])
	}
	if out := ts.ReadFile("stdout") + ts.ReadFile("stderr"); strings.Contains(out, "\ngoroutine ") {
		ts.Fatalf("it panicked")
	}
}

// code is how a program ended: its exit code, or its signal's name.
func code(ts *testscript.TestScript, err error) string {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return "0"
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return strconv.Itoa(exit.ExitCode())
	case errors.As(err, &exit):
		return exit.Error()
	}
	ts.Fatalf("%v", err)
	return ""
}

// mask FILE INTO copies FILE with everything taken out that differs from run to run: moments, durations, processes.
func mask(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: mask FILE INTO")
	}
	text := ts.ReadFile(args[0])
	for _, m := range []struct{ what, by string }{
		{`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`, "MOMENT"},
		{`\d{4}-\d\d-\d\d \d\d:\d\d:\d\d`, "MOMENT"},
		{`(?m)^\d\d:\d\d:\d\d`, "HH:MM:SS"},
		{`pid \d+ on [^\s",]+`, "PROCESS"},
		{`took [0-9.]+s`, "took TIME"},
		{`Duration: +[0-9.]+s`, "Duration: TIME"},
		{`(\d\.\d%) +[0-9.]+s\n`, "${1}  TIME\n"},
		{`"at":"[^"]*"`, `"at":"MOMENT"`},
		{`(?m)[ \t]+$`, ""}, // a text archive is easier to read and to mend without blanks at the end
	} {
		text = regexp.MustCompile(m.what).ReplaceAllString(text, m.by)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(text), 0o600))
}

// clean FILE... says that no byte of some secret is in the files. The secrets are the words of the script's file `secrets`.
func clean(ts *testscript.TestScript, neg bool, args []string) {
	secrets := strings.Fields(ts.ReadFile("secrets"))
	if neg || len(args) == 0 || len(secrets) == 0 {
		ts.Fatalf("usage: clean FILE...")
	}
	for _, name := range args {
		text := ts.ReadFile(name)
		for _, s := range secrets {
			if i := strings.Index(text, s); i >= 0 {
				ts.Fatalf("%s: %q is in it: %q", name, s, text[max(0, i-60):min(len(text), i+len(s)+20)])
			}
		}
	}
}

func usageOf(ts *testscript.TestScript, neg bool, ok bool, text string) {
	if neg || !ok {
		ts.Fatalf("usage: %s", text)
	}
}

func atoi(ts *testscript.TestScript, text string) int {
	n, err := strconv.Atoi(text)
	ts.Check(err)
	return n
}

func lineOf(ts *testscript.TestScript, file string, n int) string {
	lines := strings.Split(strings.TrimRight(ts.ReadFile(file), "\n"), "\n")
	if n < 1 || n > len(lines) {
		ts.Fatalf("%s has %s", file, fmt.Sprintf("%d lines", len(lines)))
	}
	return lines[n-1]
}
