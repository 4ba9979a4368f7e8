// Package bench measures reelpass against bare loops, GNU parallel and River in the same run, and prints a table of ratios.
//
// It knows the goals of speed and memory, and what each figure is to be held against; it never fails on a figure. It is all
// tests, which run with `make bench` alone. That the program is right is tested beside each room, not here.
package bench
