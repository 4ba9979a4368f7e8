// Package simfarm is a farm of simulated phones in a box: GeeLark's API on this machine, a phone for each account with a small
// Instagram on it, faults that are drawn from a seed, and the ledger outside that counts what was really posted.
//
// It knows what the vendor's API answers, as documented and as seen in the field. One phone is simphone, the app on it simgram.
package simfarm
