package simfarm_test

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"

	"reelpass/internal/reel"
	"reelpass/internal/simfarm"
)

func call(t *testing.T, method, url, body string) (int, string) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), method, url, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	a, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = a.Body.Close() }()
	data, err := io.ReadAll(a.Body)
	if err != nil {
		t.Fatal(err)
	}
	return a.StatusCode, string(data)
}

func TestTheFarmIsControlledFromOutside(t *testing.T) {
	f, c := start(t, simfarm.Config{Accounts: []string{"mira"}})
	base := f.URL() + "/sim"
	if code, body := call(t, "GET", base+"/kinds", ""); code != 200 || !strings.Contains(body, `"kind":"link_cut"`) {
		t.Error(code, body)
	}
	for body, want := range map[string]int{
		`{"kind":"start_fails"}`: 204, `{"kind":"frozen","when":"after_share","after":"2s"}`: 204, `{"kind":"none"}`: 400, `{"kind":"frozen","when":"never"}`: 400,
		`{"kind":"frozen","after":"soon"}`: 400, `{"kind":"frozen","x":1}`: 400, `{`: 400,
	} {
		if code, said := call(t, "POST", base+"/phones/mira/harm", body); code != want {
			t.Errorf("%s: %d %s", body, code, said)
		}
	}
	if code, _ := call(t, "POST", base+"/phones/nobody/harm", `{"kind":"frozen"}`); code != 404 {
		t.Error(code)
	}
	p, err := c.Find(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(t.Context(), p.ID); err == nil {
		t.Error("it starts, though it was told to fail")
	}
	if err := c.Start(t.Context(), p.ID); err != nil { // that was once
		t.Fatal(err)
	}
	var all []simfarm.PhoneView
	code, body := call(t, "GET", base+"/phones", "")
	if err := json.Unmarshal([]byte(body), &all); err != nil || code != 200 || len(all) != 1 || !all[0].Running || all[0].ADB == "" || len(all[0].Harms) != 1 || all[0].Screen == "" {
		t.Errorf("%d %s (%v)", code, body, err)
	}
	if code, body := call(t, "GET", base+"/phones/mira/picture", ""); code != 200 || !bytes.HasPrefix([]byte(body), []byte("\x89PNG")) {
		t.Errorf("%d, a picture of %d bytes", code, len(body))
	}
	if code, _ := call(t, "DELETE", base+"/phones/mira/harm", ""); code != 204 {
		t.Error(code)
	}
	if f.Phones()[0].Harms == nil || len(f.Phones()[0].Harms) != 0 {
		t.Errorf("still to come: %v", f.Phones()[0].Harms)
	}
	if code, body := call(t, "GET", base+"/report", ""); code != 200 || !strings.Contains(body, "mira: start_fails") {
		t.Error(code, body)
	}
	if err := c.Stop(t.Context(), p.ID); err != nil {
		t.Fatal(err)
	}
}

// Each refusal of the vendor is what its name says to the real client.
func TestWhatTheVendorRefuses(t *testing.T) {
	f, c := start(t, simfarm.Config{Accounts: []string{"mira"}})
	p, err := c.Find(t.Context(), "mira")
	if err != nil {
		t.Fatal(err)
	}
	for kind, want := range map[string]string{
		"no_money": "geelark:41001", "too_many_calls": "geelark:40007", "no_room": "geelark:47002", "in_use": "geelark:43007", "start_fails": "geelark:43010",
		"expired": "phone_expired",
	} {
		f.Harm("mira", simfarm.Harm{Kind: kind})
		err := c.Start(t.Context(), p.ID)
		own, ok := err.(interface{ Evidence(string) reel.Evidence })
		if !ok || own.Evidence("").Code != want {
			t.Errorf("%s: %v", kind, err)
		}
		call(t, "DELETE", f.URL()+"/sim/phones/mira/harm", "")
	}
}

// The scenario that the page shows is one, and does what it says.
func TestTheScenarioOfThePage(t *testing.T) {
	page, err := os.ReadFile("../../docs/simulate.md")
	if err != nil {
		t.Fatal(err)
	}
	found := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindSubmatch(page)
	if found == nil {
		t.Fatal("the page shows none")
	}
	script, err := simfarm.ReadScript(bytes.NewReader(found[1]))
	if err != nil {
		t.Fatal(err)
	}
	f, c := start(t, simfarm.Config{Accounts: []string{"mira", "odo"}, Script: script})
	try := func(account string) error {
		p, err := c.Find(t.Context(), account)
		if err != nil {
			t.Fatal(err)
		}
		err = c.Start(t.Context(), p.ID)
		if stop := c.Stop(t.Context(), p.ID); stop != nil {
			t.Fatal(stop)
		}
		return err
	}
	if first, second, third := try("mira"), try("mira"), try("mira"); first != nil || second == nil || third != nil {
		t.Errorf("%v, %v, %v", first, second, third)
	}
	if err := try("odo"); err != nil {
		t.Error(err)
	}
	for _, k := range simfarm.Kinds() { // the page and the program know the same
		if k.Vendor && !strings.Contains(string(page), "`"+k.Name+"`") {
			t.Errorf("the page does not name %s", k.Name)
		}
	}
	if r := f.Report(); len(r.Faults) != 1 {
		t.Errorf("%v", r.Faults)
	}
}

func TestScenariosAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"accounts: {a: {runs: [{harms: [{kind: x}]}]}}":                `scenario: account a, run 1: there is no harm "x"`,
		"accounts: {a: {runs: [{harms: [{kind: frozen, when: x}]}]}}":  `strikes at start, before_share or after_share, not "x"`,
		"accounts: {a: {runs: [{harms: [{kind: frozen, after: x}]}]}}": `"x" is no duration`,
		"accounts: {a: {runs: [{app: {trouble: x}}]}}":                 `there is no trouble "x"`,
		"accounts: {a: {runs: [{app: {popups: [x]}}]}}":                `there is no popup "x"`,
		"accounts: {a: {language: tlh}}":                               `not "tlh"`,
		"accounts:\n  a:\n    moods: [1]\n":                            "[3:5] unknown field",
	} {
		if _, err := simfarm.ReadScript(strings.NewReader(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func FuzzScript(f *testing.F) {
	f.Add("accounts: {a: {runs: [{harms: [{kind: frozen, after: 2s}], app: {trouble: suspended}}]}}")
	f.Fuzz(func(t *testing.T, text string) {
		_, _ = simfarm.ReadScript(strings.NewReader(text))
	})
}
