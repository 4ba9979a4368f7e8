// Package console shows what happens to a person at a terminal, or to a script as JSON lines.
//
// It knows how events, statuses, jobs and holds look in text: banners, boxes, columns, display widths, colours, and how
// to make hostile text harmless. It decides nothing, reads no clock and opens nothing: events come from runner, the other
// values from ledger, and what to advise a person (the hints) is cli's.
package console
