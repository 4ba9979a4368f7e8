// Package runner runs a batch pass by pass: it leads, claims, hands jobs to workers, keeps leases, settles the dead.
//
// It knows goroutines, time and when to stop; every `go` here is waited for. What a failure means it asks fault, what
// becomes of a job plan; the ledger remembers both, and worker speaks with the processes. What a person sees is console's.
package runner
