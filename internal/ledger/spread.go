package ledger

import (
	"fmt"
	"slices"
	"strings"
)

// foreseen is a statement that waits to be sent.
type foreseen struct {
	about string // the account whose rows it touches; empty, and its place among the others counts
	query string
	args  []any
	rows  int64 // how many it will change, or certain
}

// together is statements of one text that the server carries out as one, with arrays for arguments: it is the number of
// statements that costs, more than that of rows.
type together struct {
	foreseen
	more     [][]any // the arguments of the others
	accounts []string
}

// gather puts statements of one text together. One comes forward only past statements about other accounts, since no row of
// jobs, attempts or the publish ledger belongs to two: so each finds what it would have found in its own place.
func gather(waiting []foreseen) []together {
	groups := make([]together, 0, 8)
	for _, f := range waiting {
		if g := joins(groups, f); g != nil {
			g.more = append(g.more, f.args)
			if g.accounts = append(g.accounts, f.about); g.rows != certain {
				g.rows += f.rows
			}
			continue
		}
		groups = append(groups, together{foreseen: f, accounts: []string{f.about}})
	}
	return groups
}

// joins finds the group that a statement may join.
func joins(groups []together, f foreseen) *together {
	for i := len(groups) - 1; i >= 0; i-- {
		g := &groups[i]
		switch {
		case g.about == "" || f.about == "":
			if i == len(groups)-1 && g.query == f.query && g.about == f.about && (f.rows == certain) == (g.rows == certain) {
				return g
			}
			return nil
		case slices.Contains(g.accounts, f.about):
			return nil
		case g.query == f.query && (f.rows == certain) == (g.rows == certain):
			return g
		}
	}
	return nil
}

// spread writes a statement so that it does for the rows of an array what it did for one: with as many arrays as it had
// arguments, of the given types. It is for the forms that changes are written in: INSERT with VALUES or SELECT, UPDATE and DELETE.
// Not ok, and it has another.
func spread(query string, types []string) (text string, ok bool) {
	arrays := make([]string, len(types))
	for i, t := range types {
		arrays[i] = fmt.Sprintf("$%d::%s[]", i+1, t)
	}
	rows := "unnest(" + strings.Join(arrays, ",") + ")"
	if head, rest, values := strings.Cut(query, "VALUES("+strings.TrimSuffix(strings.Repeat("?,", len(types)), ",")+")"); values {
		return head + "SELECT * FROM " + rows + rest, !strings.Contains(head+rest, "?")
	}
	columns := make([]string, len(types))
	for i := range types {
		columns[i] = fmt.Sprint("c", i+1)
	}
	source := rows + " AS v(" + strings.Join(columns, ",") + ")"
	word := " FROM "
	if strings.HasPrefix(query, "DELETE ") {
		word = " USING "
	}
	at := outerWhere(query)
	if at < 0 || strings.Contains(query, "VALUES") {
		return "", false
	}
	return replaced(query[:at]+word+source+query[at:], func(n int) string { return fmt.Sprint("v.c", n) }), true
}

// outerWhere is where the condition of a statement begins, the space before it included; -1 where it has none.
func outerWhere(query string) int {
	depth := 0
	for i, r := range query {
		switch r {
		case '(':
			depth++
		case ')':
			depth--
		case 'W':
			if depth == 0 && strings.HasPrefix(query[i:], "WHERE ") {
				return i - 1
			}
		}
	}
	return -1
}

// columnsOf turns the arguments of several statements of one text into arrays. Not ok, and there are such as have no array.
func columnsOf(first []any, more [][]any) (arrays []any, types []string, ok bool) {
	for i := range first {
		array, kind := arrayOf(len(more)+1, func(n int) any {
			if n == 0 {
				return first[i]
			}
			return more[n-1][i]
		})
		if array == nil {
			return nil, nil, false
		}
		arrays, types = append(arrays, array), append(types, kind)
	}
	return arrays, types, true
}

func arrayOf(n int, value func(int) any) (array any, kind string) {
	for i := range n {
		switch value(i).(type) {
		case nil:
			continue
		case string:
			return typed(n, value, func(v any) (s string, ok bool) { s, ok = v.(string); return }), "text"
		case bool:
			return typed(n, value, func(v any) (b bool, ok bool) { b, ok = v.(bool); return }), "boolean"
		}
		break
	}
	array = typed(n, value, func(v any) (int64, bool) {
		switch v := v.(type) {
		case int64:
			return v, true
		case int:
			return int64(v), true
		}
		return 0, false
	})
	return array, "bigint"
}

// typed is an array of one type, nil where a value has another.
func typed[T any](n int, value func(int) any, as func(any) (T, bool)) any {
	array := make([]*T, n)
	for i := range n {
		v := value(i)
		if v == nil {
			continue
		}
		one, ok := as(v)
		if !ok {
			return nil
		}
		array[i] = &one
	}
	return array
}
