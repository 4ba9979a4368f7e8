// Package cli wires the rooms into a program: commands, flags, exit codes, hints, streams and signals.
//
// It is the only room that knows every other, and the only one that phrases advice. It decides nothing about jobs: look in
// plan for what becomes of them, in fault for what a failure means, in runner for how a batch is run.
package cli
