package posts

import "strings"

// formulaStarts begin what a spreadsheet may take for a formula, by OWASP's list: the full-width forms count too, some spreadsheets read
// them as the plain ones.
const formulaStarts = "=+-@\t\r\n＝＋－＠"

// guard is put before such a cell: a spreadsheet shows it, and takes the rest for text.
const guard = "'"

// startsFormula says that a text begins a formula, behind any number of guards. Those behind guards count too, so that disarm and rearm
// are each other's reverse for every text.
func startsFormula(s string) bool {
	s = strings.TrimLeft(s, guard)
	return s != "" && strings.IndexAny(s, formulaStarts) == 0
}

// disarm makes text that came from outside harmless in a spreadsheet.
func disarm(s string) string {
	if startsFormula(s) {
		return guard + s
	}
	return s
}

// rearm takes away what disarm put before a text.
func rearm(s string) string {
	if strings.HasPrefix(s, guard) && startsFormula(s) {
		return s[len(guard):]
	}
	return s
}
