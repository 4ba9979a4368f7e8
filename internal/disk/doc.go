// Package disk writes files in one piece: whoever reads one finds it whole, as it is or as it was before, whatever dies at whatever moment,
// the machine included.
//
// It knows no content and takes no lock; whoever changes a file that others change too locks it first.
package disk
