// Package access says who may look at the dashboard and who may steer. It keeps one small file beside the ledger: names, roles, and the
// hashes of their codes, sessions and tokens. The secrets themselves are shown once, when they are made, and are nowhere afterwards.
//
// It knows nothing of pages, cookies or addresses: that is dashboard's. Tokens for Instagram's API are another matter, and lie in vault.
package access
