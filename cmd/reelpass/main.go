// Command reelpass publishes batches of Reels in passes: never twice, nothing lost.
package main

import (
	"os"

	"reelpass/internal/cli"
)

func main() { os.Exit(cli.Main(os.Args, os.Getenv, os.Stdin, os.Stdout, os.Stderr)) }
