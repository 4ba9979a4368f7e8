// Package ledgertest holds the promises that every store of the ledger keeps, as cases that a store must pass.
//
// It knows what a store does for its callers: claims, fences, intents, passes, holds, the journal, and a model that it is
// compared with. It knows no SQL and no file; what only one store has is tested beside that store. The first to pass it is
// ledger.Store.
package ledgertest
