// Package workertest holds the promises that every worker keeps, as a suite, and a publisher that behaves as it is told, in
// a process of its own, for the suite to try them on.
//
// It knows what a worker must do when its process posts, fails, dies, hangs or talks nonsense. How processes are run is in
// worker; what slots make of the reports is in runner. Only tests import it.
package workertest
