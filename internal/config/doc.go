// Package config turns the text of reelpass.yaml and the environment into plain settings: flag over REELPASS_*
// environment over file over default, where flags are laid on top by cli. Keys lists every key.
//
// It knows the names, kinds and defaults of the settings and opens nothing that they name, not even the file itself.
// What a limit means is said in plan, what a publisher does with its section in command and rehearsal, and who
// reads the file and the flags is cli.
package config
