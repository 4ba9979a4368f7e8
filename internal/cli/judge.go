package cli

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"reelpass/internal/config"
	"reelpass/internal/console"
	"reelpass/internal/reel"
)

// maxMessage bounds one line of classify's input.
const maxMessage = 16 << 20

func (a *app) classifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "classify [FILE]",
		Short: "judge messages: whose trouble, of which kind, by which rule",
		Long: `Reads one message a line from FILE or stdin, or with --jsonl one JSON object a
line with "text" and where known "id", "source" (screen, tool, http, exit,
worker) and "code". Prints the verdict of each, in order.`,
		Example: "  echo 'adb: device offline' | reelpass classify\n  reelpass classify --jsonl --json messages.jsonl",
		Args:    cobra.MaximumNArgs(1),
	}
	f := flags(c)
	f.text("rules", "a `FILE` of rules before or instead of the built-in ones", func(s *config.Settings) *string { return &s.Rules })
	jsonl := c.Flags().Bool("jsonl", false, "the input is one JSON object a line")
	asJSON := c.Flags().Bool("json", false, "print one JSON object a line")
	c.RunE = func(c *cobra.Command, args []string) error {
		s, err := a.settings(c, f)
		if err != nil {
			return err
		}
		in, name := a.in, "stdin"
		if len(args) == 1 {
			file, err := os.Open(args[0])
			if err != nil {
				return cannotRead("messages", args[0], err)
			}
			defer file.Close()
			in, name = file, args[0]
		}
		return a.classify(in, name, s, *jsonl, *asJSON)
	}
	return c
}

// message is a line of classify's input, and verdictLine one of its output.
type message struct {
	ID     string      `json:"id"`
	Text   string      `json:"text"`
	Source reel.Source `json:"source"`
	Code   json.Number `json:"code"`
}

type verdictLine struct {
	ID       string        `json:"id"`
	Category reel.Category `json:"category"`
	Type     string        `json:"type"`
	Rule     string        `json:"rule"`
}

func (a *app) classify(in io.Reader, name string, s config.Settings, jsonl, asJSON bool) error {
	rs, err := rules(s)
	if err != nil {
		return err
	}
	out := bufio.NewWriter(a.out)
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxMessage)
	for n := 1; lines.Scan(); n++ {
		m := message{Text: lines.Text()}
		if jsonl {
			if strings.TrimSpace(m.Text) == "" {
				continue
			}
			if m, err = parseMessage(lines.Bytes()); err != nil {
				return errors.Join(out.Flush(), usage("%s: line %d: %w", name, n, err))
			}
		}
		v := rs.Judge(reel.Evidence{Text: m.Text, Source: m.Source, Code: m.Code.String()})
		if asJSON {
			err = json.NewEncoder(out).Encode(verdictLine{ID: m.ID, Category: v.Category, Type: v.Type, Rule: v.Rule})
		} else {
			_, err = fmt.Fprintf(out, "%-14s %-16s %-28s %s\n", v.Category, dash(v.Type), dash(v.Rule), console.Clean(m.Text))
		}
		if err != nil {
			return err
		}
	}
	if err := lines.Err(); err != nil {
		return errors.Join(out.Flush(), usage("%s: %w", name, err))
	}
	return out.Flush()
}

// parseMessage reads a line of JSON; a code may be a number or a text, an id too.
func parseMessage(line []byte) (message, error) {
	var raw struct {
		ID     any         `json:"id"`
		Text   *string     `json:"text"`
		Source reel.Source `json:"source"`
		Code   any         `json:"code"`
	}
	dec := json.NewDecoder(bytes.NewReader(line))
	dec.UseNumber() // ids are compared by others: none may change
	if err := dec.Decode(&raw); err != nil {
		return message{}, err
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return message{}, errors.New("something follows the object")
	}
	if raw.Text == nil {
		return message{}, errors.New(`there is no "text"`)
	}
	if raw.Source != "" && !slices.Contains(reel.Sources(), raw.Source) {
		return message{}, fmt.Errorf("there is no source %q; the sources are %s", raw.Source, join(reel.Sources()))
	}
	return message{ID: plain(raw.ID), Text: *raw.Text, Source: raw.Source, Code: json.Number(plain(raw.Code))}, nil
}

func plain(v any) string {
	if v == nil {
		return ""
	}
	return fmt.Sprint(v)
}

func dash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func (a *app) rulesCommand() *cobra.Command {
	c := &cobra.Command{
		Use: "rules", Short: "list and test the rules that give verdicts, and teach them what they do not know", Args: cobra.NoArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	list := &cobra.Command{Use: "list", Short: "every rule in the order in which they are tried", Args: cobra.NoArgs}
	test := &cobra.Command{Use: "test", Short: "judge every case of every rule; exit 1 when one is judged wrong", Args: cobra.NoArgs}
	for _, sub := range []*cobra.Command{list, test} {
		f := flags(sub)
		f.text("rules", "a `FILE` of rules before or instead of the built-in ones", func(s *config.Settings) *string { return &s.Rules })
		asJSON := sub.Flags().Bool("json", false, "print one JSON object a line")
		sub.RunE = func(c *cobra.Command, _ []string) error {
			s, err := a.settings(c, f)
			if err != nil {
				return err
			}
			if c == list {
				return a.listRules(s, *asJSON)
			}
			return a.testRules(s, *asJSON)
		}
	}
	c.AddCommand(list, test, a.suggestCommand(), a.addRulesCommand())
	return c
}

// list is a list that JSON never shows as null.
func list[T any](l []T) []T { return append([]T{}, l...) }

func (a *app) listRules(s config.Settings, asJSON bool) error {
	rs, err := rules(s)
	if err != nil {
		return err
	}
	for i, r := range rs.All() {
		if asJSON {
			err = json.NewEncoder(a.out).Encode(struct {
				verdictLine
				Order   int           `json:"order"`
				File    string        `json:"file"`
				Sources []reel.Source `json:"sources"`
				Codes   []string      `json:"codes"`
				Texts   []string      `json:"texts"`
				Match   string        `json:"match"`
				Why     string        `json:"why"`
			}{verdictLine{r.ID, r.Category, r.Type, r.ID}, i + 1, r.File, list(r.Sources), list(r.Codes), list(r.Texts), r.Match, r.Why})
		} else {
			_, err = fmt.Fprintf(a.out, "%3d  %-14s %-16s %-32s %s\n", i+1, r.Category, dash(r.Type), r.ID, r.File)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (a *app) testRules(s config.Settings, asJSON bool) error {
	rs, err := rules(s)
	if err != nil {
		return err
	}
	wrong := rs.Test()
	for _, m := range wrong {
		if asJSON {
			err = json.NewEncoder(a.out).Encode(m)
		} else {
			_, err = fmt.Fprintln(a.out, m)
		}
		if err != nil {
			return err
		}
	}
	if len(wrong) > 0 {
		a.code = exitCannot
	}
	if !asJSON {
		_, err = fmt.Fprintf(a.out, "%d rules, %d cases judged wrong\n", len(rs.All()), len(wrong))
	}
	return err
}
