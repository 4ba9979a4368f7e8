// Package postgrestest starts throw-away PostgreSQL servers for the tests of other rooms.
//
// It knows where Debian keeps the server's programs and how to run them as an unprivileged user in a temporary folder. It
// knows nothing of the ledger's tables. It is a practice room: no program imports it.
package postgrestest
