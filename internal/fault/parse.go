package fault

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"

	"reelpass/internal/reel"
)

// maxFile bounds a rules file; the built-in rules are a twentieth of it.
const maxFile = 1 << 20

// file is a rules file as it is written.
type file struct {
	// Replace says that the built-in rules shall not be tried behind these.
	Replace  bool     `yaml:"replace"`
	Defaults defaults `yaml:"defaults"`
	// Words are named lists of words for the near fields of the rules.
	Words map[string][]string `yaml:"words"`
	Rules []ruleNode          `yaml:"rules"`
}

// defaults are taken by each rule of the file that does not say otherwise.
type defaults struct {
	Category reel.Category `yaml:"category"`
	Sources  []reel.Source `yaml:"sources"`
	In       View          `yaml:"in"`
}

// ruleNode is a rule that remembers where it stood.
type ruleNode struct {
	Rule
	near []near
	node ast.Node
}

// UnmarshalYAML reads a rule strictly and keeps its place for messages.
func (r *ruleNode) UnmarshalYAML(node ast.Node) error {
	r.node = node
	plain, parts, err := split(node)
	if err != nil {
		return err
	}
	if err := yaml.NodeToValue(plain, &r.Rule, yaml.Strict()); err != nil {
		return err
	}
	parts.fill(&r.Rule)
	r.near = parts.near
	return nil
}

// at is the place of one field of the rule, or of the rule, as line:column.
func (r *ruleNode) at(field string) string {
	token := r.node.GetToken()
	if m, ok := r.node.(*ast.MappingNode); ok {
		for i, pair := range m.Values {
			if i == 0 {
				token = pair.Key.GetToken()
			}
			if pair.Key.String() == field {
				token = pair.Key.GetToken()
				break
			}
		}
	}
	if token == nil || token.Position == nil {
		return "1:1"
	}
	return fmt.Sprintf("%d:%d", token.Position.Line, token.Position.Column)
}

// Parse reads a rules file. name is for messages only. Anything it does not understand is an error that begins with
// name:line:column: unknown fields, categories, sources and views, an expression that is not RE2, a rule that could never
// hit or would always hit, and an id given twice. It never panics.
func Parse(name string, data []byte) (*Rules, error) {
	list, replace, err := parseFile(name, data)
	if err != nil {
		return nil, err
	}
	rules, err := build(list)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	rules.alone = replace
	return rules, nil
}

// parseFile reads and checks the rules of a file, and whether they replace all others.
func parseFile(name string, data []byte) (list []Rule, replace bool, err error) {
	var f file
	if err := decode(name, data, &f); err != nil {
		return nil, false, err
	}
	list = make([]Rule, 0, len(f.Rules))
	seen := map[string]string{}
	for i := range f.Rules {
		node := &f.Rules[i]
		if node.node == nil {
			return nil, false, fmt.Errorf("%s: rule %d is empty", name, i+1)
		}
		rule := node.Rule
		rule.File = name
		for _, n := range node.near {
			expr, err := n.expression(f.Words)
			if err != nil {
				return nil, false, fmt.Errorf("%s:%s: rule %q: %w", name, node.at("near"), rule.ID, err)
			}
			rule.Match = strings.TrimPrefix(rule.Match+"|"+expr, "|")
		}
		if rule.Category == "" {
			rule.Category = f.Defaults.Category
		}
		if rule.Sources == nil {
			rule.Sources = f.Defaults.Sources
		}
		if rule.In == "" {
			rule.In = f.Defaults.In
		}
		if rule.In == "" {
			rule.In = Words
		}
		if field, why := rule.Fault(); why != "" {
			return nil, false, fmt.Errorf("%s:%s: rule %q: %s", name, node.at(field), rule.ID, why)
		}
		if first, twice := seen[rule.ID]; twice {
			return nil, false, fmt.Errorf("%s:%s: rule %q is already at %s", name, node.at("id"), rule.ID, first)
		}
		seen[rule.ID] = node.at("id")
		list = append(list, rule)
	}
	return list, f.Replace, nil
}

// parseCases reads a case file: a list of cases.
func parseCases(name string, data []byte) ([]Case, error) {
	var f struct {
		Cases []Case `yaml:"cases"`
	}
	if err := decode(name, data, &f); err != nil {
		return nil, err
	}
	for i, c := range f.Cases {
		if why := c.fault(); why != "" {
			return nil, fmt.Errorf("%s: case %d: %s", name, i+1, why)
		}
	}
	return f.Cases, nil
}

