// Package worker runs the child processes that carry jobs out, and speaks both ends of their protocol: Client is the
// supervisor's end, Serve the child's, one JSON object a line between them.
//
// It knows processes (starting them so that they die with the supervisor, telling them apart for ever, killing them with all
// they started) and messages. It does not know what a publisher does, nor what becomes of a job: a report is only what was
// seen. Plain programs without the protocol are in command, the verdict is given in fault, leases and slots are in runner.
package worker
