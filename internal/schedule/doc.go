// Package schedule knows when batches begin by themselves: plans with times of day, what of a source belongs into the next batch, and
// the loop that keeps their appointments (Keeper).
//
// Plans and choices are pure. The Keeper knows neither files nor processes nor how a ledger is written: it is given what brings posts into a
// batch and what runs one. That an appointment is kept once, whatever dies, rests on the ledger (reel.Appointment) and on the lease by
// which a batch is led; see docs/schedule.md. How a batch runs says runner.
package schedule
