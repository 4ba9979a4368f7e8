package navigator

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/anthropics/anthropic-sdk-go"
	"github.com/anthropics/anthropic-sdk-go/option"

	"reelpass/internal/instagram"
	"reelpass/internal/reel"
)

// Config says who is asked, and what that may cost.
type Config struct {
	Key     string
	Model   string
	URL     string  // of the API; empty: Anthropic's
	Steps   int     // questions for each attempt
	Dollars float64 // for each attempt
	// What a million tokens cost, in dollars. Tokens that are written into the cache cost a quarter more, such that are read from it a
	// tenth (Anthropic, prompt caching).
	DollarsIn, DollarsOut float64
	HTTP                  *http.Client // nil: one of its own
}

// askMost is how long an answer may take.
const askMost = 60 * time.Second

// Guide is asked during one attempt.
type Guide struct {
	cfg    Config
	client anthropic.Client
	asked  int
	spent  float64
}

// New makes a guide for one attempt.
func New(cfg Config) *Guide {
	// Nothing is asked again: a question that failed costs one look, and the way goes on without.
	options := []option.RequestOption{option.WithoutEnvironmentDefaults(), option.WithAPIKey(cfg.Key), option.WithMaxRetries(0), option.WithRequestTimeout(askMost)}
	if cfg.URL != "" {
		options = append(options, option.WithBaseURL(cfg.URL))
	}
	if cfg.HTTP != nil {
		options = append(options, option.WithHTTPClient(cfg.HTTP))
	}
	return &Guide{cfg: cfg, client: anthropic.NewClient(options...)}
}

// Spent is what the questions of the attempt cost until now, in dollars.
func (g *Guide) Spent() float64 { return g.spent }

const instructions = `You help a program that publishes its owner's own video with the Instagram app on an Android phone. The program knows the usual screens by rules. Now it is on a screen that no rule knows, most likely a dialog, a tip or an offer that lies over the page.

Look at the picture and the numbered elements, and call the tool "act" once with the one action that takes this screen out of the way without agreeing to anything, changing any setting or publishing anything: the one that says not now, skip, close, cancel or OK to a mere notice. If nothing on the screen does that, go back. If the screen is still loading, wait.

Give up where the screen asks to log in, for a password or a code, to prove that somebody is human, or to confirm an identity; where it tells that the account is restricted, suspended or disabled, or that an action was blocked; and where you are not sure. Never try to solve or get around a check or a limit: a person is told instead.`

var tool = anthropic.ToolParam{
	Name:        "act",
	Description: anthropic.String("The one action to take on this screen."),
	InputSchema: anthropic.ToolInputSchemaParam{
		Properties: map[string]any{
			"action":  map[string]any{"type": "string", "enum": []string{"tap", "back", "wait", "give_up"}},
			"element": map[string]any{"type": "integer", "description": "with tap: the number of the element"},
			"reason":  map[string]any{"type": "string", "description": "what this screen is, and why, in one sentence"},
		},
		Required: []string{"action", "reason"},
	},
	CacheControl: anthropic.NewCacheControlEphemeralParam(),
}

// Ask asks for one action. Whatever is wrong with the answer, or keeps it from coming, is advice to do nothing, with a note.
func (g *Guide) Ask(ctx context.Context, q instagram.Question) (instagram.Advice, error) {
	none := func(format string, args ...any) instagram.Advice {
		return instagram.Advice{Note: reel.Scrub(fmt.Sprintf(format, args...), g.cfg.Key)}
	}
	switch {
	case g.asked >= g.cfg.Steps:
		return none("not asked: the %d questions of an attempt are used up", g.cfg.Steps), nil
	case g.spent >= g.cfg.Dollars:
		return none("not asked: the %.2f dollars of an attempt are used up", g.cfg.Dollars), nil
	}
	g.asked++
	content := []anthropic.ContentBlockParamUnion{}
	if picture, err := q.Picture(ctx); err == nil && len(picture) > 0 {
		content = append(content, anthropic.NewImageBlockBase64("image/png", base64.StdEncoding.EncodeToString(picture)))
	} else if ctx.Err() != nil {
		return instagram.Advice{}, context.Cause(ctx)
	}
	content = append(content, anthropic.NewTextBlock(list(q)))
	system := anthropic.TextBlockParam{Text: instructions, CacheControl: anthropic.NewCacheControlEphemeralParam()}
	m, err := g.client.Messages.New(ctx, anthropic.MessageNewParams{
		Model: g.cfg.Model, MaxTokens: 300, System: []anthropic.TextBlockParam{system},
		Tools: []anthropic.ToolUnionParam{{OfTool: &tool}}, ToolChoice: anthropic.ToolChoiceParamOfTool(tool.Name),
		Messages: []anthropic.MessageParam{anthropic.NewUserMessage(content...)},
	})
	if ctx.Err() != nil {
		return instagram.Advice{}, context.Cause(ctx)
	}
	if err != nil {
		return none("asked in vain: %s", plain(err)), nil
	}
	g.pay(m.Usage)
	for _, b := range m.Content {
		if b.Type == "tool_use" && b.Name == tool.Name {
			return advice(b.Input, len(q.Choices)), nil
		}
	}
	return none("the answer names no action"), nil
}

// pay counts what an answer cost.
func (g *Guide) pay(u anthropic.Usage) {
	in := float64(u.InputTokens) + 1.25*float64(u.CacheCreationInputTokens) + 0.1*float64(u.CacheReadInputTokens)
	g.spent += (in*g.cfg.DollarsIn + float64(u.OutputTokens)*g.cfg.DollarsOut) / 1e6
}

// list puts the screen into words.
func list(q instagram.Question) string {
	var b strings.Builder
	b.WriteString("Elements that can be touched:\n")
	for i, n := range q.Choices {
		fmt.Fprintf(&b, "%d. %q %q at %d,%d\n", i+1, clip(n.Text), clip(n.Desc), n.Bounds.Center().X, n.Bounds.Center().Y)
	}
	b.WriteString("Other texts on the screen:\n")
	const most = 40
	for _, t := range q.Texts[:min(len(q.Texts), most)] {
		fmt.Fprintf(&b, "- %q\n", clip(t))
	}
	return b.String()
}

// clip keeps captions and comments short: they are no part of the question.
func clip(s string) string {
	const most = 80
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// advice reads the tool's input. Anything odd is no advice.
func advice(input json.RawMessage, choices int) instagram.Advice {
	var in struct {
		Action  string `json:"action"`
		Element int    `json:"element"`
		Reason  string `json:"reason"`
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return instagram.Advice{Note: "the answer cannot be read"}
	}
	a := instagram.Advice{Note: clip(strings.Join(strings.Fields(in.Reason), " "))}
	switch {
	case in.Action == "tap" && in.Element >= 1 && in.Element <= choices:
		a.Do, a.Touch = instagram.DoTap, in.Element-1
	case in.Action == "tap":
		a.Note = "the answer names an element that is not there; " + a.Note
	case in.Action == "back":
		a.Do = instagram.DoBack
	case in.Action == "wait":
		a.Do = instagram.DoWait
	default:
		a.Note = "gives up: " + a.Note
	}
	return a
}

// plain is an error of the API without what it says of the request.
func plain(err error) string {
	var api *anthropic.Error
	if errors.As(err, &api) {
		return fmt.Sprintf("HTTP %d %s", api.StatusCode, http.StatusText(api.StatusCode))
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer within " + askMost.String()
	}
	return "the API cannot be reached"
}
