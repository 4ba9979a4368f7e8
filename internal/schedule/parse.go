package schedule

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"
	_ "time/tzdata" // one binary knows every zone, also on a machine that has none

	"github.com/goccy/go-yaml" // as in config and fault: it says where an error is
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// maxFile bounds a schedule file. A hundred plans are some 20 KiB.
const maxFile = 1 << 20

// written is a plan as its file has it.
type written struct {
	Name             string   `yaml:"name"`
	At               []string `yaml:"at"`
	Days             []string `yaml:"days"`
	Zone             string   `yaml:"zone"`
	From             string   `yaml:"from"`
	Batch            string   `yaml:"batch"`
	PerAccountAndDay int      `yaml:"per_account_and_day"`
	Missed           Missed   `yaml:"missed"`

	node ast.Node
}

// UnmarshalYAML reads a plan strictly and keeps its place for messages.
func (w *written) UnmarshalYAML(node ast.Node) error {
	type plain written
	w.node = node
	return yaml.NodeToValue(node, (*plain)(w), yaml.Strict())
}

// Parse reads a schedule file. path names it in messages, which say line and column; local is the zone of plans that name none.
func Parse(path string, data []byte, local *time.Location) (plans []Plan, err error) {
	defer func() { // the library has panicked on malformed input before
		if p := recover(); p != nil {
			plans, err = nil, fmt.Errorf("%s: not readable as YAML", path)
		}
	}()
	if len(data) > maxFile {
		return nil, fmt.Errorf("%s: %d bytes are too many for a schedule, at most %d", path, len(data), maxFile)
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, placed(path, err)
	}
	var file struct {
		Plans []written `yaml:"plans"`
	}
	switch {
	case len(tree.Docs) > 1:
		return nil, fmt.Errorf("%s: more than one YAML document", path)
	case len(tree.Docs) == 1 && tree.Docs[0].Body != nil:
		if err := yaml.NodeToValue(tree.Docs[0].Body, &file, yaml.Strict()); err != nil {
			return nil, placed(path, err)
		}
	}
	if len(file.Plans) == 0 {
		return nil, fmt.Errorf("%s: it has no plans", path)
	}
	for _, w := range file.Plans {
		p, field, err := w.plan(local)
		if err == nil && slices.ContainsFunc(plans, func(other Plan) bool { return other.Name == p.Name }) {
			field, err = "name", fmt.Errorf("plan %q is there twice", p.Name)
		}
		if err != nil {
			return nil, fmt.Errorf("%s:%s: %w", path, w.place(field), err)
		}
		plans = append(plans, p)
	}
	return plans, nil
}

var (
	planName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)
	dayNames = []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"}
)

// plan is what was written, or which field is wrong and why.
func (w written) plan(local *time.Location) (p Plan, field string, err error) {
	p = Plan{Name: w.Name, Zone: local, From: w.From, Batch: w.Batch, PerAccountAndDay: w.PerAccountAndDay, Missed: w.Missed}
	if !planName.MatchString(w.Name) {
		return p, "name", fmt.Errorf("a plan's name is made of small letters, digits, '-' and '_', and not %q", w.Name)
	}
	if len(w.At) == 0 {
		return p, "at", errors.New(`it has no time: write at: ["09:00", "18:30"]`)
	}
	for _, text := range w.At {
		at, err := clock(text)
		if err != nil {
			return p, "at", err
		}
		if slices.Contains(p.At, at) {
			return p, "at", fmt.Errorf("%s is there twice", text)
		}
		p.At = append(p.At, at)
	}
	for _, name := range w.Days {
		i := slices.Index(dayNames, strings.ToLower(name))
		if i < 0 {
			return p, "days", fmt.Errorf("%q is no day: write mon, tue, wed, thu, fri, sat or sun", name)
		}
		p.Days = append(p.Days, time.Weekday(i))
	}
	if w.Zone != "" {
		if p.Zone, err = time.LoadLocation(w.Zone); err != nil || w.Zone == "Local" {
			return p, "zone", fmt.Errorf("%q is no time zone: write one like Europe/Berlin", w.Zone)
		}
	}
	if w.From == "" {
		return p, "from", errors.New("it has no source: write from: posts.csv, or a folder of such files")
	}
	if w.PerAccountAndDay < 0 {
		return p, "per_account_and_day", fmt.Errorf("%d is less than nothing", w.PerAccountAndDay)
	}
	switch p.Missed {
	case "":
		p.Missed = Once
	case Once, Skip:
	default:
		return p, "missed", fmt.Errorf("%q is none of %s and %s", w.Missed, Once, Skip)
	}
	if p.Batch == "" {
		p.Batch = "{plan}-{date}-{time}"
	}
	return p, "batch", p.names()
}

// names says what is wrong with the pattern: two appointments must not share a batch, since how many posts a day had could not be told.
func (p Plan) names() error {
	rest := strings.NewReplacer("{plan}", "", "{date}", "", "{time}", "").Replace(p.Batch)
	switch {
	case strings.ContainsAny(rest, "{}"):
		return fmt.Errorf("%q: only {plan}, {date} and {time} are filled in", p.Batch)
	case !strings.Contains(p.Batch, "{date}"):
		return fmt.Errorf("%q: without {date} each day has the same batch", p.Batch)
	case len(p.At) > 1 && !strings.Contains(p.Batch, "{time}"):
		return fmt.Errorf("%q: without {time} the batches of one day have the same name", p.Batch)
	}
	return nil
}

// clock reads a time of day, 09:00 or 09:00:30.
func clock(text string) (time.Duration, error) {
	for _, layout := range []string{"15:04", "15:04:05"} {
		if t, err := time.Parse(layout, text); err == nil && len(text) == len(layout) {
			return t.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC)), nil
		}
	}
	return 0, fmt.Errorf(`%q is no time of day: write "09:00", in quotes`, text)
}

// place is where a field of the plan stands, or the plan, as line:column.
func (w written) place(field string) string {
	token := w.node.GetToken()
	if m, ok := w.node.(*ast.MappingNode); ok {
		for i, pair := range m.Values {
			if i == 0 || pair.Key.String() == field {
				token = pair.Key.GetToken()
			}
		}
	}
	if token == nil || token.Position == nil {
		return "1:1"
	}
	return fmt.Sprintf("%d:%d", token.Position.Line, token.Position.Column)
}

// placed says an error of the YAML library as path:line:column: message, without its excerpt of the file.
func placed(path string, err error) error {
	var located yaml.Error
	if errors.As(err, &located) {
		message, _, _ := strings.Cut(located.GetMessage(), "\n")
		if token := located.GetToken(); token != nil && token.Position != nil {
			return fmt.Errorf("%s:%d:%d: %s", path, token.Position.Line, token.Position.Column, message)
		}
		return fmt.Errorf("%s: %s", path, message)
	}
	return fmt.Errorf("%s: not YAML", path)
}
