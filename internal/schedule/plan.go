package schedule

import (
	"fmt"
	"iter"
	"strings"
	"time"

	"github.com/robfig/cron/v3" // its reader of cron lines, which gocron uses too; not its timers, which forget what was missed

	"reelpass/internal/reel"
)

// Plan says when batches begin, and of what they are made.
type Plan struct {
	Name string
	At   []time.Duration // times of day, by the clock on the wall
	Days []time.Weekday  // of At; empty: every day
	Cron string          // instead of both: a line of cron, of five fields or of six, the first of which is seconds
	Zone *time.Location
	From string // a posts file, a folder of posts files, or a scheduler_state.json
	// Batch is the pattern of a batch's name: {plan}, {date} and {time} stand for those of the appointment.
	Batch string
	// PerAccountAndDay is how many posts of an account the plan's batches of one day may have; 0 means all there are.
	PerAccountAndDay int
	Missed           Missed

	cron cron.Schedule // what Cron says, of a clock that is read as if it showed UTC
}

// Missed is what becomes of appointments that nobody kept.
type Missed string

// Once makes one batch of all that were missed, now; Skip leaves them.
const (
	Once Missed = "once"
	Skip Missed = "skip"
)

// Grace is how late an appointment may begin without being called missed.
const Grace = time.Minute

// BatchOf is the name of the batch of an appointment.
func (p Plan) BatchOf(at time.Time) string {
	at = at.In(p.Zone)
	clock := "1504"
	if at.Second() != 0 {
		clock = "150405"
	}
	return strings.NewReplacer("{plan}", p.Name, "{date}", at.Format("2006-01-02"), "{time}", at.Format(clock)).Replace(p.Batch)
}

// Times says when the plan begins, in one line for people. Plans with the same Times begin at the same moments.
func (p Plan) Times() string {
	if p.Cron != "" {
		return "cron " + p.Cron + " in " + p.Zone.String()
	}
	var words []string
	for _, at := range p.At {
		layout := "15:04"
		if at%time.Minute != 0 {
			layout = time.TimeOnly
		}
		words = append(words, time.Time{}.Add(at).Format(layout))
	}
	text := strings.Join(words, ", ")
	words = nil
	for _, day := range p.Days {
		words = append(words, dayNames()[day])
	}
	if len(words) > 0 {
		text += " on " + strings.Join(words, ", ")
	}
	return fmt.Sprintf("%s in %s", text, p.Zone)
}

// SameDay says whether two moments are on one day of the plan.
func (p Plan) SameDay(a, b time.Time) bool {
	return a.In(p.Zone).Format(time.DateOnly) == b.In(p.Zone).Format(time.DateOnly)
}

// Taken is what the plan's other batches have already.
type Taken struct {
	Posts map[Post]bool
	Today map[string]int // by account: how many came into a batch today, whatever the time of their appointment
}

// Post is what a plan knows a post by. Whoever calls another video by the same job_id means another post.
type Post struct {
	ID             reel.JobID
	Account, Video string
}

// Choose leaves of a source what belongs into the next batch: what no other batch of the plan has, in the order of the source and of an account
// no more than the day of now allows. left counts what has to wait for another day, also because of its publish_at. What an earlier orchestrator posted, or may have posted, is
// taken along as it is, and counts for no day.
func (p Plan) Choose(source iter.Seq2[reel.Post, error], taken Taken, now time.Time, left *int) iter.Seq2[reel.Post, error] {
	return func(yield func(reel.Post, error) bool) {
		*left = 0
		today := map[string]int{}
		for post, err := range source {
			if err == nil {
				if taken.Posts[Post{post.ID, post.Account, post.VideoPath}] {
					continue
				}
				if post.PublishAt.After(now) && !p.SameDay(post.PublishAt, now) {
					*left++
					continue
				}
				old := post.Past != nil && (post.Past.State == reel.Succeeded || post.Past.State == reel.InDoubt)
				if p.PerAccountAndDay > 0 && !old {
					if taken.Today[post.Account]+today[post.Account] >= p.PerAccountAndDay {
						*left++
						continue
					}
					today[post.Account]++
				}
			}
			if !yield(post, err) {
				return
			}
		}
	}
}
