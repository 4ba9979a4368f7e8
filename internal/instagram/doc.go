// Package instagram knows the screens of the Instagram app: what each of them is, whether it tells of trouble with the account,
// and whether it proves that a post was made.
//
// Screens are data (screens.yaml): a changed label is a change there. A screen is known by structure, by resource ids and by
// whole texts in the places where the app writes them, never by a word somewhere in a caption or a comment. It drives no
// phone and decides nothing about a job: what trouble means for it is judged in fault, trees of elements are read in phone.
package instagram
