// Package fault gives the verdict: it knows what evidence of a failed attempt means, by rules that are data, and which
// rule said so.
//
// It does not know what becomes of the job after a verdict, how evidence was seen, or where verdicts are kept; it reads
// no clock, no store and no file but the rules and cases built into the program. What follows from a verdict is decided
// in plan, evidence is gathered by the publishers, and the words both share are in reel.
package fault
