package cli

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"reelpass/internal/console"
	"reelpass/internal/instagram"
	"reelpass/internal/phone"
)

func (a *app) screenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "screen [FILE]",
		Short: "say what a screen of the app is, and whether it tells of trouble or of a post",
		Long: `Reads one tree of screen elements as UiAutomator writes it (XML) from FILE or
stdin, or with --jsonl one recorded screen a line: a JSON object with "elements"
(each with id, text, desc, bounds, clickable and, of another app, package) and
where known "id", "me" (the account's handle) and "context":{"share_tapped":true}.
Prints what each was taken for, in order.

posted_proof is true where the screen proves a post of this run, false where it
could be mistaken for a proof, and null where it says nothing.`,
		Example: "  adb exec-out uiautomator dump /dev/tty | reelpass screen\n  reelpass screen --jsonl --json screens.jsonl",
		Args:    cobra.MaximumNArgs(1),
	}
	jsonl := c.Flags().Bool("jsonl", false, "the input is one recorded screen a line")
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	me := c.Flags().String("me", "", "the account's own `HANDLE`, where the input does not tell it")
	c.RunE = func(_ *cobra.Command, args []string) error {
		in, name := a.in, "stdin"
		if len(args) == 1 {
			file, err := os.Open(args[0])
			if err != nil {
				return cannotRead("screens", args[0], err)
			}
			defer file.Close()
			in, name = file, args[0]
		}
		out := bufio.NewWriter(a.out)
		show := func(r instagram.Recorded, s instagram.Sighting) error { return showSighting(out, r, s, *asJSON) }
		err := eachScreen(in, name, *me, *jsonl, show)
		return errors.Join(out.Flush(), err)
	}
	return c
}

// eachScreen reads screens and says what each was taken for.
func eachScreen(in io.Reader, name, me string, jsonl bool, show func(instagram.Recorded, instagram.Sighting) error) error {
	z := instagram.NewRecogniser()
	if !jsonl {
		text, err := tree(io.LimitReader(in, maxMessage))
		if err != nil {
			return usage("%s: %w", name, err)
		}
		s, err := phone.Parse(strings.NewReader(text))
		if err != nil {
			return usage("%s: %w", name, err)
		}
		r := instagram.Recorded{Screen: s, Context: instagram.Context{Me: me}}
		return show(r, z.Recognise(r.Screen, r.Context))
	}
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxMessage)
	for n := 1; lines.Scan(); n++ {
		if strings.TrimSpace(lines.Text()) == "" {
			continue
		}
		r, err := instagram.ReadRecorded(lines.Bytes())
		if err != nil {
			return usage("%s: line %d: %w", name, n, err)
		}
		if r.Context.Me == "" {
			r.Context.Me = me
		}
		if err := show(r, z.Recognise(r.Screen, r.Context)); err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return usage("%s: %w", name, err)
	}
	return nil
}

// tree is what stands before the end of a tree: uiautomator says something after it when it dumps to a terminal.
func tree(in io.Reader) (string, error) {
	data, err := io.ReadAll(in)
	text := string(data)
	if before, _, found := strings.Cut(text, "</hierarchy>"); found {
		text = before + "</hierarchy>"
	}
	return text, err
}

// sightingLine is a line of screen's output.
type sightingLine struct {
	ID      string `json:"id"`
	Screen  string `json:"screen"`
	Trouble string `json:"trouble"`
	Proof   *bool  `json:"posted_proof"`
	Rule    string `json:"rule"`
}

func showSighting(out io.Writer, r instagram.Recorded, s instagram.Sighting, asJSON bool) error {
	l := sightingLine{ID: r.ID, Screen: s.Screen, Trouble: string(s.Trouble), Rule: s.Rule}
	if s.Trouble == "" {
		l.Trouble = "none"
	}
	proof := "-"
	if s.Proof != "" {
		yes := s.Proof == instagram.Posted
		l.Proof, proof = &yes, string(s.Proof)
	}
	if asJSON {
		return json.NewEncoder(out).Encode(l)
	}
	what := s.Screen
	if s.Variant != "" {
		what += " (" + s.Variant + ")"
	}
	_, err := fmt.Fprintf(out, "%-36s trouble %-15s proof %-11s %-24s %s\n", what, l.Trouble, proof, dash(s.Rule), console.Clean(r.ID))
	return err
}
