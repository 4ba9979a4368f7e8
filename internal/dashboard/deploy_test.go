package dashboard_test

import (
	"encoding/json"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"reelpass/internal/access"
	"reelpass/internal/reel"
)

var (
	exported = regexp.MustCompile(`(?m)^(reelpass_\w+)(?:\{([^}]*)\})? `)
	asked    = regexp.MustCompile(`(reelpass_\w+)(?:\{([^}]*)\})?`)
	label    = regexp.MustCompile(`(\w+)\s*(?:=~|!~|!=|=)\s*"`)
	grouped  = regexp.MustCompile(`(?:by|on)\s*\(([^)]*)\)`)
)

// What deploy asks Prometheus for, /metrics tells: every name, and every label by which it is chosen or summed. And the Grafana dashboard leaves no number out.
func TestDeployAsksForWhatIsExported(t *testing.T) {
	s := newSite(t)
	s.fill()
	round, err := s.store.Leader(t.Context(), "night")
	must(t, err)
	_, err = s.store.Cancel(t.Context(), "night", "job-5", "bert")
	must(t, err)
	_, _, err = s.store.Advance(t.Context(), "night", round.Term, func(reel.Standing) reel.Step { return reel.Step{Result: reel.MaxPassesReached} })
	must(t, err)
	token, err := s.book.Issue(access.Token, "prometheus", access.Look)
	must(t, err)
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/metrics", http.NoBody)
	must(t, err)
	req.Header.Set("Authorization", "Bearer "+token)
	_, body := s.do(http.DefaultClient, req)
	labels := map[string][]string{}
	for _, m := range exported.FindAllStringSubmatch(body, -1) {
		var names []string
		for _, l := range label.FindAllStringSubmatch(m[2], -1) {
			names = append(names, l[1])
		}
		labels[m[1]] = names
	}
	used := map[string]bool{}
	check := func(where, expr string) {
		var known []string
		for _, m := range asked.FindAllStringSubmatch(expr, -1) {
			have, ok := labels[m[1]]
			if !ok {
				t.Errorf("%s: /metrics has no %s", where, m[1])
			}
			used[m[1]] = true
			known = append(known, have...)
			for _, l := range label.FindAllStringSubmatch(m[2], -1) {
				if !slices.Contains(have, l[1]) {
					t.Errorf("%s: %s has no label %s", where, m[1], l[1])
				}
			}
		}
		if len(known) == 0 && !strings.Contains(expr, "reelpass_") {
			t.Errorf("%s asks for nothing: %s", where, expr)
		}
		for _, m := range grouped.FindAllStringSubmatch(expr, -1) {
			for l := range strings.SplitSeq(m[1], ",") {
				if l = strings.TrimSpace(l); l != "" && !slices.Contains(known, l) {
					t.Errorf("%s: nothing in %q has the label %s", where, expr, l)
				}
			}
		}
	}
	read := func(name string, into any, unmarshal func([]byte, any) error) {
		data, err := os.ReadFile(filepath.Join("..", "..", "deploy", name))
		must(t, err)
		must(t, unmarshal(data, into))
	}
	var board struct {
		UID, Title string
		Schema     int `json:"schemaVersion"`
		Templating struct{ List []struct{ Name, Type string } }
		Panels     []struct {
			ID          int
			Title       string
			Description string
			Datasource  struct{ UID string }
			GridPos     struct{ X, Y, W, H int }
			Targets     []struct {
				Expr       string
				Datasource struct{ UID string }
			}
		}
	}
	read("grafana.json", &board, json.Unmarshal)
	if board.Schema < 39 || len(board.Templating.List) < 2 || board.Templating.List[0].Type != "datasource" {
		t.Errorf("the dashboard: schema %d, variables %+v", board.Schema, board.Templating.List)
	}
	ids := map[int]bool{}
	for _, p := range board.Panels {
		if ids[p.ID] || len(p.Targets) == 0 || p.Description == "" || p.GridPos.X+p.GridPos.W > 24 || p.GridPos.H == 0 {
			t.Errorf("the panel %q is not whole", p.Title)
		}
		ids[p.ID] = true
		for _, q := range p.Targets {
			if q.Datasource.UID != "${datasource}" || p.Datasource.UID != "${datasource}" {
				t.Errorf("the panel %q reads another source than the chosen one", p.Title)
			}
			check("panel "+p.Title, q.Expr)
		}
	}
	for name := range labels {
		if !used[name] {
			t.Errorf("the dashboard does not show %s", name)
		}
	}
	var rules struct {
		Groups []struct {
			Rules []struct{ Alert, Expr string }
		}
	}
	read("alerts.yaml", &rules, func(data []byte, into any) error { return yaml.Unmarshal(data, into) })
	n := 0
	for _, g := range rules.Groups {
		for _, r := range g.Rules {
			check("alert "+r.Alert, r.Expr)
			n++
		}
	}
	if n < 5 {
		t.Errorf("%d alert rules", n)
	}
}
