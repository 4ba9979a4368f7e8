// Package ledger remembers: batches, jobs, attempts, passes, leases with fences, intents, holds and an append-only journal.
//
// It knows SQL and durability: every change is one transaction, guarded by the fence and the state it expects, and is
// synced to disk before anybody is told of it. It decides nothing: verdicts come from fault, decisions from plan, and who
// may be called dead from runner. What a person sees of it is console's.
package ledger
