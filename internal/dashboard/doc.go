// Package dashboard shows a ledger to people and scripts, and takes the few steps that only a person can take. It answers four questions:
// did it work, what needs me, why did this fail, what happens next.
//
// Pages are made on the server (pages/*.html) and can be read without script; one small script (static/app.js) replaces the regions that
// moved. All numbers come from the ledger and from the journal added up (overview); what a job's limits make of it says plan; who may do
// what says access. It decides nothing of its own, and every step it takes is one that the ledger itself allows or refuses.
//
// A request goes through guard (foreign hosts, foreign sites, tokens, sizes), then to a page (batches, batch, jobs, job, accounts, doubts,
// failures, rules, settings), a step (POST), or the stream of changes (live).
package dashboard