// decode reads strict YAML of one document.
func decode(name string, data []byte, into any) (err error) {
	// The YAML library has panicked on malformed input before; a user's file must not take the program down.
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%s: not readable as YAML", name)
		}
	}()
	if len(data) > maxFile {
		return fmt.Errorf("%s: %d bytes are too many for a rules file, at most %d", name, len(data), maxFile)
	}
	tree, err := parser.ParseBytes(data, 0)
	if err != nil {
		return placed(name, err)
	}
	switch {
	case len(tree.Docs) > 1:
		return fmt.Errorf("%s: more than one YAML document", name)
	case len(tree.Docs) == 0 || tree.Docs[0].Body == nil:
		return nil
	}
	if err := yaml.NodeToValue(tree.Docs[0].Body, into, yaml.Strict()); err != nil {
		return placed(name, err)
	}
	return nil
}

// placed says an error of the YAML library as name:line:column: message.
func placed(name string, err error) error {
	var located yaml.Error
	if errors.As(err, &located) {
		if token := located.GetToken(); token != nil && token.Position != nil {
			return fmt.Errorf("%s:%d:%d: %s", name, token.Position.Line, token.Position.Column, located.GetMessage())
		}
		return fmt.Errorf("%s: %s", name, located.GetMessage())
	}
	return fmt.Errorf("%s: %w", name, err)
}

// Fault says what is wrong with a rule and which field shows it; "" means nothing.
func (r *Rule) Fault() (field, why string) {
	switch {
	case r.ID == "":
		return "id", "it has no id"
	case strings.ContainsFunc(r.ID, func(c rune) bool {
		return (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '-' && c != '_' && c != '.'
	}):
		return "id", "an id is made of small letters, digits, '-', '_' and '.'"
	case !slices.Contains(reel.Categories(), r.Category):
		return "category", fmt.Sprintf("category %q is none of %v", r.Category, reel.Categories())
	case r.In != Words && r.In != Said && r.In != Prose:
		return "in", fmt.Sprintf("in %q is none of [%s %s %s]", r.In, Words, Said, Prose)
	case len(r.Codes) == 0 && len(r.Texts) == 0 && r.Match == "":
		return "id", "it is empty: give it codes, texts or match"
	}
	if field, why := r.pauseFault(); why != "" {
		return field, why
	}
	for _, source := range r.Sources {
		if !slices.Contains(reel.Sources(), source) {
			return "sources", fmt.Sprintf("source %q is none of %v", source, reel.Sources())
		}
	}
	for _, code := range r.Codes {
		if _, err := parseCode(code); err != nil {
			return "codes", err.Error()
		}
	}
	for _, list := range []struct {
		field string
		texts []string
	}{{"texts", r.Texts}, {"and", r.And}, {"not", r.Not}} {
		for _, text := range list.texts {
			if len(normalise(text)) < shortest {
				return list.field, fmt.Sprintf("text %q is too short to mean anything", text)
			}
		}
	}
	for _, expr := range []struct{ field, text string }{{"match", r.Match}, {"not_match", r.NotMatch}} {
		if expr.text == "" {
			continue
		}
		re, err := compile(expr.text)
		if err != nil {
			return expr.field, err.Error()
		}
		if re.MatchString("") {
			return expr.field, "the expression matches everything"
		}
	}
	for i, c := range r.Cases {
		if why := c.fault(); why != "" {
			return "cases", fmt.Sprintf("case %d: %s", i+1, why)
		}
	}
	return "", ""
}

// pauseFault says what is wrong with the time that a rule asks for.
func (r *Rule) pauseFault() (field, why string) {
	d, err := time.ParseDuration(r.RetryAfter)
	switch {
	case r.RetryAfter != "" && (err != nil || d <= 0 || d > longest):
		return "retry_after", fmt.Sprintf("retry_after %q is no time to wait, as 90s, 15m or 24h", r.RetryAfter)
	case r.Holds != "" && r.Holds != reel.HoldsAccount && r.Holds != reel.HoldsPublisher:
		return "holds", fmt.Sprintf("holds %q is none of [%s %s]", r.Holds, reel.HoldsAccount, reel.HoldsPublisher)
	case r.RetryAfter != "" && (r.Category == reel.Content || r.Category == reel.Account && r.Type != rateLimited):
		return "retry_after", "trouble with content or an account does not pass with time, but for type " + rateLimited
	case r.Holds == reel.HoldsPublisher && r.Category != reel.Infrastructure && r.Category != reel.Unknown:
		return "holds", "only trouble of category infrastructure or unknown holds the publisher"
	}
	return "", ""
}

// fault says what is wrong with a case; "" means nothing.
func (c Case) fault() string {
	category, _, _ := strings.Cut(c.Want, "/")
	switch {
	case c.Text == "" && c.Code == "":
		return "it has neither text nor code"
	case c.Want != "" && !slices.Contains(reel.Categories(), reel.Category(category)):
		return fmt.Sprintf("want %q is none of %v", c.Want, reel.Categories())
	case c.Source != "" && !slices.Contains(reel.Sources(), c.Source):
		return fmt.Sprintf("source %q is none of %v", c.Source, reel.Sources())
	}
	return ""
}

// compile makes an expression over normalised text.
func compile(expr string) (*regexp.Regexp, error) { return regexp.Compile(lower(expr)) }
