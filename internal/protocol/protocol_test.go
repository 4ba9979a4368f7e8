package protocol_test

import (
	"bytes"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "rewrite docs/protocol.md")

// worlds are what is supposed, one after another. The small ones come first.
func worlds() []world {
	return []world{
		{name: "one host, one job", hosts: 1, accounts: 1, tries: 3, single: true},
		{name: "two hosts, one job", hosts: 2, accounts: 1, tries: 3, single: true},
		{name: "one host, the same video twice", hosts: 1, accounts: 1, tries: 2, twins: true},
		{name: "one host, one account", hosts: 1, accounts: 1, tries: 3},
		{name: "one host, account verdicts", hosts: 1, accounts: 1, tries: 2, verdict: true},
		{name: "one host, the first run has one pass", hosts: 1, accounts: 1, tries: 2, passes: true},
		{name: "one host, two accounts", hosts: 1, accounts: 2, tries: 2},
		{name: "two hosts, the same video twice", hosts: 2, accounts: 1, tries: 2, twins: true},
		{name: "two hosts, account verdicts", hosts: 2, accounts: 1, tries: 2, verdict: true, mild: true},
		{name: "two hosts, one account", hosts: 2, accounts: 1, tries: 2},
		{name: "two hosts, two accounts", hosts: 2, accounts: 2, tries: 2},
	}
}

const small = 8 // so many of them are small

func visited(t *testing.T) []world {
	all := worlds()
	if !big || testing.Short() {
		t.Log("the big worlds are left out")
		return all[:small]
	}
	return all
}

func named(t *testing.T, name string) world {
	t.Helper()
	all := worlds()
	k := slices.IndexFunc(all, func(w world) bool { return w.name == name })
	if k < 0 {
		t.Fatalf("there is no world %q", name)
	}
	return all[k]
}

// tell fails with the way into trouble.
func (w *world) tell(t *testing.T, x *search) {
	t.Helper()
	t.Errorf("%s: %s\n%s", w.name, x.wrong, strings.Join(w.trace(x), "\n"))
}

func TestNothingGoesWrong(t *testing.T) {
	for _, w := range visited(t) {
		t.Run(w.name, func(t *testing.T) {
			x := w.explore()
			t.Logf("%d states", len(x.states))
			if x.bad >= 0 {
				w.tell(t, x)
			}
		})
	}
}

// TestEachGuardHasItsReason takes each guard away, and writes down what happens.
func TestEachGuardHasItsReason(t *testing.T) {
	var doc bytes.Buffer
	stories := map[guard][]string{}
	for _, r := range reasons() {
		text, err := os.ReadFile(filepath.Join("..", "..", r.file))
		if err != nil || !strings.Contains(string(text), r.line) {
			t.Errorf("%q stands no more in %s (%v): where is this guard now?", r.line, r.file, err)
		}
		if r.also != 0 || r.wrong == right {
			r.covered(t)
		}
		if r.wrong == right {
			continue
		}
		w := named(t, r.world)
		w.without, w.mind = r.guard|r.also, r.wrong
		x := w.explore()
		if x.bad < 0 {
			t.Errorf("%s: nothing goes wrong without it in the world %q", r.name, r.world)
			continue
		}
		stories[r.guard] = w.trace(x)
	}
	var told guard
	for _, r := range reasons() {
		told |= r.guard
	}
	if told != term<<1-1 {
		t.Errorf("of the guards %b only %b have a reason", term<<1-1, told)
	}
	write(&doc, stories)
	golden(t, filepath.Join("..", "..", "docs", "protocol.md"), doc.Bytes())
}

// covered checks that a guard is not needed while all others are there.
func (r reason) covered(t *testing.T) {
	t.Helper()
	for _, w := range visited(t) {
		if r.guard == readAgain && (w.hosts == 2 || !w.single) {
			continue // on two hosts there is no second reading, and two jobs have too many states
		}
		w.without = r.guard
		if x := w.explore(); x.bad >= 0 {
			t.Logf("%s is needed after all", r.name)
			w.tell(t, x)
		}
	}
}

