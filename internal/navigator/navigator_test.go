package navigator_test

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"reelpass/internal/instagram"
	"reelpass/internal/navigator"
	"reelpass/internal/phone"
)

var _ instagram.Guide = (*navigator.Guide)(nil)

const key = "sk-ant-SECRET-hunter2"

// api is a false one that answers all alike; it keeps what it was asked.
type api struct {
	status int
	answer string
	asked  []map[string]any
	header http.Header
}

func (a *api) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, _ := io.ReadAll(r.Body)
	var in map[string]any
	_ = json.Unmarshal(body, &in)
	a.asked, a.header = append(a.asked, in), r.Header
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(a.status)
	_, _ = io.WriteString(w, a.answer)
}

// acting is the answer of a model that uses the tool.
func acting(input string) string {
	return `{"id":"m","type":"message","role":"assistant","model":"x","stop_reason":"tool_use","content":[{"type":"tool_use","id":"t","name":"act","input":` + input + `}],
		"usage":{"input_tokens":1000,"output_tokens":100,"cache_creation_input_tokens":400,"cache_read_input_tokens":2000}}`
}

func guide(t *testing.T, a *api, change ...func(*navigator.Config)) *navigator.Guide {
	t.Helper()
	s := httptest.NewServer(a)
	t.Cleanup(s.Close)
	cfg := navigator.Config{Key: key, Model: "some-model", URL: s.URL, Steps: 3, Dollars: 1, DollarsIn: 1, DollarsOut: 5, HTTP: s.Client()}
	for _, c := range change {
		c(&cfg)
	}
	return navigator.New(cfg)
}

var question = instagram.Question{
	Choices: []phone.Node{{Text: "Try it", Bounds: phone.Rect{X2: 100, Y2: 50}}, {Desc: "Not now", Bounds: phone.Rect{Y1: 60, X2: 100, Y2: 110}}},
	Texts:   []string{"Meet the new orbit", strings.Repeat("caption ", 100)},
	Picture: func(context.Context) ([]byte, error) { return []byte("png"), nil },
}

// What is sent: picture, elements, one tool that must be used, marks for the cache, and no key in the body.
func TestAQuestion(t *testing.T) {
	a := &api{status: 200, answer: acting(`{"action":"tap","element":2,"reason":"an offer"}`)}
	g := guide(t, a)
	got, err := g.Ask(t.Context(), question)
	if err != nil || got != (instagram.Advice{Do: instagram.DoTap, Touch: 1, Note: "an offer"}) {
		t.Fatalf("%+v, %v", got, err)
	}
	body, _ := json.Marshal(a.asked[0])
	for _, want := range []string{`"model":"some-model"`, `"type":"image"`, `"media_type":"image/png"`, `"cache_control":{"type":"ephemeral"}`, `"tool_choice":{"name":"act","type":"tool"}`, `2. \"\" \"Not now\" at 50,85`, "Meet the new orbit", "Never try to solve or get around a check"} {
		if !strings.Contains(string(body), want) {
			t.Errorf("%s is missing in %s", want, body)
		}
	}
	if n := strings.Count(string(body), "cache_control"); n != 2 {
		t.Errorf("%d marks for the cache", n)
	}
	if strings.Contains(string(body), key) || strings.Contains(string(body), strings.Repeat("caption ", 12)) {
		t.Errorf("too much is told: %s", body)
	}
	if a.header.Get("X-Api-Key") != key {
		t.Error("the key is not where it belongs")
	}
	if want := (1000+1.25*400+0.1*2000)/1e6 + 100*5/1e6; g.Spent()-want > 1e-9 || want-g.Spent() > 1e-9 {
		t.Errorf("%f dollars, want %f", g.Spent(), want)
	}
}

