// Package posts knows the files in which jobs come and go: POSTS.csv, the earlier orchestrator's progress.csv and
// scheduler_state.json on the way in; progress.csv and JSON lines on the way out.
//
// It reads and writes a row at a time and remembers none, so it knows nothing of duplicates, which the ledger refuses,
// nor of what an old failure means, which fault decides. To put jobs into a batch go to ledger; to ask for files by name
// and to tell a person what to do about a bad one, go to cli.
package posts
