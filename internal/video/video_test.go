package video_test

import (
	"bytes"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/video"
)

func read(data []byte) (video.Facts, error) {
	return video.Read(bytes.NewReader(data), int64(len(data)))
}

func TestFactsAreRead(t *testing.T) {
	f, err := read(usual().bytes())
	if err != nil {
		t.Fatal(err)
	}
	if f.Container != "mp4" || f.Duration != 31400*time.Millisecond || f.MoovLast || f.Edits || f.Fragments || f.Label() != "0:31" {
		t.Errorf("%+v", f)
	}
	if p := f.Picture; p.Codec != "h264" || p.Width != 1080 || p.Height != 1920 || math.Abs(p.FrameRate-30.3) > 0.1 || p.Chroma != "4:2:0" {
		t.Errorf("%+v", p)
	}
	if s := *f.Sound; s != (video.Sound{Codec: "aac", Rate: 44100, Channels: 2}) {
		t.Errorf("%+v", s)
	}
	if all := video.Check(f); len(all) != 0 {
		t.Errorf("problems of a good one: %+v", all)
	}
}

// Each rule, by a film that breaks just that one.
func TestEachRule(t *testing.T) {
	for code, c := range map[string]struct {
		change func(*film)
		grave  bool
		text   string
	}{
		"video_too_short":  {func(f *film) { f.units, f.frames = 2500, 75 }, true, "is 2.5 s long"},
		"video_too_long":   {func(f *film) { f.units, f.frames = 980_000, 29_696 }, true, "is 16:20 min long; Instagram takes 3 s to 15 min"},
		"video_codec":      {func(f *film) { f.codec = "vp09" }, true, `"vp09"`},
		"video_chroma":     {func(f *film) { f.profile = 244 }, true, "4:4:4"},
		"video_frame_rate": {func(f *film) { f.frames, f.delta = 310, 100 }, true, "has 10 frames a second"},
		"audio_codec":      {func(f *film) { f.audio = "Opus" }, true, `"Opus"`},
		"audio_rate":       {func(f *film) { f.config = []byte{0x10, 0x10} }, true, "96000 Hz"},
		"audio_channels":   {func(f *film) { f.config = []byte{0x12, 0x30} }, true, "6 channels"},
		"video_bit_rate":   {func(f *film) { f.units, f.frames, f.mdat = 3000, 91, 12_000_000 }, true, "needs 32.0 Mbit/s"},
		"video_index_last": {func(f *film) { f.last = true }, false, "at the end"},
		"video_edit_list":  {func(f *film) { f.edits = [][2]int32{{1000, -1}, {30_000, 0}} }, false, "edit list"},
		"video_container":  {func(f *film) { f.brand = "" }, false, ""}, // of before brands: it is a MOV
		"video_small":      {func(f *film) { f.w, f.h = 576, 1024 }, false, "576x1024"},
		"video_not_tall":   {func(f *film) { f.w, f.h = 1920, 1080 }, false, "1920x1080"},
		"video_not_in_tab": {func(f *film) { f.units, f.frames = 120_000, 3600 }, false, "2:00 min"},
	} {
		f := usual()
		c.change(&f)
		facts, err := read(f.bytes())
		if err != nil {
			t.Errorf("%s: %v", code, err)
			continue
		}
		all := video.Check(facts)
		if code == "video_container" {
			if facts.Container != "mov" || len(all) != 0 {
				t.Errorf("%s: %+v, %+v", code, facts, all)
			}
			continue
		}
		if len(all) != 1 || all[0].Code != code || all[0].Grave != c.grave || !strings.Contains(all[0].Text, c.text) {
			t.Errorf("%s: %+v", code, all)
		}
	}
	for _, c := range []struct {
		facts video.Facts
		code  string
	}{
		{video.Facts{Container: "mp4", Size: 300_000_001, Duration: 10 * time.Minute, Picture: &video.Picture{Codec: "hevc", Width: 1080, Height: 1920}}, "video_too_large"},
		{video.Facts{Container: "mp4", Size: 1, Duration: 5 * time.Second, Picture: &video.Picture{Codec: "hevc", Width: 2160, Height: 3840}}, "video_too_wide"},
		{video.Facts{Container: "mp4", Size: 1, Duration: 5 * time.Second, Picture: &video.Picture{Codec: "hevc", Width: 1900, Height: 100}}, "video_aspect"},
		{video.Facts{Container: "avif", Size: 1, Duration: 5 * time.Second, Picture: &video.Picture{Codec: "hevc", Width: 1080, Height: 1920}}, "video_container"},
		{video.Facts{Container: "mp4", Size: 1, Fragments: true, Picture: &video.Picture{Codec: "hevc", Width: 1080, Height: 1920}}, "video_fragments"},
	} {
		if all := video.Check(c.facts); len(all) == 0 || all[0].Code != c.code {
			t.Errorf("%s: %+v", c.code, all)
		}
	}
}

// A phone films upright by turning what lies.
func TestATurnedPictureIsMeasuredAsItIsShown(t *testing.T) {
	f := usual()
	f.w, f.h, f.turned = 1920, 1080, true
	if facts, err := read(f.bytes()); err != nil || facts.Picture.Width != 1080 || facts.Picture.Height != 1920 || len(video.Check(facts)) != 0 {
		t.Errorf("%+v, %v", facts.Picture, err)
	}
}

