package video

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/dustin/go-humanize"
)

// Problem is something about a video or a caption that Instagram does not take, or takes badly.
type Problem struct {
	Code string // for scripts, as video_too_long
	Text string // for people: what is, and what is allowed
	// Grave says that the platform refuses it. What is not grave is advice: it is posted all the same.
	Grave bool
}

// rule is one of the platform's: a problem, or nothing where all is well. Numbers and their source: Meta, reference of ig-user/media,
// as of March 2026; where sources differ the stricter one of the present page counts.
type rule struct {
	code  string
	grave bool
	fault func(Facts) string
}

const (
	mostSize     = 300_000_000 // 300 MB on the present page; older ones say 1 GB
	leastLength  = 3 * time.Second
	mostLength   = 15 * time.Minute
	mostWidth    = 1920
	leastRate    = 23
	mostRate     = 60
	mostBits     = 25_000_000 // a second
	leastAspect  = 0.01
	mostAspect   = 10
	mostSamples  = 48_000 // a second
	mostChannels = 2
	adviseShort  = 640              // pixels of the shorter side; below it transcoding was seen to fail (2207082), which is not documented
	adviseLength = 90 * time.Second // longer reels are not shown in the Reels tab, says one source
	tall         = 9.0 / 16
)

func rules() []rule {
	return []rule{
		{"video_too_large", true, func(f Facts) string {
			return when(f.Size > mostSize, "is %s; Instagram takes up to %s", humanize.Bytes(uint64(f.Size)), humanize.Bytes(mostSize))
		}},
		{"video_too_short", true, func(f Facts) string {
			return when(f.Duration > 0 && f.Duration < leastLength, "is %s long; Instagram takes 3 s to 15 min", length(f.Duration))
		}},
		{"video_too_long", true, func(f Facts) string {
			return when(f.Duration > mostLength, "is %s long; Instagram takes 3 s to 15 min", length(f.Duration))
		}},
		{"video_codec", true, func(f Facts) string {
			return when(f.Picture.Codec != "h264" && f.Picture.Codec != "hevc", "is coded as %q; Instagram takes H.264 and HEVC", f.Picture.Codec)
		}},
		{"video_chroma", true, func(f Facts) string {
			return when(f.Picture.Chroma != "" && f.Picture.Chroma != "4:2:0", "has %s colours; Instagram takes 4:2:0 (yuv420p)", f.Picture.Chroma)
		}},
		{"video_too_wide", true, func(f Facts) string {
			return when(f.Picture.Width > mostWidth, "is %d pixels wide; Instagram takes up to %d", f.Picture.Width, mostWidth)
		}},
		{"video_aspect", true, func(f Facts) string {
			a := f.aspect()
			return when(a > 0 && (a < leastAspect || a > mostAspect), "is %dx%d; Instagram takes sides of 0.01:1 to 10:1", f.Picture.Width, f.Picture.Height)
		}},
		{"video_frame_rate", true, func(f Facts) string {
			r := f.Picture.FrameRate
			return when(r > 0 && (r < leastRate-0.05 || r > mostRate+0.5), "has %s frames a second; Instagram takes 23 to 60", humanize.FtoaWithDigits(r, 2))
		}},
		{"video_bit_rate", true, func(f Facts) string {
			return when(f.BitRate() > mostBits, "needs %.1f Mbit/s; Instagram takes up to 25", f.BitRate()/1e6)
		}},
		{"audio_codec", true, func(f Facts) string {
			return when(f.Sound != nil && f.Sound.Codec != "aac", "has sound coded as %q; Instagram takes AAC", f.sound().Codec)
		}},
		{"audio_rate", true, func(f Facts) string {
			return when(f.sound().Rate > mostSamples, "has sound of %d Hz; Instagram takes up to %d", f.sound().Rate, mostSamples)
		}},
		{"audio_channels", true, func(f Facts) string {
			return when(f.sound().Channels > mostChannels, "has %d channels of sound; Instagram takes one or two", f.sound().Channels)
		}},
		// The reference wants the index in front and no edit list. Both are advice: ordinary encoders write them, phones and the app
		// take such files, and a server that really refuses one says so at no cost, before anything is published.
		{"video_index_last", false, func(f Facts) string {
			return when(f.MoovLast, "has its index at the end; Instagram asks for it in front (ffmpeg -c copy -movflags +faststart)")
		}},
		{"video_edit_list", false, func(f Facts) string {
			return when(f.Edits, "has an edit list, which Instagram does not want (ffmpeg -ignore_editlist 1, or encode it anew)")
		}},
		{"video_fragments", false, func(f Facts) string {
			return when(f.Fragments, "is written in fragments: its length cannot be read, and Instagram may refuse it")
		}},
		{"video_container", false, func(f Facts) string {
			return when(f.Container != "mp4" && f.Container != "mov", "calls itself %q; Instagram takes MP4 and MOV", f.Container)
		}},
		{"video_small", false, func(f Facts) string {
			short := min(f.Picture.Width, f.Picture.Height)
			return when(short > 0 && short < adviseShort, "is %dx%d; with a side of less than %d pixels Instagram may fail to read it", f.Picture.Width, f.Picture.Height, adviseShort)
		}},
		{"video_not_tall", false, func(f Facts) string {
			a := f.aspect()
			return when(a > 0 && (a < tall*0.98 || a > tall*1.02), "is %dx%d; reels are shown whole at 9:16", f.Picture.Width, f.Picture.Height)
		}},
		{"video_not_in_tab", false, func(f Facts) string {
			return when(f.Duration > adviseLength && f.Duration <= mostLength, "is %s long; reels of more than 90 s may be left out of the Reels tab", length(f.Duration))
		}},
	}
}

// Check holds a video against the platform's rules. The gravest come first.
func Check(f Facts) []Problem {
	var all []Problem
	for _, r := range rules() {
		if text := r.fault(f); text != "" {
			all = append(all, Problem{r.code, text, r.grave})
		}
	}
	return all
}

// CheckFile reads a video and checks it. One that cannot be read is a grave problem of its own; the error is one of the disk.
func CheckFile(path string) (Facts, []Problem, error) {
	f, err := ReadFile(path)
	if p, ok := Unread(err); ok {
		return f, []Problem{p}, nil
	}
	if err != nil {
		return f, nil, err
	}
	return f, Check(f), nil
}

// Unread is the problem that an error of Read tells of, where it is one of the file and not of the disk.
func Unread(err error) (Problem, bool) {
	var own *Unreadable
	if errors.As(err, &own) {
		return Problem{"video_unreadable", "cannot be read as a video: " + own.Why, true}, true
	}
	return Problem{}, false
}

func (f Facts) aspect() float64 {
	if f.Picture.Height == 0 {
		return 0
	}
	return float64(f.Picture.Width) / float64(f.Picture.Height)
}

func (f Facts) sound() Sound {
	if f.Sound == nil {
		return Sound{}
	}
	return *f.Sound
}

func when(wrong bool, format string, args ...any) string {
	if !wrong {
		return ""
	}
	return fmt.Sprintf(format, args...)
}

func length(d time.Duration) string {
	if d < 10*time.Second {
		return strings.TrimSuffix(fmt.Sprintf("%.1f", d.Seconds()), ".0") + " s"
	}
	s := int(d.Round(time.Second).Seconds())
	return fmt.Sprintf("%d:%02d min", s/60, s%60)
}

// Label is a length as the app's gallery writes it, m:ss, without what is left of a second.
func (f Facts) Label() string {
	s := int(f.Duration.Seconds())
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}
