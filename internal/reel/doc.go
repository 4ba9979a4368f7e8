// Package reel is the vocabulary of reelpass: job, attempt, evidence, verdict, pass, batch, lease and event.
//
// It knows what these words mean and which states may follow each other. It knows no clock, no store, no process and
// no rule: what a failure means is decided in fault, what becomes of a job in plan, and both are remembered by ledger.
package reel
