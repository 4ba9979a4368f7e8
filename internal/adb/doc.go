// Package adb drives the adb program: it connects to a device, logs in where the vendor asks for it, and runs commands there.
//
// It knows how adb lies: exit codes that are 0 after a failure, connections that are listed and dead, a login error that comes in
// the place of an answer. So it asks for states and looks at contents. It has an adb server of its own, and never touches the
// usual one. It does not know who rents the phone out (geelark) nor what is done on its screen (appium, instagram).
package adb
