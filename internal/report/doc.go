// Package report writes a batch as one page to hand to somebody: what was posted and where, what failed and what became of it, how it went
// over time. The page needs nothing beside it and asks nobody for anything: no script, no font, no picture.
//
// It remembers no job that went well: jobs pass through it to the page, and the journal is added up by overview. The files that programs
// read are written by posts; the pages that steer are dashboard's.
package report