func TestAnswers(t *testing.T) {
	for input, want := range map[string]instagram.Advice{
		`{"action":"back","reason":"a tip"}`:        {Do: instagram.DoBack, Note: "a tip"},
		`{"action":"wait","reason":"it loads"}`:     {Do: instagram.DoWait, Note: "it loads"},
		`{"action":"give_up","reason":"a captcha"}`: {Note: "gives up: a captcha"},
		`{"action":"share","reason":"x"}`:           {Note: "gives up: x"},
		`{"action":"tap","element":3,"reason":"x"}`: {Note: "the answer names an element that is not there; x"},
		`{"action":"tap","reason":"x"}`:             {Note: "the answer names an element that is not there; x"},
		`{"action":"tap","element":"1"}`:            {Note: "the answer cannot be read"},
	} {
		if got, err := guide(t, &api{status: 200, answer: acting(input)}).Ask(t.Context(), question); err != nil || got != want {
			t.Errorf("%s: %+v, %v", input, got, err)
		}
	}
}

// Whatever goes wrong is no advice and costs nothing but a look: it is not asked again, and nothing secret is told.
func TestWhatGoesWrong(t *testing.T) {
	for name, a := range map[string]*api{
		"refused":    {status: 401, answer: `{"type":"error","error":{"type":"authentication_error","message":"invalid x-api-key ` + key + `"}}`},
		"overloaded": {status: 529, answer: `{}`}, "too often": {status: 429, answer: `{}`}, "a page": {status: 200, answer: "<html>"},
		"words alone": {status: 200, answer: `{"content":[{"type":"text","text":"tap Share"}]}`},
	} {
		got, err := guide(t, a).Ask(t.Context(), question)
		if err != nil || got.Do != "" || got.Note == "" || strings.Contains(got.Note, "hunter2") || len(a.asked) != 1 {
			t.Errorf("%s: %+v, %v, asked %d times", name, got, err, len(a.asked))
		}
	}
	gone, cancel := context.WithCancelCause(t.Context())
	boom := errors.New("boom")
	cancel(boom)
	if _, err := guide(t, &api{status: 200, answer: acting(`{}`)}).Ask(gone, question); !errors.Is(err, boom) {
		t.Error(err)
	}
}

func TestTheBudget(t *testing.T) {
	a := &api{status: 200, answer: acting(`{"action":"wait","reason":"x"}`)}
	g := guide(t, a)
	for range 5 {
		_, _ = g.Ask(t.Context(), question)
	}
	if got, _ := g.Ask(t.Context(), question); len(a.asked) != 3 || !strings.Contains(got.Note, "3 questions") {
		t.Errorf("%d questions, %+v", len(a.asked), got)
	}
	a = &api{status: 200, answer: acting(`{"action":"wait","reason":"x"}`)}
	g = guide(t, a, func(c *navigator.Config) { c.Dollars = 0.002 })
	for range 5 {
		_, _ = g.Ask(t.Context(), question)
	}
	if got, _ := g.Ask(t.Context(), question); len(a.asked) != 1 || !strings.Contains(got.Note, "dollars") {
		t.Errorf("%d questions, %+v", len(a.asked), got)
	}
}

// Whatever a model answers: a choice that was offered, back, wait, or nothing.
func FuzzAnswers(f *testing.F) {
	f.Add(`{"action":"tap","element":1,"reason":"x"}`)
	f.Add(`{"action":"tap","element":-9223372036854775808}`)
	a := &api{status: 200}
	s := httptest.NewServer(a)
	f.Cleanup(s.Close)
	f.Fuzz(func(t *testing.T, input string) {
		a.answer = acting(input)
		g := navigator.New(navigator.Config{Key: key, Model: "m", URL: s.URL, Steps: 1, Dollars: 1})
		got, err := g.Ask(t.Context(), question)
		if err != nil || got.Do == instagram.DoTap && (got.Touch < 0 || got.Touch > 1) ||
			got.Do != "" && got.Do != instagram.DoTap && got.Do != instagram.DoBack && got.Do != instagram.DoWait {
			t.Errorf("%+v, %v", got, err)
		}
	})
}
