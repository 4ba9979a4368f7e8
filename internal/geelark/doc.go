// Package geelark is a client of GeeLark's open API: it finds a cloud phone by its name, starts it, opens its ADB, brings files
// onto it, and stops it.
//
// It knows the API's words, codes, limits and habits, among them those that its documentation is silent about. It does not know
// what a failure means for a job: a Failure is told as evidence, and judged in fault. Which phones were started, and who must
// stop them after a crash, is kept in the ledger; what is done on a phone is in adb and appium.
package geelark
