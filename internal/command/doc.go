// Package command makes the user's own program a publisher: a plain program judged by how it exits, or one that speaks the
// protocol of worker.
//
// It knows the environment, input and output of such a program, and what its exit says. It does not know what an exit code
// means for the job: code and words go on as evidence, and fault judges them. Child processes themselves are in worker.
package command
