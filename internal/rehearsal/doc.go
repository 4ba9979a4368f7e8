// Package rehearsal is a publisher that posts nothing: it follows a script, or draws realistic outcomes from a seed, for
// trying a batch out and for tests.
//
// It knows outcomes, delays and a file that plays the outside world. It knows no phone and no network, and no rule: its
// failures are texts as real tools print them, judged by fault like any other. It runs in a worker process, see worker.
package rehearsal
