// Package phonepost is the publisher that posts with the app on a phone: it takes the account's phone, brings the video onto it, lets
// instagram go the way through the app, keeps what was seen where that failed, and gives the phone back on every way out.
//
// It joins geelark, adb, appium and instagram, and is the only room that knows all four. It decides no verdict: what goes wrong is
// told as the evidence of the part that failed. It tries nothing again but what its parts try within seconds.
package phonepost
