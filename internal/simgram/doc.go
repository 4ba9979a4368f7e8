// Package simgram is a small Instagram for a simulated phone: enough screens, with the app's own ids and texts in some languages, to
// make a reel from a file on the phone and to share it; and what the app does to people: windows in the way, banners that stay, troubles with
// the account, posts that fail or are never confirmed.
//
// It tells whoever keeps the outside ledger what was really posted. It knows nothing of adb and Appium: the phone is simphone.
package simgram
