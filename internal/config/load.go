package config

import (
	"bytes"
	"errors"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
	"github.com/goccy/go-yaml/token"
)

// Load makes the settings out of defaults, then the file's text, then the environment, each over the one before.
// Flags come last and are the caller's. path names the file in messages and is not opened; data is nil or empty where
// there is none; getenv answers "" for a variable that is not set, and a variable set to nothing counts as not set.
//
// An unknown key, a key given twice and a value of the wrong kind are refused with path:line:column; a bad value of the
// environment with the name of its variable. Load does not validate: a flag may still mend what the file says.
func Load(path string, data []byte, getenv func(string) string) (Settings, error) {
	s := Default()
	table := entries(&s)
	if err := fromFile(path, data, table); err != nil {
		return Settings{}, err
	}
	if err := fromEnv(getenv, table); err != nil {
		return Settings{}, err
	}
	return s, nil
}

func fromEnv(getenv func(string) string, table []entry) error {
	if getenv == nil {
		return nil
	}
	for _, e := range table {
		text := strings.TrimSpace(getenv(envName(e.name)))
		if text == "" {
			continue
		}
		if err := set(e.at, text); err != nil {
			return fmt.Errorf("%s: %w", envName(e.name), err)
		}
	}
	return nil
}

// reader walks the parsed file. It works on the syntax tree and not through struct tags, because the library's decoder
// converts what we want refused (a text to a number, a number to true) and words its errors in Go's types.
type reader struct {
	path  string
	table map[string]entry
}

func fromFile(path string, data []byte, table []entry) error {
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	if !utf8.Valid(data) {
		return fmt.Errorf("%s: not UTF-8 text", path)
	}
	file, err := parser.ParseBytes(data, 0)
	if err != nil {
		return syntaxError(path, err)
	}
	r := reader{path: path, table: make(map[string]entry, len(table))}
	for _, e := range table {
		r.table[e.name] = e
	}
	if len(file.Docs) > 1 && file.Docs[1].Body != nil {
		return r.refuse(file.Docs[1].Body, "a second document")
	}
	for _, doc := range file.Docs {
		if err := r.section(doc.Body, ""); err != nil {
			return err
		}
	}
	return nil
}

// syntaxError keeps the place and the first line of the library's message, and drops its excerpt of the file: a file may
// hold a password, and a message is printed and logged.
func syntaxError(path string, err error) error {
	var y yaml.Error
	if !errors.As(err, &y) {
		return fmt.Errorf("%s: not YAML", path)
	}
	message, _, _ := strings.Cut(y.GetMessage(), "\n")
	return fmt.Errorf("%s:%s%s", path, place(y.GetToken()), message)
}

// place is "line:column: ", or a space where the library does not say.
func place(t *token.Token) string {
	if t == nil || t.Position == nil {
		return " "
	}
	return fmt.Sprintf("%d:%d: ", t.Position.Line, t.Position.Column)
}

func (r reader) refuse(node ast.Node, format string, args ...any) error {
	return fmt.Errorf("%s:%s%s", r.path, place(node.GetToken()), fmt.Sprintf(format, args...))
}

// section reads a mapping whose keys begin with prefix ("" or "command.").
func (r reader) section(node ast.Node, prefix string) error {
	var values []*ast.MappingValueNode
	switch n := node.(type) {
	case nil, *ast.NullNode, *ast.CommentGroupNode:
		return nil
	case *ast.MappingNode:
		values = n.Values
	case *ast.MappingValueNode:
		values = []*ast.MappingValueNode{n}
	default:
		return r.refuse(node, "%s: want keys with values, not %s", orFile(prefix), nodeKind(node))
	}
	for _, v := range values {
		if err := r.value(v, prefix); err != nil {
			return err
		}
	}
	return nil
}

func (r reader) value(v *ast.MappingValueNode, prefix string) error {
	key, ok := v.Key.(*ast.StringNode)
	if !ok {
		return r.refuse(v.Key, "unknown key in %s", orFile(prefix))
	}
	name := prefix + key.Value
	if prefix == "" && slices.ContainsFunc(Keys(), func(k Key) bool { return strings.HasPrefix(k.Name, name+".") }) {
		return r.section(v.Value, name+".")
	}
	e, ok := r.table[name]
	if !ok || strings.Contains(key.Value, ".") {
		return r.refuse(key, "unknown key %q in %s", key.Value, orFile(prefix))
	}
	if list, ok := e.at.(*Secrets); ok {
		return r.list(name, v.Value, (*[]string)(list))
	}
	if list, ok := e.at.(*[]string); ok {
		return r.list(name, v.Value, list)
	}
	text, ok := scalar(v.Value, kindOf(e.at))
	if !ok {
		return r.refuse(v.Value, "%s: want %s, not %s", name, article(kindOf(e.at)), nodeKind(v.Value))
	}
	if err := set(e.at, text); err != nil {
		return r.refuse(v.Value, "%s: %v", name, err)
	}
	return nil
}

func (r reader) list(name string, node ast.Node, into *[]string) error {
	sequence, ok := node.(*ast.SequenceNode)
	if !ok {
		return r.refuse(node, "%s: want a list like [a, b], not %s", name, nodeKind(node))
	}
	*into = nil
	for _, item := range sequence.Values {
		text, ok := scalar(item, kindText)
		if !ok {
			return r.refuse(item, "%s: want text in the list, not %s", name, nodeKind(item))
		}
		*into = append(*into, text)
	}
	return nil
}

// scalar is the text of a plain value that suits a kind. A number suits text as it is written, since an account may be
// called 0123; text does not suit a number, and only true and false are true and false.
func scalar(node ast.Node, kind string) (string, bool) {
	switch n := node.(type) {
	case *ast.StringNode:
		return n.Value, kind == kindText || kind == kindDuration || kind == kindSize
	case *ast.LiteralNode:
		return n.Value.Value, kind == kindText
	case *ast.IntegerNode:
		return n.GetToken().Value, kind != kindBool
	case *ast.FloatNode:
		return n.GetToken().Value, kind == kindText || kind == kindDuration
	case *ast.BoolNode:
		return fmt.Sprint(n.Value), kind == kindBool
	}
	return "", false
}

// nodeKind names what stands in the file without quoting it: a misplaced value may be a secret.
func nodeKind(node ast.Node) string {
	switch node.(type) {
	case *ast.StringNode, *ast.LiteralNode:
		return "text"
	case *ast.FloatNode:
		return "a fraction"
	case *ast.IntegerNode, *ast.InfinityNode, *ast.NanNode:
		return "a number"
	case *ast.BoolNode:
		return "true or false"
	case *ast.NullNode, nil:
		return "nothing"
	case *ast.SequenceNode:
		return "a list"
	case *ast.MappingNode, *ast.MappingValueNode:
		return "keys with values"
	case *ast.AnchorNode, *ast.AliasNode, *ast.TagNode:
		return "an anchor, alias or tag"
	}
	return "something else"
}

func article(kind string) string {
	switch kind {
	case kindWhole, kindDuration, kindSize, kindList:
		return "a " + kind
	}
	return kind
}

func orFile(prefix string) string {
	if prefix == "" {
		return "the file"
	}
	return strings.TrimSuffix(prefix, ".")
}
