package fault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
)

// Long lists and expressions may be written in parts, for the reader's sake: `texts`, `and` and `not` as lists under headings
// (a language, a kind of machine), `match` and `not_match` as a list of alternatives, and `near` for words that stand close to
// each other in any order. What is written so becomes the plain fields of Rule.

// near matches where one word of each list is found, in any order, at most Within characters after the one before. The lists
// are named, and stand at the head of the file under `words`; their words are expressions.
type near struct {
	Within int      `yaml:"within"`
	Of     []string `yaml:"of"`
}

// farthest bounds Within: RE2 unrolls a repetition.
const farthest = 500

// parts are the fields of a rule that were written in parts.
type parts struct {
	near            []near
	texts, and, not []string
	match, notMatch string
}

// fill puts the fields that were written in parts into a rule.
func (p *parts) fill(rule *Rule) {
	rule.Texts = append(rule.Texts, p.texts...)
	rule.And = append(rule.And, p.and...)
	rule.Not = append(rule.Not, p.not...)
	rule.Match += p.match
	rule.NotMatch += p.notMatch
}

// split takes the fields that are written in parts out of a rule, and leaves the plain ones.
func split(node ast.Node) (plain ast.Node, p parts, err error) {
	m, ok := node.(*ast.MappingNode)
	if !ok {
		return node, p, nil
	}
	rest := *m
	rest.Values = nil
	for _, pair := range m.Values {
		written, _ := pair.Value.(*ast.MappingNode)
		_, isList := pair.Value.(*ast.SequenceNode)
		switch key := pair.Key.String(); {
		case key == "near":
			err = yaml.NodeToValue(pair.Value, &p.near, yaml.Strict())
		case key == "texts" && written != nil:
			p.texts, err = underHeadings(written)
		case key == "and" && written != nil:
			p.and, err = underHeadings(written)
		case key == "not" && written != nil:
			p.not, err = underHeadings(written)
		case key == "match" && isList:
			p.match, err = alternatives(pair.Value)
		case key == "not_match" && isList:
			p.notMatch, err = alternatives(pair.Value)
		default:
			rest.Values = append(rest.Values, pair)
		}
		if err != nil {
			return nil, p, err
		}
	}
	return &rest, p, nil
}

// alternatives is one expression of a list of them.
func alternatives(node ast.Node) (string, error) {
	var list []string
	err := yaml.NodeToValue(node, &list, yaml.Strict())
	return strings.Join(list, "|"), err
}

// underHeadings is one list of the lists under headings, in the order in which they are written.
func underHeadings(parts *ast.MappingNode) ([]string, error) {
	all := []string{}
	for _, part := range parts.Values {
		var texts []string
		if err := yaml.NodeToValue(part.Value, &texts, yaml.Strict()); err != nil {
			return nil, err
		}
		all = append(all, texts...)
	}
	return all, nil
}

// expression writes a near as the alternatives of an expression, one for each order of its lists.
func (n near) expression(words map[string][]string) (string, error) {
	switch {
	case len(n.Of) < 2 || len(n.Of) > 3:
		return "", fmt.Errorf("near takes two or three lists of words, not %d", len(n.Of))
	case n.Within < 1 || n.Within > farthest:
		return "", fmt.Errorf("near within %d is not from 1 to %d", n.Within, farthest)
	}
	var groups []string
	for _, name := range n.Of {
		list := words[name]
		if len(list) == 0 {
			return "", fmt.Errorf("the file has no words %q", name)
		}
		groups = append(groups, "(?:"+strings.Join(list, "|")+")")
	}
	gap := fmt.Sprintf(".{0,%d}", n.Within)
	var orders []string
	for _, order := range permutations(groups) {
		orders = append(orders, strings.Join(order, gap))
	}
	return strings.Join(orders, "|"), nil
}

func permutations(list []string) [][]string {
	if len(list) < 2 {
		return [][]string{list}
	}
	var all [][]string
	for i := range list {
		rest := slices.Delete(slices.Clone(list), i, i+1)
		for _, tail := range permutations(rest) {
			all = append(all, append([]string{list[i]}, tail...))
		}
	}
	return all
}
