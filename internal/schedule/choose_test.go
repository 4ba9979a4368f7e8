package schedule_test

import (
	"errors"
	"fmt"
	"iter"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"reelpass/internal/reel"
	"reelpass/internal/schedule"
)

func posts(of ...reel.Post) iter.Seq2[reel.Post, error] {
	return func(yield func(reel.Post, error) bool) {
		for _, p := range of {
			if !yield(p, nil) {
				return
			}
		}
	}
}

func post(id, account string) reel.Post {
	return reel.Post{Job: reel.Job{ID: reel.JobID(id), Account: account, VideoPath: id + ".mp4"}}
}

func keyOf(p reel.Post) schedule.Post {
	return schedule.Post{ID: p.ID, Account: p.Account, Video: p.VideoPath}
}

func TestChoose(t *testing.T) {
	now := moment(t, "2026-06-01T21:00:00Z") // 23:00 in Berlin
	p := plan(t, "at: ['23:00'], zone: Europe/Berlin, per_account_and_day: 2")
	later, tonight, was := post("later", "b"), post("tonight", "b"), post("was", "b")
	later.PublishAt, tonight.PublishAt, was.PublishAt = moment(t, "2026-06-02T00:30:00+02:00"), moment(t, "2026-06-01T23:30:00+02:00"), moment(t, "2026-05-01T00:00:00Z")
	posted, waiting, other := post("posted", "a"), post("waiting", "c"), post("1", "a")
	posted.Past, waiting.Past = &reel.Past{State: reel.Succeeded}, &reel.Past{State: reel.Pending}
	other.VideoPath = "other.mp4" // by a name that another post had
	left := 0
	var got []string
	for chosen, err := range p.Choose(posts(post("1", "a"), posted, other, post("3", "a"), later, tonight, was, post("4", "b"), waiting, post("5", "c"), post("6", "c")),
		schedule.Taken{Today: map[string]int{"a": 1}, Posts: map[schedule.Post]bool{keyOf(post("1", "a")): true}}, now, &left) {
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, string(chosen.ID))
	}
	if got, want := strings.Join(got, " "), "posted 1 tonight was waiting 5"; got != want || left != 4 {
		t.Errorf("chose %q and left %d, want %q and 4", got, left, want)
	}
	bad := errors.New("line 3: no account")
	for _, err := range p.Choose(func(yield func(reel.Post, error) bool) { yield(reel.Post{}, bad) }, schedule.Taken{}, now, &left) {
		if !errors.Is(err, bad) {
			t.Errorf("a bad row: %v", err)
		}
	}
}

// Over any number of appointments no account gets more than its posts of a day, each post is taken once, and in the end all are.
func TestChooseKeepsTheDay(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		perDay := rapid.IntRange(1, 4).Draw(t, "per day")
		plans, err := schedule.Parse("", fmt.Appendf(nil, "plans:\n- {name: p, from: f, at: ['08:00','12:00','16:00'], per_account_and_day: %d}", perDay), time.UTC)
		if err != nil {
			t.Fatal(err)
		}
		p := plans[0]
		var all []reel.Post
		for i := range rapid.IntRange(0, 40).Draw(t, "posts") {
			all = append(all, post(fmt.Sprint(i), rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "account")))
		}
		taken := map[schedule.Post]bool{}
		days := map[string]map[string]int{}
		at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
		for range 3 * 41 {
			at = p.Next(at)
			day := at.Format(time.DateOnly)
			if days[day] == nil {
				days[day] = map[string]int{}
			}
			left := 0
			var chosen []reel.Post
			for post, err := range p.Choose(posts(all...), schedule.Taken{Today: days[day], Posts: taken}, at, &left) {
				if err != nil {
					t.Fatal(err)
				}
				chosen = append(chosen, post)
			}
			for _, post := range chosen {
				if taken[keyOf(post)] {
					t.Fatalf("%s is taken twice", post.ID)
				}
				taken[keyOf(post)] = true
				if days[day][post.Account]++; days[day][post.Account] > perDay {
					t.Fatalf("account %s has %d posts on a day", post.Account, days[day][post.Account])
				}
			}
			if len(taken)+left != len(all) {
				t.Fatalf("%d taken and %d left of %d", len(taken), left, len(all))
			}
		}
		if len(taken) != len(all) {
			t.Fatalf("%d of %d posts were taken", len(taken), len(all))
		}
	})
}