// TestTheSearchFindsEachTrouble shows of what the table has no example that the search would find it.
func TestTheSearchFindsEachTrouble(t *testing.T) {
	for trouble, without := range map[wrong]guard{lie: fenceOnRecord, stuck: token} {
		w := named(t, "two hosts, one job")
		w.mind, w.without = trouble, without
		if x := w.explore(); x.bad < 0 {
			t.Errorf("%s: not found", trouble)
		} else {
			t.Logf("%s:\n%s", trouble, strings.Join(w.trace(x), "\n"))
		}
	}
}

// TestAwayFromTheOtherHost shows what a doubt of another host is protected by, and from what. As long as no supervisor hangs or dies
// while its worker acts, the late go and the deadline would do.
func TestAwayFromTheOtherHost(t *testing.T) {
	w := named(t, "two hosts, one job")
	w.mild, w.mind = true, twice
	for without, want := range map[guard]bool{
		buried: false, lateGo: false, deadline: false, buried | lateGo: true, buried | deadline: true, buried | onlyHere: false,
	} {
		w.without = without
		if x := w.explore(); (x.bad >= 0) != want {
			t.Errorf("without %b: posted twice is %t, want %t", without, x.bad >= 0, want)
		}
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil || !bytes.Equal(got, want) {
		t.Errorf("%s is not what the model says (%v); go test ./internal/protocol -update rewrites it", name, err)
	}
}

// write writes docs/protocol.md.
func write(out *bytes.Buffer, stories map[guard][]string) {
	fmt.Fprint(out, head)
	for n, r := range reasons() {
		without := "nothing goes wrong: others cover it"
		if r.wrong != right {
			without = fmt.Sprintf("[%s](#%d)", r.wrong, n+1)
		}
		if r.also != 0 {
			without += ", if the state is not compared either"
		}
		fmt.Fprintf(out, "| %d | %s | `%s` | %s |\n", n+1, r.name, r.file, without)
	}
	fmt.Fprint(out, "\n## The shortest ways into trouble\n\nA and B are supervisors, each with a worker.\n")
	for n, r := range reasons() {
		fmt.Fprintf(out, "\n### %d\n\nWithout this: %s.", n+1, r.name)
		if r.wrong != right {
			fmt.Fprintf(out, " Supposed: %s.", r.world)
		}
		if r.note != "" {
			fmt.Fprint(out, " "+r.note)
		}
		fmt.Fprintln(out)
		if r.wrong != right {
			fmt.Fprintln(out)
			for k, line := range stories[r.guard] {
				fmt.Fprintf(out, "%d. %s\n", k+1, line)
			}
			fmt.Fprintf(out, "\nSo %s.\n", r.wrong)
		}
	}
}

const head = `# Why each guard exists

` + "`internal/protocol`" + ` is a model of how jobs are claimed, published, settled and looked up. It knows two supervisors with a worker each, two
jobs, the ledger and the posts outside. At every step either supervisor may hang, die, lose the ledger or be late; its worker
may die, or live on after it. A search visits every state that can come of it, and checks that

* no video is posted twice, and no post is recorded that never was or is taken for none;
* no account is touched after it was held, and no supervisor that renews its leases is killed;
* from everywhere, without another fault, the batch comes to an end in which every job is final or in doubt.

With all guards it finds nothing. Then each guard is taken away, and the search tells the shortest way into trouble. This page
is written by the test (` + "`go test ./internal/protocol -update`" + `), which also checks that each guard still stands where the table says.

Two things are supposed and not proved. A killed process acts no more. And on two hosts a held account is left alone only if
no supervisor dies or hangs while its worker acts: nobody elsewhere can kill what it leaves behind. That such a worker
posts late is no second post, since its job stays in doubt until somebody on its own host, or a person, has spoken.

| | guard | where | without it |
|---|---|---|---|
`
