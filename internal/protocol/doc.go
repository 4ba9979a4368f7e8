// Package protocol is a practice room: a model of how jobs are claimed, published, settled and looked up, small enough that
// every one of its states is visited.
//
// It knows the steps of runner, ledger and worker with everything left out but what can post twice, lose a job or touch a
// held account, and it knows what each guard is for: without it, a search finds the shortest way into trouble. docs/protocol.md
// is written by it. It runs no code of the program; the torture does.
package protocol
