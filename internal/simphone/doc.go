// Package simphone is one simulated Android phone on this machine: real adb, a real Appium server and its real driver take it for one.
//
// It speaks what adb's daemon speaks over TCP, answers the shell commands that the driver sends, takes files, and serves what
// the UiAutomator2 server serves. What its screen shows is an App. It can fail in every way that real phones were seen to fail
// (faults.go). It proves the plumbing, not Instagram: the app behind the screen is in simgram, many phones with a vendor's
// API in simfarm.
package simphone
