package schedule

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	_ "time/tzdata" // one binary knows every zone, also on a machine that has none
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
	"github.com/robfig/cron/v3"
)

const (
	maxFile  = 1 << 20 // bytes of a schedule
	maxPlans = 1000
	// usualBatch is what batches are called where a plan does not say.
	usualBatch = "{plan}-{date}-{time}"
)

// reader walks the parsed file, as that of config does: the library's decoder would convert what is to be refused.
type reader struct {
	name  string
	local *time.Location
}

// Parse reads a schedule. name is for messages only, and local is the zone of plans that name none. Whatever it does not understand is an error that begins with name:line:column:
// unknown keys, a time or a zone that is none, a line of cron that never comes, and plans whose batches could have the same name. It
// never panics.
func Parse(name string, data []byte, local *time.Location) (plans []Plan, err error) {
	defer func() { // the libraries have panicked on malformed input before; a user's file must not take the program down
		if recover() != nil {
			plans, err = nil, fmt.Errorf("%s: not readable as a schedule", name)
		}
	}()
	r := reader{name, local}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	switch {
	case len(data) > maxFile:
		return nil, fmt.Errorf("%s: %d bytes are too many for a schedule, at most %d", name, len(data), maxFile)
	case !utf8.Valid(data):
		return nil, fmt.Errorf("%s: not UTF-8 text", name)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return nil, r.syntax(err)
	}
	if len(file.Docs) > 1 && file.Docs[1].Body != nil {
		return nil, r.refuse(file.Docs[1].Body, "a second document")
	}
	if len(file.Docs) == 0 || file.Docs[0].Body == nil {
		return nil, fmt.Errorf("%s:1:1: there is no plan in it; a schedule begins with the key plans", name)
	}
	top, err := r.keys(file.Docs[0].Body, "a schedule", "plans")
	if err != nil {
		return nil, err
	}
	list, ok := top["plans"].(*ast.SequenceNode)
	if !ok || len(list.Values) == 0 {
		return nil, r.refuse(file.Docs[0].Body, "plans: want a list of plans")
	}
	if len(list.Values) > maxPlans {
		return nil, r.refuse(list, "%d plans are too many, at most %d", len(list.Values), maxPlans)
	}
	for _, node := range list.Values {
		p, fields, err := r.plan(node)
		if err != nil {
			return nil, err
		}
		if err := r.distinct(plans, p, node, fields); err != nil {
			return nil, err
		}
		plans = append(plans, p)
	}
	return plans, nil
}

// distinct refuses a plan that could not be told from another one.
func (r reader) distinct(plans []Plan, p Plan, node ast.Node, fields map[string]ast.Node) error {
	for _, o := range plans {
		if o.Name == p.Name {
			return r.refuse(fields["name"], "name: there is another plan called %s", p.Name)
		}
		if strings.ReplaceAll(o.Batch, "{plan}", o.Name) == strings.ReplaceAll(p.Batch, "{plan}", p.Name) {
			at := fields["batch"]
			if at == nil {
				at = node
			}
			return r.refuse(at, "batch: those of plan %s are called the same; put {plan} into the pattern", o.Name)
		}
	}
	return nil
}

