// Package reelpass is the map of the house; it holds no code.
//
// reelpass publishes batches of Reels in passes: it tries every job, says of each failure whose trouble it was, sets
// broken accounts aside, retries hiccups in a later pass, and never publishes a job twice. The rooms stand on floors, and
// a room imports only rooms of lower floors. The file FLOORS is the map as it is, and floors_test.go holds it to the code.
//
// At the bottom are words. internal/reel names a job, an attempt, evidence, a verdict, a pass and a batch, and the states
// a job may go through. It decides nothing. internal/disk writes a file in one piece, for every room that keeps one.
//
// Above them are decisions, which read no clock, no chance, no file and no network: what they need is given.
// internal/fault turns evidence into a verdict, by rules that are data. internal/plan turns a verdict into what becomes of
// the job, and a pass into what becomes of the batch. internal/config turns text into settings.
//
// Beside the decisions are leaves, each with one kind of outside world. internal/ledger knows SQL, for a file and for a server, and keeps
// every claim, intent and event. internal/worker knows processes and both ends of the JSON-lines protocol; internal/command and
// internal/rehearsal are publishers on top of it. internal/media fetches videos from addresses. internal/posts reads and writes the files people bring; internal/report writes a batch as one page to hand on. internal/console
// shows events to a person at a terminal, or to a script as JSON. Leaves know the words and not each other.
//
// internal/runner leads a batch through its passes: slots, leases, sweeps, the wait between passes. It asks for what it
// needs through small interfaces that name only words, so that it imports no leaf.
//
// internal/cli is the wiring: commands, flags, exit codes and hints. It is the only room that knows every other.
// cmd/reelpass is one line.
//
// Where does a line of code belong? If it describes, in reel; if it chooses, in fault or plan; if it speaks SQL, in
// ledger; a process's words, in worker; a person's, in console; if it starts or waits for work, in runner. A line that
// would have to import a sibling is really two lines, and the second belongs a floor below.
package reelpass
