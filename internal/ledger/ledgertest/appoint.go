package ledgertest

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// duty is the schedule's, of one keeper.
func duty(owner string) reel.Duty {
	return reel.Duty{Name: reel.ScheduleDuty, Owner: owner, Who: "pid 1 on " + owner}
}

func (r *room) takes(owner string) reel.Duty {
	r.Helper()
	d, err := r.Store.TakeDuty(r.ctx, duty(owner))
	r.must(err)
	return d
}

// appoint notes an open appointment of a plan, at so many minutes past the room's first moment.
func (r *room) appoint(d reel.Duty, plan string, minute int, state reel.AppointmentState, missed int) bool {
	r.Helper()
	a := reel.Appointment{Plan: plan, At: appointed(minute), State: state}
	if state == reel.AppointmentOpen {
		a.Batch = fmt.Sprintf("%s-%d", plan, minute)
	}
	noted, err := r.Store.Appoint(r.ctx, d, a, missed)
	r.must(err)
	return noted
}

func appointed(minute int) time.Time {
	return time.Date(2026, 11, 20, 18, minute, 0, 0, time.UTC)
}

func (r *room) appointments() string {
	r.Helper()
	all, err := r.Store.Appointments(r.ctx)
	r.must(err)
	var list []string
	for _, a := range all {
		list = append(list, strings.TrimSpace(fmt.Sprintf("%s %d %s %s", a.Plan, a.At.Minute(), a.State, a.Note)))
	}
	return strings.Join(list, ", ")
}