func (r reader) plan(node ast.Node) (Plan, map[string]ast.Node, error) {
	fields, err := r.keys(node, "a plan", "name", "at", "cron", "zone", "days", "from", "batch", "per_account_and_day", "missed")
	if err != nil {
		return Plan{}, nil, err
	}
	p := Plan{Zone: r.local, Batch: usualBatch, Missed: Once}
	for _, need := range []string{"name", "from"} {
		if fields[need] == nil {
			return p, nil, r.refuse(node, "a plan needs %s", need)
		}
	}
	for _, f := range []struct {
		key string
		set func(*Plan, string) string
	}{
		{"name", (*Plan).setName},
		{"zone", (*Plan).setZone},
		{"from", (*Plan).setFrom},
		{"cron", (*Plan).setCron},
		{"per_account_and_day", (*Plan).setPerDay},
		{"missed", (*Plan).setMissed},
	} {
		if fields[f.key] == nil {
			continue
		}
		text, ok := scalar(fields[f.key])
		if !ok {
			return p, nil, r.refuse(fields[f.key], "%s: want one value", f.key)
		}
		if problem := f.set(&p, text); problem != "" {
			return p, nil, r.refuse(fields[f.key], "%s: %s", f.key, problem)
		}
	}
	if err := r.times(&p, node, fields); err != nil {
		return p, nil, err
	}
	if at := fields["batch"]; at != nil {
		text, ok := scalar(at)
		if problem := p.setBatch(text); !ok || problem != "" {
			return p, nil, r.refuse(at, "batch: %s", orElse(problem, "want one value"))
		}
	}
	return p, fields, nil
}

func orElse(text, other string) string {
	if text == "" {
		return other
	}
	return text
}

// times reads at and days, where there is no cron.
func (r reader) times(p *Plan, node ast.Node, fields map[string]ast.Node) error {
	switch {
	case fields["at"] != nil && fields["cron"] != nil:
		return r.refuse(fields["cron"], "cron: give either at or cron")
	case fields["at"] == nil && fields["cron"] == nil:
		return r.refuse(node, "a plan needs at or cron")
	case fields["cron"] != nil && fields["days"] != nil:
		return r.refuse(fields["days"], "days: a line of cron has its own")
	case fields["cron"] != nil:
		return nil
	}
	if err := r.each("at", fields["at"], p.addTime); err != nil || fields["days"] == nil {
		return err
	}
	return r.each("days", fields["days"], p.addDay)
}

// each goes through a list, or a single value.
func (r reader) each(key string, node ast.Node, do func(text string) (problem string)) error {
	items := []ast.Node{node}
	if list, ok := node.(*ast.SequenceNode); ok {
		items = list.Values
	}
	if len(items) == 0 {
		return r.refuse(node, "%s: the list is empty", key)
	}
	for _, item := range items {
		text, ok := scalar(item)
		if !ok {
			return r.refuse(item, "%s: want a list like [a, b]", key)
		}
		if problem := do(text); problem != "" {
			return r.refuse(item, "%s: %s", key, problem)
		}
	}
	return nil
}

// addTime reads a time of day, 09:00 or 09:00:30.
func (p *Plan) addTime(text string) string {
	at, err := time.Parse(time.TimeOnly, text)
	if err != nil {
		at, err = time.Parse("15:04", text)
	}
	if err != nil || len(text) != len("15:04") && len(text) != len(time.TimeOnly) {
		return fmt.Sprintf("%q is no time of day like 09:00", text)
	}
	since := at.Sub(time.Date(0, 1, 1, 0, 0, 0, 0, time.UTC))
	if slices.Contains(p.At, since) {
		return text + " stands there twice"
	}
	p.At = append(p.At, since)
	return ""
}

func dayNames() []string { return []string{"sun", "mon", "tue", "wed", "thu", "fri", "sat"} }

func (p *Plan) addDay(text string) string {
	day := time.Weekday(slices.Index(dayNames(), strings.ToLower(text)))
	switch {
	case day < 0:
		return fmt.Sprintf("%q is none of %v", text, dayNames())
	case slices.Contains(p.Days, day):
		return text + " stands there twice"
	}
	p.Days = append(p.Days, day)
	return ""
}

