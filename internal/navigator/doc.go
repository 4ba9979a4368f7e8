// Package navigator asks Claude what to do on a screen of the app that no rule knows. It is off unless a key and a model are configured.
//
// It looks and dismisses: it is shown a picture and a list of elements, and chooses one of them, or back, or to wait, or to give up. Which
// elements it may choose from, and on which screens anybody is asked at all, is decided by rule in instagram; it never sees Share. What it
// says is a note beside the evidence and judged by nobody: an earlier program took a model's sentence that no notice of a block was to be
// seen for such a notice. It has a budget of questions and of money for each attempt.
//
// The official SDK is used (github.com/anthropics/anthropic-sdk-go) for its types and its care with errors, at some 12 MB of the binary.
package navigator