// An encoder's delay is no edit.
func TestAnEncodersDelayIsNoEdit(t *testing.T) {
	for start, edited := range map[int32]bool{0: false, 66: false, 1300: true} {
		f := usual()
		f.edits = [][2]int32{{31_000, start}}
		if facts, err := read(f.bytes()); err != nil || facts.Edits != edited {
			t.Errorf("%d: %t, %v", start, facts.Edits, err)
		}
	}
}

func TestWhatIsNoVideoSaysSoInOneLine(t *testing.T) {
	good := usual()
	good.mdat = 5000
	last := good
	last.last = true
	blind := good
	blind.withoutVideo = true
	for name, c := range map[string]struct {
		data []byte
		want string
	}{
		"empty":                {nil, "the file is empty"},
		"a page":               {[]byte("<!DOCTYPE html><html><body>"), `it is no MP4 or MOV file: it begins with "<!DOCTYPE html><"`},
		"another format":       {[]byte("\x1aE\xdf\xa3\x9fB\x86\x81"), "it is no MP4 or MOV file: it begins with the bytes 1a 45 df a3 9f 42 86 81"},
		"a few bytes":          {[]byte("ab"), `it is no MP4 or MOV file: it begins with "ab"`},
		"cut in the pictures":  {good.bytes()[:len(good.bytes())-2000], `the file is cut off: its part "mdat" should go on for 2000 bytes`},
		"cut before the index": {last.bytes()[:24+5008], "the file is cut off: the index of the video (moov) is missing"},
		"sound alone":          {blind.bytes(), "there is no picture in it"},
	} {
		_, err := read(c.data)
		if err == nil || !strings.HasPrefix(err.Error(), c.want) || strings.Contains(err.Error(), "\n") {
			t.Errorf("%s: %v", name, err)
		}
		if p, ok := video.Unread(err); !ok || !p.Grave || p.Code != "video_unreadable" {
			t.Errorf("%s: %+v", name, p)
		}
	}
	if _, err := video.ReadFile(filepath.Join(t.TempDir(), "none")); !os.IsNotExist(err) {
		t.Errorf("a file that is not there: %v", err)
	}
	if _, problems, err := video.CheckFile(t.TempDir()); err != nil || len(problems) != 1 || problems[0].Text != "cannot be read as a video: it is a folder" {
		t.Errorf("a folder: %+v, %v", problems, err)
	}
}

// A damaged file costs little: whatever three bytes of its headers are.
func TestADamagedFileCostsLittle(t *testing.T) {
	good := usual().bytes()
	rapid.Check(t, func(t *rapid.T) {
		data := bytes.Clone(good)
		for range 3 {
			data[rapid.IntRange(0, 800).Draw(t, "at")] = rapid.Byte().Draw(t, "is")
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, _ = read(data)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 8<<20 {
			t.Fatalf("it made us take %d bytes", used)
		}
	})
}

// Whatever is in a file, reading it ends.
func FuzzRead(f *testing.F) {
	g := usual()
	f.Add(g.bytes())
	g.last, g.edits, g.config = true, [][2]int32{{1, -1}, {2, 3}}, []byte{0x12, 0x10}
	f.Add(g.bytes())
	f.Add([]byte("\x00\x00\x00\x00moov\x00\x00\x00\x00trak"))
	f.Add([]byte("\x00\x00\x00\x01moov\xff\xff\xff\xff\xff\xff\xff\xff"))
	f.Fuzz(func(t *testing.T, data []byte) {
		facts, err := read(data)
		if err == nil {
			video.Check(facts)
			facts.Label()
		}
	})
}

func TestCaptions(t *testing.T) {
	codes := func(caption string) (all []string) {
		for _, p := range video.CheckCaption(caption) {
			if !p.Grave || !strings.Contains(p.Text, "Instagram takes up to") {
				t.Errorf("%+v", p)
			}
			all = append(all, p.Code)
		}
		return all
	}
	many := func(n int, word string) string { return strings.Repeat(word+" ", n) }
	for caption, want := range map[string]string{
		"": "", many(30, "#a"): "", many(31, "#a"): "caption_hashtags", many(20, "@a"): "", many(21, "@a"): "caption_mentions",
		many(31, "#größe") + "x": "caption_hashtags", many(31, "#日本"): "caption_hashtags", strings.Repeat("#a", 31): "caption_hashtags",
		many(40, "https://x.example/#part"): "", many(40, "a@b.example"): "", many(40, "#"): "", many(40, "C#"): "", many(40, "&#39;"): "",
		strings.Repeat("a", 2200): "", strings.Repeat("a", 2201): "caption_too_long",
		strings.Repeat("👋", 1100): "", strings.Repeat("👋", 1101): "caption_too_long",
	} {
		if got := strings.Join(codes(caption), " "); got != want {
			t.Errorf("%.30q: %q, want %q", caption, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		plain := rapid.SliceOf(rapid.StringMatching(`[a-zäß漢]{1,8}`)).Draw(t, "words")
		tags := rapid.IntRange(0, 40).Draw(t, "tags")
		names := rapid.IntRange(0, 40).Draw(t, "names")
		caption := strings.Join(plain, " ") + strings.Repeat(" #tag", tags) + strings.Repeat("\n@name", names)
		got := map[string]bool{}
		for _, p := range video.CheckCaption(caption) {
			got[p.Code] = true
		}
		if got["caption_hashtags"] != (tags > 30) || got["caption_mentions"] != (names > 20) || got["caption_too_long"] != (video.Units(caption) > 2200) {
			t.Fatalf("%d tags, %d names, %d units: %v", tags, names, video.Units(caption), got)
		}
	})
}
