// Package vault keeps the tokens of accounts: in one file encrypted with age, in the environment, or as systemd credentials.
//
// It knows who reads and writes that file, and that a token is renewed before it lapses: a token that has lapsed cannot be renewed by any
// program. What a token opens is graph's business; it speaks with no server itself. No error of it holds a token.
//
// filippo.io/age encrypts the file: one small, well-tried format that other tools open as well.
package vault
