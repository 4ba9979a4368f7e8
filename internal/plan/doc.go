// Package plan decides what becomes of a job after an attempt, and of a batch after a pass, and says why.
//
// It knows the limits and the counts that are handed to it; docs/semantics.md is its law. It reads no clock and no store.
// What a failure means is decided in fault; what was decided is carried out by runner and remembered by ledger.
package plan
