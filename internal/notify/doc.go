// Package notify tells people what they would want to be woken for: it reads the journal on, makes few messages of many events, and sends
// them to services (shoutrrr) or as JSON to a webhook. What is due is decided in Collector, which reads no clock; Run reads the journal
// and keeps its place in it, Sender carries a message to every target.
//
// It knows no ledger, no page and no settings file: the journal and the targets are given. What an event means is said in reel, what needs
// a person is shown in dashboard, and what a graph or a pager of one's own goes by is /metrics there. It holds nobody up: a message that
// does not arrive is counted and not tried again.
package notify
