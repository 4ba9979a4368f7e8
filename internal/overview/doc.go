// Package overview adds up the journal: what failed alike and what became of it, how fast a batch goes, how its jobs stood over time, and
// how each account fared lately. It is fed events in their order and answers at any moment; it keeps nothing that the journal does not say,
// so that whoever starts anew reads the journal again. It also gives the shape in which that is drawn, the same for every page.
//
// It knows no clock, no ledger and no page. What a batch's counters are now says the ledger (reel.Status); what happens to a job next
// says plan; how failures are named is given to it (fault.Signature).
package overview
