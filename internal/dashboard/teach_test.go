package dashboard_test

import (
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"testing"
	"time"

	"reelpass/internal/access"
	"reelpass/internal/dashboard"
	"reelpass/internal/fault"
	"reelpass/internal/plan"
	"reelpass/internal/reel"
)

// rules are the built-in ones and those that were taught.
func (s *site) rules() *fault.Rules {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.own) == 0 {
		return fault.Default()
	}
	own, err := fault.Parse("rules.yaml", s.own)
	if err != nil {
		s.Error(err)
		return fault.Default()
	}
	return own.Before(fault.Default())
}

func (s *site) teach() *dashboard.Teach {
	return &dashboard.Teach{
		File: "rules.yaml",
		Read: func() ([]byte, error) {
			s.mu.Lock()
			text, meanwhile := s.own, s.meanwhile
			s.meanwhile = nil
			s.mu.Unlock()
			if meanwhile != nil {
				meanwhile()
			}
			return text, nil
		},
		Write: func(text []byte) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			if s.full {
				return errors.New("no space left on device")
			}
			s.own = text
			return nil
		},
		Most: time.Minute,
		Stops: func(v reel.Verdict) bool {
			return plan.After(plan.Try{}, v, reel.DefaultLimits()).State != reel.Failed
		},
	}
}

// unknown runs a batch of three jobs: each fails twice in a way that no rule knows but the last, which fails once and then is posted.
func (s *site) unknown() {
	s.Helper()
	_, err := s.store.Import(s.Context(), "odd", func(yield func(reel.Post, error) bool) {
		for i, id := range []reel.JobID{"odd-1", "odd-2", "odd-3"} {
			if !yield(reel.Post{Job: reel.Job{ID: id, Account: "acc" + string(id), VideoPath: "/o/" + string(id) + ".mp4"}, Line: i + 2}, nil) {
				return
			}
		}
	})
	must(s.T, err)
	must(s.T, s.store.Enlist(me))
	limits := reel.DefaultLimits()
	round, _, err := s.store.Lead(s.Context(), reel.Bid{Batch: "odd", Leader: me, Limits: limits, Workers: 1})
	must(s.T, err)
	for pass := range 2 {
		_, _, err := s.store.Advance(s.Context(), "odd", round.Term, func(st reel.Standing) reel.Step { return plan.Next(st, limits) }) // closes the pass before
		must(s.T, err)
		_, err = s.store.OpenPass(s.Context(), "odd", round.Term, pass+1)
		must(s.T, err)
		for range 3 {
			c, _, err := s.store.Claim(s.Context(), reel.Claimant{Batch: "odd", Supervisor: me.ID, Worker: 1})
			must(s.T, err)
			a := reel.Attempt{Number: c.Attempt, Pass: c.Pass, Worker: 1, StartedAt: time.Now(), EndedAt: time.Now()}
			if c.Job.ID == "odd-3" && pass == 1 {
				_, err := s.store.Intent(s.Context(), c, reel.FingerprintOfPath(c.Job.VideoPath), false)
				must(s.T, err)
				a.Outcome, a.ShareBegun = reel.OutcomeSucceeded, true
				_, err = s.store.Record(s.Context(), c, reel.Ending{Attempt: a, Decision: plan.Posted()})
				must(s.T, err)
				continue
			}
			a.Outcome, a.Verdict = reel.OutcomeFailed, reel.Verdict{Category: reel.Unknown}
			a.Evidence = reel.Evidence{Source: reel.SourceTool, Text: "Quibble flange jammed in the zorp gate <b>, token=hunter2secret"}
			if c.Job.ID == "odd-3" {
				a.Evidence.Text = "the mumble warped"
			}
			d := plan.After(plan.Try{Tally: c.Tally, Pass: c.Pass, LastPass: c.LastPass}, a.Verdict, limits)
			_, err = s.store.Record(s.Context(), c, reel.Ending{Attempt: a, Decision: d})
			must(s.T, err)
		}
	}
}

// lessons are the addresses where rules are taught.
func (s *site) lessons(c *http.Client) []string {
	_, body := s.get(c, "/rules")
	var all []string
	for _, m := range regexp.MustCompile(`href="(/rules/suggest/[^"]+)"`).FindAllStringSubmatch(body, -1) {
		all = append(all, m[1])
	}
	return all
}