var planName = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]{0,39}$`)

func (p *Plan) setName(text string) string {
	if !planName.MatchString(text) {
		return "want up to 40 small letters, digits, '-' and '_'"
	}
	p.Name = text
	return ""
}

func (p *Plan) setZone(text string) string {
	zone, err := time.LoadLocation(text)
	if err != nil || text == "" || text == "Local" {
		return fmt.Sprintf("%q is no time zone like Europe/Berlin or UTC", text)
	}
	p.Zone = zone
	return ""
}

func (p *Plan) setFrom(text string) string {
	if p.From = text; strings.TrimSpace(text) == "" {
		return "want a file or a folder"
	}
	return ""
}

func (p *Plan) setPerDay(text string) string {
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return "want a whole number of posts, 1 at least"
	}
	p.PerAccountAndDay = n
	return ""
}

func (p *Plan) setMissed(text string) string {
	if p.Missed = Missed(text); p.Missed != Skip && p.Missed != Once {
		return fmt.Sprintf("%q is none of [%s %s]", text, Once, Skip)
	}
	return ""
}

func (p *Plan) setCron(text string) string {
	if strings.Contains(text, "TZ=") {
		return "the zone stands in zone"
	}
	parsed, err := cron.NewParser(cron.SecondOptional | cron.Minute | cron.Hour | cron.Dom | cron.Month | cron.Dow | cron.Descriptor).Parse(text)
	if err != nil {
		return err.Error()
	}
	spec, ok := parsed.(*cron.SpecSchedule)
	if !ok {
		return "@every goes by no clock; write it as */5 * * * *"
	}
	if spec.Next(time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)).IsZero() {
		return "this day never comes"
	}
	p.Cron, p.cron = strings.Join(strings.Fields(text), " "), spec
	return ""
}

// setBatch comes after the times: which of its words a pattern must have depends on them.
func (p *Plan) setBatch(text string) string {
	rest := strings.NewReplacer("{plan}", "", "{date}", "", "{time}", "").Replace(text)
	switch {
	case strings.ContainsAny(rest, "{}"):
		return "it may hold {plan}, {date} and {time}"
	case strings.ContainsFunc(rest, func(c rune) bool { return c <= ' ' || c == '/' || c == '\\' || c == 127 }):
		return "a batch's name has no blank and no slash"
	case !strings.Contains(text, "{date}"):
		return "without {date} the batches of two days would have the same name"
	case !strings.Contains(text, "{time}") && len(p.At) != 1:
		return "without {time} two batches of a day could have the same name"
	}
	p.Batch = text
	return ""
}

// scalar is the text of a plain value, as it is written.
func scalar(node ast.Node) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, true
	case *ast.IntegerNode, *ast.FloatNode:
		return n.GetToken().Value, true
	}
	return "", false
}

// keys are the values of a mapping by their keys, all of which must be known.
func (r reader) keys(node ast.Node, of string, known ...string) (map[string]ast.Node, error) {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return nil, r.refuse(node, "%s consists of keys with values: %s", of, strings.Join(known, ", "))
	}
	fields := map[string]ast.Node{}
	for _, v := range values {
		key, ok := v.Key.(*ast.StringNode)
		if !ok || !slices.Contains(known, key.Value) {
			return nil, r.refuse(v.Key, "unknown key in %s: it has %s", of, strings.Join(known, ", "))
		}
		if fields[key.Value] != nil {
			return nil, r.refuse(v.Key, "%s stands there twice", key.Value)
		}
		fields[key.Value] = v.Value
	}
	return fields, nil
}

func (r reader) refuse(node ast.Node, format string, args ...any) error {
	if m, ok := node.(*ast.MappingNode); ok && len(m.Values) > 0 { // its own token is the colon
		node = m.Values[0].Key
	}
	if v, ok := node.(*ast.MappingValueNode); ok {
		node = v.Key
	}
	return fmt.Errorf("%s:%s %s", r.name, place(node.GetToken()), fmt.Sprintf(format, args...))
}

// syntax keeps the place and the first line of the library's message.
func (r reader) syntax(err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return fmt.Errorf("%s: not YAML", r.name)
	}
	message, _, _ := strings.Cut(y.GetMessage(), "\n")
	return fmt.Errorf("%s:%s %s", r.name, place(y.GetToken()), message)
}

func place(t *token.Token) string {
	if t == nil || t.Position == nil {
		return "1:1:"
	}
	return fmt.Sprintf("%d:%d:", t.Position.Line, t.Position.Column)
}
