package rehearsal

import (
	"fmt"
	"hash/fnv"
	"math/rand/v2"

	"reelpass/internal/reel"
)

// failure is one thing that goes wrong, as the real tools say it.
type failure struct {
	source reel.Source
	code   string
	step   string
	text   string

	retryAfter, holds string
}

// The steps of a rehearsed job, in order.
const (
	stepStart   = "start_phone"
	stepOpen    = "open_app"
	stepChoose  = "choose_video"
	stepCaption = "write_caption"
	stepShare   = "share"
)

func steps() []string { return []string{stepStart, stepOpen, stepChoose, stepCaption, stepShare} }

// hiccups heal by themselves: the next attempt draws again.
func hiccups() []failure {
	tool, http, screen := reel.SourceTool, reel.SourceHTTP, reel.SourceScreen
	return []failure{
		{source: tool, code: "", step: stepStart, text: "adb: device offline"},
		{source: tool, code: "", step: stepStart, text: "error: closed"},
		{source: tool, code: "", step: stepStart, text: "adb: error: failed to read response from server: Connection reset by peer"},
		{source: tool, code: "", step: stepStart, text: "error: you should run glogin to login first"},
		{source: tool, code: "", step: stepStart, text: "Exception: Appium connection failed after 3 attempts: ADB connection lost and reconnect failed"},
		{source: tool, code: "", step: stepStart, text: "Error: connect ECONNREFUSED 127.0.0.1:4723"},
		{source: http, code: "50000", step: stepStart, text: "API error: 50000 - server err"},
		{source: http, code: "524", step: stepStart, text: "API error: 524 -"},
		{source: http, code: "45002", step: stepStart, text: "45002 Cloud phone proxy is unavailable"},
		{source: tool, code: "", step: stepOpen, text: "Appium Settings app is not running after 5000ms"},
		{source: tool, code: "", step: stepOpen, text: "Could not proxy command to the remote server. Original error: read ECONNRESET"},
		{source: tool, code: "", step: stepOpen, text: "Could not proxy command to the remote server. Original error: timeout of 240000ms exceeded"},
		{source: screen, code: "", step: stepOpen, text: "Instagram isn't responding"},
		{source: tool, code: "", step: stepOpen, text: "dial tcp: i/o timeout"},
		{source: tool, code: "", step: stepChoose, text: "Upload timeout after 60s (last status: 1)"},
		{source: tool, code: "", step: stepChoose, text: "Max steps (30) reached"},
		{source: tool, code: "", step: stepCaption, text: "UI dump failed (WebDriverException): Message: Timed out after 10050ms waiting for the root AccessibilityNodeInfo in the active window."},
	}
}

// accountFaults, contentFaults and puzzles stay with a job: its every attempt meets the same.
func accountFaults() []failure {
	screen := reel.SourceScreen
	return []failure{
		{source: screen, code: "", step: stepOpen, text: "We suspended your account"},
		{source: screen, code: "", step: stepOpen, text: "Confirm you're human\nEnter the code from the image"},
		{source: screen, code: "", step: stepOpen, text: "You've Been Logged Out\nPlease log back in."},
		{source: screen, code: "", step: stepOpen, text: "Help us confirm it's you"},
	}
}

func contentFaults() []failure {
	return []failure{
		{source: reel.SourceTool, code: "", step: stepChoose, text: "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x560f45cf95c0] moov atom not found"},
		{source: reel.SourceTool, code: "", step: stepChoose, text: "FileNotFoundError: [Errno 2] No such file or directory: '/data/videos/clip_0001.mp4'"},
	}
}

func puzzles() []failure {
	return []failure{
		{source: reel.SourceTool, code: "", step: stepCaption, text: "TypeError: '<=' not supported between instances of 'int' and 'NoneType'"},
		{source: reel.SourceScreen, code: "", step: stepCaption, text: "Sorry, there was a problem with your request"},
	}
}

// draw gives the outcome of an attempt: nil for a post. It is the same for ever for the same seed, job and attempt. Of the
// first attempts about 80 of 100 post, 14 meet a hiccup, 3 a broken account, 1 or 2 a video nobody takes and as many a
// puzzle; of the later attempts of a job that met a hiccup, 85 of 100 post. Those shares are a guess at a normal day.
func draw(seed uint64, job reel.JobID, attempt int) *failure {
	nature := chance(seed, job, 0)
	pick := func(list []failure, r *rand.Rand) *failure { return &list[r.IntN(len(list))] }
	switch share := nature.Float64(); {
	case share < 0.030:
		return pick(accountFaults(), nature)
	case share < 0.045:
		return pick(contentFaults(), nature)
	case share < 0.060:
		return pick(puzzles(), nature)
	}
	luck := chance(seed, job, max(attempt, 1))
	if luck.Float64() < 0.15 {
		return pick(hiccups(), luck)
	}
	return nil
}

func chance(seed uint64, job reel.JobID, attempt int) *rand.Rand {
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d\x00%s", attempt, job)
	return rand.New(rand.NewPCG(seed, h.Sum64()))
}