func appointCases() []testCase {
	return []testCase{
		{"a duty is one keeper's until it is silent for too long, or gives it up", func(r *room) {
			first := r.takes("a")
			r.equal("until", first.Until.Equal(r.now().Add(reel.DutyTTL)), true)
			refused := func() {
				r.untouched("taking it", func() {
					is, err := r.Store.TakeDuty(r.ctx, duty("b"))
					r.wantErr(err, reel.ErrTaken)
					r.equal("who has it", is.Who, "pid 1 on a")
				})
			}
			refused()
			r.later(reel.DutyTTL - time.Second)
			refused()
			r.takes("a") // it is alive
			r.later(reel.DutyTTL - time.Second)
			refused()
			r.later(2 * time.Second)
			r.takes("b")
			r.untouched("giving up what is another's", func() { r.must(r.Store.LeaveDuty(r.ctx, duty("a"))) })
			r.must(r.Store.LeaveDuty(r.ctx, duty("b")))
			r.takes("a")
		}},
		{"the process that has a duty is known, so that one that is dead need not be waited for", func(r *room) {
			_, err := r.Store.TakeDuty(r.ctx, duty(sup(1).ID))
			r.must(err)
			is, err := r.Store.TakeDuty(r.ctx, duty("b"))
			r.wantErr(err, reel.ErrTaken)
			r.equal("process", is.Process, sup(1).Process)
			r.must(r.Store.LeaveDuty(r.ctx, is))
			r.takes("b")
			is, err = r.Store.TakeDuty(r.ctx, duty(sup(1).ID))
			r.wantErr(err, reel.ErrTaken)
			r.equal("process of one that is not enlisted", is.Process, reel.Process{})
		}},
		{"an appointment is noted once, whoever asks", func(r *room) {
			a := r.takes("a")
			r.equal("noted", r.appoint(a, "evening", 30, reel.AppointmentOpen, 0), true)
			r.untouched("again", func() { r.equal("noted", r.appoint(a, "evening", 30, reel.AppointmentOpen, 0), false) })
			r.later(reel.DutyTTL + time.Second)
			b := r.takes("b")
			r.reopen()
			r.untouched("by the next keeper", func() { r.equal("noted", r.appoint(b, "evening", 30, reel.AppointmentOpen, 0), false) })
			r.equal("open", r.appointments(), "evening 30 open")
			r.must(r.Store.EndAppointment(r.ctx, b, reel.Appointment{Plan: "evening", At: appointed(30), Note: "exit 0"}))
			r.equal("ended", r.appointments(), "evening 30 ended exit 0")
			r.untouched("ending it twice", func() {
				r.must(r.Store.EndAppointment(r.ctx, b, reel.Appointment{Plan: "evening", At: appointed(30), Note: "exit 3"}))
			})
		}},
		{"who lost the duty notes and ends nothing", func(r *room) {
			a := r.takes("a")
			r.appoint(a, "evening", 30, reel.AppointmentOpen, 0)
			for what, lose := range map[string]func(){
				"its time is over": func() { r.later(reel.DutyTTL + time.Second) },
				"another has it":   func() { r.later(reel.DutyTTL + time.Second); r.takes("b") },
			} {
				lose()
				r.untouched(what, func() {
					_, err := r.Store.Appoint(r.ctx, a, reel.Appointment{Plan: "evening", At: appointed(31), Batch: "x", State: reel.AppointmentOpen}, 0)
					r.wantErr(err, reel.ErrLost)
					r.wantErr(r.Store.EndAppointment(r.ctx, a, reel.Appointment{Plan: "evening", At: appointed(30)}), reel.ErrLost)
				})
			}
		}},
		{"what is open and the last of each plan are listed", func(r *room) {
			a := r.takes("a")
			r.equal("none", r.appointments(), "")
			r.appoint(a, "morning", 1, reel.AppointmentSeen, 0)
			r.appoint(a, "evening", 30, reel.AppointmentOpen, 0)
			r.appoint(a, "evening", 31, reel.AppointmentMissed, 1)
			r.appoint(a, "evening", 32, reel.AppointmentOpen, 0)
			r.must(r.Store.EndAppointment(r.ctx, a, reel.Appointment{Plan: "evening", At: appointed(32)}))
			r.equal("listed", r.appointments(), "evening 30 open, evening 32 ended, morning 1 seen")
		}},
		{"the journal tells of appointments that began and that were missed", func(r *room) {
			a := r.takes("a")
			r.appoint(a, "morning", 1, reel.AppointmentSeen, 0)
			r.appoint(a, "morning", 5, reel.AppointmentMissed, 3)
			r.appoint(a, "morning", 9, reel.AppointmentOpen, 2)
			var told []string
			for _, e := range r.Journal(r.T) {
				told = append(told, fmt.Sprintf("%s %d %s by %s", e.Kind, e.Count, e.Text, e.By))
			}
			r.equal("told", strings.Join(told, "\n"), `missed 3 plan morning, the last 2026-11-20 18:05:00 UTC by pid 1 on a
scheduled 0 plan morning, 2026-11-20 18:09:00 UTC: batch morning-9 by pid 1 on a
missed 2 plan morning, before 2026-11-20 18:09:00 UTC by pid 1 on a`)
		}},
		{"the batch of an appointment is filled once, by who has the duty", func(r *room) {
			a := r.takes("a")
			r.appoint(a, "evening", 30, reel.AppointmentOpen, 0)
			evening := reel.Appointment{Plan: "evening", At: appointed(30), Batch: "evening-30"}
			fill := func(d reel.Duty, specs ...string) (ledger.ImportReport, error) {
				return r.Store.Fill(r.ctx, d, evening, func(yield func(reel.Post, error) bool) {
					for _, s := range specs {
						if !yield(post(s), nil) {
							return
						}
					}
				})
			}
			r.later(reel.DutyTTL + time.Second)
			b := r.takes("b")
			r.untouched("by one that lost the duty", func() {
				_, err := fill(a, "1@a")
				r.wantErr(err, reel.ErrLost)
			})
			rep, err := fill(b, "1@a", "2@b")
			r.must(err)
			r.equal("filled", rep, ledger.ImportReport{Batch: "evening-30", Added: 2, Twice: []int{}})
			r.reopen()
			r.untouched("a second time, from a source that has more by now", func() {
				rep, err := fill(b, "0@a", "1@a", "2@b", "3@c")
				r.must(err)
				r.equal("filled before", rep, ledger.ImportReport{Batch: "evening-30", Known: 2, Twice: []int{}})
			})
			r.must(r.Store.EndAppointment(r.ctx, b, evening))
			r.untouched("when it has ended", func() {
				_, err := fill(b, "4@a")
				r.wantErr(err, reel.ErrNotFound)
			})
		}},
		{"since when a plan's times are what they are stays known", func(r *room) {
			a := r.takes("a")
			seen := func(minute int, times string) {
				_, err := r.Store.Appoint(r.ctx, a, reel.Appointment{Plan: "evening", At: appointed(minute), State: reel.AppointmentSeen, Note: times}, 0)
				r.must(err)
			}
			seen(1, "18:30")
			r.appoint(a, "evening", 30, reel.AppointmentMissed, 1)
			r.equal("one", r.appointments(), "evening 1 seen 18:30, evening 30 missed")
			seen(31, "18:45")
			r.equal("another", r.appointments(), "evening 30 missed, evening 31 seen 18:45")
		}},
		{"the jobs in a plan's batches are known by their appointment", func(r *room) {
			a := r.takes("a")
			r.appoint(a, "evening", 30, reel.AppointmentOpen, 0)
			r.appoint(a, "evening", 40, reel.AppointmentOpen, 0)
			r.appoint(a, "morning", 1, reel.AppointmentOpen, 0)
			r.add("evening-30", "1@a", "2@b")
			r.add("evening-40", "3@a")
			r.add("morning-1", "4@a")
			r.add("other", "5@a")
			_, err := r.load("evening-40", reel.Post{Job: post("6@b").Job, Past: &reel.Past{State: reel.Succeeded}})
			r.must(err)
			var got []string
			for p, err := range r.Store.PlannedJobs(r.ctx, "evening") {
				r.must(err)
				got = append(got, fmt.Sprintf("%d %s %s %s %t %t", p.At.Minute(), p.Job, p.Account, p.Video, p.Old, p.Filled.Equal(r.now())))
			}
			slices.Sort(got)
			r.equal("jobs", strings.Join(got, ", "), "30 1 a /v/1.mp4 false true, 30 2 b /v/2.mp4 false true, 40 3 a /v/3.mp4 false true, 40 6 b /v/6.mp4 true true")
		}},
	}
}