func TestARuleIsTaught(t *testing.T) {
	s := newSite(t)
	s.unknown()
	anna, look := s.browser(access.Steer), s.browser(access.Look)
	lessons := s.lessons(anna)
	if len(lessons) != 2 {
		t.Fatalf("%q", lessons)
	}
	var at string
	for _, l := range lessons {
		if _, body := s.get(anna, l); strings.Contains(body, "flange jammed") {
			at = l
			if !strings.Contains(body, `value="my-quibble-flange-jammed`) || strings.Contains(body, "hunter2secret") || strings.Contains(body, " checked") || strings.Contains(body, "Keep this rule") {
				t.Error(body)
			}
		}
	}
	if _, body := s.get(look, at); strings.Contains(body, "Try it on the history") || !strings.Contains(body, "Whoever may steer teaches rules here") {
		t.Error("whoever looks is offered a form")
	}
	if _, body := s.get(anna, "/failures?batch=odd"); strings.Count(body, `">Teach a rule</a>`) != 2 {
		t.Error("the list of failures offers no lesson")
	}
	form := url.Values{"id": {"my-flange"}, "category": {"content"}, "type": {"flange"}, "words": {"quibble flange jammed\r\n"}, "case": {"Quibble flange jammed"}, "source": {"tool"}}
	with := func(pairs ...string) url.Values {
		f := url.Values{}
		for k, v := range form {
			f[k] = v
		}
		for i := 0; i < len(pairs); i += 2 {
			f.Set(pairs[i], pairs[i+1])
		}
		return f
	}
	seen := regexp.MustCompile(`name="seen" value="([0-9a-f]+)"`)
	keep := func(at string, form url.Values) (int, string) { // what was tried
		t.Helper()
		_, body := s.post(anna, at, form)
		f := url.Values{"do": {"keep"}}
		for k, v := range form {
			f[k] = v
		}
		if m := seen.FindStringSubmatch(body); m != nil {
			f.Set("seen", m[1])
		}
		return s.post(anna, at, f)
	}
	kept := func() string {
		text, _ := s.teach().Read()
		return string(text)
	}
	for what, c := range map[string]struct {
		client *http.Client
		path   string
		form   url.Values
		code   int
		says   string
	}{
		"somebody who looks":      {look, at, form, 403, "may look"},
		"what is known":           {anna, "/rules/suggest/0000", form, 404, "unknown any more"},
		"nobody says whose":       {anna, at, with("category", ""), 422, "Say whose trouble it is"},
		"unknown is no answer":    {anna, at, with("category", "unknown"), 422, "Say whose trouble it is"},
		"no words":                {anna, at, with("words", " "), 422, "by which words it is known"},
		"no case":                 {anna, at, with("case", ""), 422, "a message that it must know"},
		"no type":                 {anna, at, with("type", "two words"), 422, "in a word"},
		"a case it does not know": {anna, at, with("case", "nothing like it"), 422, `id="w-case">The rule does not know this message`},
		"a bad expression":        {anna, at, with("match", "(("), 422, `id="w-match"`},
		"a foreign source":        {anna, at, with("source", "dream"), 422, `id="w-source"`},
		"others' cases":           {anna, at, with("words", "device offline", "source", "", "case", "device offline"), 422, `id="w-words">The rule takes what another one knows`},
		"it is tried":             {anna, at, form, 200, "2 retries saved, 0 posts lost</b>"},
		"another rule's name":     {anna, at, with("id", fault.Default().All()[0].ID), 422, "There is a rule of this name"},
		"it was not tried":        {anna, at, with("do", "keep"), 422, "not any more what it was when you tried it"},
		"it was tried otherwise":  {anna, at, with("do", "keep", "seen", "00"), 422, "not any more what it was when you tried it"},
	} {
		code, body := s.post(c.client, c.path, c.form)
		if code != c.code || !strings.Contains(body, c.says) {
			t.Errorf("%s: %d, without %q: %s", what, code, c.says, body)
		}
		if code == 422 && c.form.Get("id") == "my-flange" && !strings.Contains(body, `value="my-flange"`) {
			t.Errorf("%s: what was typed is lost", what)
		}
		if kept() != "" {
			t.Fatalf("%s: it was kept", what)
		}
	}
	if code, body := keep(at, with("category", "account")); code != 422 || !strings.Contains(body, "Tick that you know it") || kept() != "" {
		t.Errorf("it stops accounts: %d %s", code, body)
	}
	costly := with("do", "keep", "words", "mumble warped", "case", "the mumble warped", "id", "my-mumble")
	for _, l := range lessons {
		if l != at {
			if code, body := s.post(anna, l, costly); code != 422 || !strings.Contains(body, "it would have cost 1 post") || strings.Contains(body, "Keep this rule") || kept() != "" {
				t.Errorf("a rule that costs a post: %d %s", code, body)
			}
		}
	}
	_, body := s.post(anna, at, form)
	behind := with("do", "keep", "seen", seen.FindStringSubmatch(body)[1])
	s.own = []byte("# mine\n")
	if code, body := s.post(anna, at, behind); code != 422 || !strings.Contains(body, "not any more what it was") || kept() != "# mine\n" {
		t.Errorf("the file was changed after it was tried: %d %s", code, body)
	}
	s.own = nil
	s.meanwhile = func() { s.own = []byte("# edited\n") }
	if code, body := s.post(anna, at, behind); code != 422 || !strings.Contains(body, "changed meanwhile") || kept() != "# edited\n" {
		t.Errorf("the file was changed while it was tried: %d %s", code, body)
	}
	s.own = nil
	s.meanwhile = func() {
		if code, body := s.post(anna, at, form); code != 422 || !strings.Contains(body, "Somebody else tries a rule just now") {
			t.Errorf("two at once: %d %s", code, body)
		}
	}
	if code, _ := s.post(anna, at, form); code != 200 || s.meanwhile != nil {
		t.Errorf("the first of two: %d", code)
	}
	s.full = true
	if code, _ := keep(at, form); code != 500 || kept() != "" {
		t.Errorf("the disk is full: %d", code)
	}
	s.full = false
	if code, body := keep(at, form); code != 200 || !strings.Contains(body, "The rule is kept") {
		t.Fatalf("%d %s", code, body)
	}
	if v := s.rules().Judge(reel.Evidence{Source: reel.SourceTool, Text: "Quibble flange jammed again"}); v.Rule != "my-flange" || v.Category != reel.Content {
		t.Errorf("%+v by %s", v, kept())
	}
	events, err := s.store.Journal(t.Context(), 0, 1000)
	must(t, err)
	if e := events[len(events)-1]; e.Kind != reel.EventRulesAdded || e.By != "anna" || e.Text != "my-flange" {
		t.Errorf("%+v", e)
	}
	if code, body := keep(at, form); code != 422 || !strings.Contains(body, "There is a rule of this name") {
		t.Errorf("twice: %d %s", code, body)
	}
	if _, body := s.get(anna, "/failures?batch=odd"); strings.Count(body, `">Teach a rule</a>`) != 1 {
		t.Error("the list of failures offers a lesson about what is known by now")
	}
	if code, body := s.get(anna, "/rules"); code != 200 || !strings.Contains(body, `<code>my-flange</code> <span class="tag">yours`) || !strings.Contains(body, "What a rule knows by now") || strings.Contains(body, at) {
		t.Errorf("%d: the new rule is not in the list", code)
	}
}

// A page does not wait for a long history: it says so, and what does.
func TestALongHistoryIsForTheCommandLine(t *testing.T) {
	s := newSite(t, func(c *dashboard.Config) { c.Teach.Most = time.Nanosecond })
	s.unknown()
	form := url.Values{"do": {"keep"}, "id": {"my-flange"}, "category": {"content"}, "type": {"flange"}, "words": {"quibble flange jammed"}, "case": {"Quibble flange jammed"}}
	if code, body := s.post(s.browser(access.Steer), s.lesson("flange"), form); code != 422 || !strings.Contains(body, "The history is too long") || s.own != nil {
		t.Errorf("%d %s", code, body)
	}
}
