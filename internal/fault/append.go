package fault

import (
	"bytes"
	"errors"
	"fmt"
	"reflect"
	"strings"

	"github.com/goccy/go-yaml/ast"
	"github.com/goccy/go-yaml/parser"
)

// Append puts the rules of one file behind those of another and returns its new text: all bytes that were there stand as they stood, comments
// too. It fails, and says why, where that cannot be done by adding lines at the end, or where they would mean something else there. name
// and extra name the files in messages. An empty text is a new file.
func Append(name string, text []byte, extra string, added []byte) ([]byte, error) {
	want, _, err := parseFile(extra, added)
	if err != nil {
		return nil, err
	}
	if len(want) == 0 {
		return nil, fmt.Errorf("%s: it has no rules", extra)
	}
	lines, from, err := items(extra, added)
	if err != nil {
		return nil, err
	}
	had, replace, err := parseFile(name, text)
	if err != nil {
		return nil, err
	}
	to := 2
	if len(had) > 0 {
		if to, err = lastList(name, text); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	out.Write(text)
	if len(text) > 0 && !bytes.HasSuffix(text, []byte("\n")) {
		out.WriteByte('\n')
	}
	if _, err := mapping(name, text); err != nil { // it was parsed before: there is nothing in it, or comments alone
		out.WriteString("rules:\n")
	}
	for _, line := range lines {
		if blank := len(line) - len(strings.TrimLeft(line, " ")); strings.TrimSpace(line) != "" {
			line = strings.Repeat(" ", max(0, to+blank-from)) + line[blank:]
		}
		out.WriteString(line + "\n")
	}
	got, replaces, err := parseFile(name, out.Bytes())
	switch {
	case err != nil:
		return nil, err
	case replaces != replace || len(got) != len(had)+len(want) || !sameRules(got[:len(had)], had) || !sameRules(got[len(had):], want):
		return nil, fmt.Errorf("%s: the rules would mean something else there (its defaults or words count for them too); put them there by hand", name)
	}
	return out.Bytes(), nil
}

func sameRules(a, b []Rule) bool {
	for i := range a {
		x, y := a[i], b[i]
		if x.File, y.File = "", ""; !reflect.DeepEqual(x, y) {
			return false
		}
	}
	return true
}

// items are the lines of a file's list of rules, and the column at which they stand.
func items(name string, text []byte) (lines []string, column int, err error) {
	body, err := mapping(name, text)
	if err != nil {
		return nil, 0, err
	}
	if len(body) != 1 || body[0].Key.String() != "rules" {
		return nil, 0, fmt.Errorf("%s: give a file of rules alone, without defaults, words or replace", name)
	}
	if column, err = lastList(name, text); err != nil {
		return nil, 0, err
	}
	first := body[0].Value.(*ast.SequenceNode).Start.Position.Line // the line of the first dash
	return strings.Split(strings.TrimRight(string(text), "\n"), "\n")[first-1:], column, nil
}

// lastList is the column of the rules of a file, if they are its last key and written line by line.
func lastList(name string, text []byte) (column int, err error) {
	body, err := mapping(name, text)
	if err != nil {
		return 0, err
	}
	last := body[len(body)-1]
	list, ok := last.Value.(*ast.SequenceNode)
	if last.Key.String() != "rules" || !ok || list.IsFlowStyle || list.Start == nil || list.Start.Position == nil {
		return 0, fmt.Errorf("%s: rules is not its last key, or they are not written one below the other; put the new ones there by hand", name)
	}
	return list.Start.Position.Column - 1, nil
}

// mapping are the keys of a file that was parsed before.
func mapping(name string, text []byte) (pairs []*ast.MappingValueNode, err error) {
	defer func() {
		if recover() != nil {
			err = fmt.Errorf("%s: not readable as YAML", name)
		}
	}()
	tree, err := parser.ParseBytes(text, 0)
	if err != nil {
		return nil, placed(name, err)
	}
	if len(tree.Docs) == 0 {
		return nil, errors.New(name + ": it is empty")
	}
	switch n := tree.Docs[0].Body.(type) {
	case *ast.MappingNode:
		pairs = n.Values
	case *ast.MappingValueNode:
		pairs = []*ast.MappingValueNode{n}
	}
	if len(pairs) == 0 {
		return nil, errors.New(name + ": it has no keys")
	}
	return pairs, nil
}
