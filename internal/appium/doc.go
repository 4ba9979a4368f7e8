// Package appium starts an Appium server of one's own and speaks to it: what a phone's screen shows, and a finger on it.
//
// It knows the server's process, the sessions of its driver for Android, and how both fail: calls that are never answered, sessions
// that are lost for ever, what a killed server leaves behind. It tries nothing again: a session that is lost needs a phone made
// ready anew (adb), and then another session. What a screen means, and where to tap, is in instagram.
package appium
