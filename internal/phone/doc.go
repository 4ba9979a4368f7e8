// Package phone has the words for what is on a phone's screen and for what a finger can do there: node, screen, point, key.
//
// It reads the tree of elements as UiAutomator writes it, and knows nothing of any app: what a screen means is in
// instagram. It drives nothing: sessions are in appium, phones and their connections in adb and geelark.
package phone
