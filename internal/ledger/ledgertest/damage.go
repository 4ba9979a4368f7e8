package ledgertest

import (
	"slices"
	"strings"
	"testing"

	"reelpass/internal/ledger"
	"reelpass/internal/reel"
)

// damage is done to a sound ledger behind the program's back; it says which checks must see it, and no other may.
type damage struct {
	name   string
	do     []string
	checks string
}

// job is the number of a job of the ledger that damages are done to, as a statement takes it.
func job(id string) string { return `(SELECT id FROM job WHERE job_id='` + id + `')` }

const (
	batchB = `(SELECT id FROM batch WHERE name='b')`
	batchC = `(SELECT id FROM batch WHERE name='c')`
)

func damages() []damage {
	one := func(name, checks string, do ...string) damage { return damage{name, do, checks} }
	return []damage{
		one("an event of no job", "references", `INSERT INTO event(seq,at,kind,job,data) VALUES((SELECT max(seq)+1 FROM event),0,'notice',999,'{}')`),

		one("an open pass of a finished batch", "batches", `UPDATE batch SET pass_open=TRUE WHERE name='c'`),
		one("a wait while a pass is open", "batches", `UPDATE batch SET waiting_until=1 WHERE name='b'`),
		one("a result that is none", "batches", `UPDATE batch SET result='done' WHERE name='c'`),
		one("a pass that is not kept", "batches", `UPDATE batch SET pass=2 WHERE name='c'`),
		one("a pass that did not end", "batches", `UPDATE pass SET ended_at=NULL WHERE batch_id=`+batchC),
		one("an open pass that has ended", "batches", `UPDATE pass SET ended_at=1 WHERE batch_id=`+batchB),
		one("a pass with another number", "batches passes", `UPDATE pass SET pass=2 WHERE batch_id=`+batchC),
		one("a pass that is lost", "batches passes", `DELETE FROM pass WHERE batch_id=`+batchC),

		one("a job more in the total", "totals", `UPDATE total SET n=n+1 WHERE name='jobs'`),
		one("an attempt less in the total", "totals", `UPDATE total SET n=n-1 WHERE name='attempts'`),
		one("a state's counter gone", "totals", `DELETE FROM total WHERE name='in_doubt'`),
		one("a counter of nothing", "totals", `INSERT INTO total(batch_id,name,n) SELECT id,'lost',1 FROM batch`),

		one("a post more in a pass", "passes", `UPDATE pass SET succeeded=succeeded+1, processed=processed+1 WHERE batch_id=`+batchB),
		one("a retry that was the end", "passes", `UPDATE pass SET retryable=retryable-1, exhausted=exhausted+1 WHERE batch_id=`+batchB),
		one("another's trouble", "passes", `UPDATE pass SET f_infra=f_infra-1, f_account=f_account+1 WHERE batch_id=`+batchB),

		one("another state's reason", "states", `UPDATE job SET reason='max_passes' WHERE job_id='4'`),
		one("a living job with a reason", "states", `UPDATE job SET reason='content' WHERE job_id='9'`),
		one("a post with an error", "states", `UPDATE job SET error='x' WHERE job_id='1'`),
		one("a state that is none", "states totals", `UPDATE job SET state='lost' WHERE job_id='9'`),

		one("a running job without a lease", "leases", `UPDATE job SET owner=NULL, lease_until=NULL WHERE job_id='6'`),
		one("a waiting job with a lease", "leases", `UPDATE job SET owner=(SELECT max(id) FROM supervisor), lease_until=1 WHERE job_id='9'`),
		one("a lease without an end", "leases", `UPDATE job SET lease_until=NULL WHERE job_id='6'`),
		one("an end without a lease", "leases", `UPDATE job SET lease_until=1 WHERE job_id='9'`),
		one("two leases of an account", "leases", `DROP INDEX job_in_flight`, `UPDATE job SET account_id=(SELECT account_id FROM job WHERE job_id='7') WHERE job_id='6'`),
		one("running in no open pass", "leases", `UPDATE job SET pass=0 WHERE job_id='6'`),
		one("a look at what is no doubt", "leases", `UPDATE job SET look_due=1 WHERE job_id='9'`),

		one("due in a pass far away", "due", `UPDATE job SET due_pass=7 WHERE job_id='9'`),
		one("due in a pass that is over", "due", `UPDATE job SET due_pass=0 WHERE job_id='9'`),

		one("a hold that went without its jobs", "holds", `UPDATE hold SET released_at=1`),
		one("a hold for another account's job", "holds", `UPDATE hold SET job=`+job("1")),
		one("two holds at once", "holds", `DROP INDEX hold_active`, `INSERT INTO hold(account_id,since) SELECT account_id,0 FROM hold`),

		one("a post that nothing guards", "publish", `DELETE FROM publish WHERE job=`+job("1")),
		one("a doubt that nothing guards", "publish", `DELETE FROM publish WHERE job=`+job("3")),
		one("an intent that nothing guards", "publish", `DELETE FROM publish WHERE job=`+job("7")),
		one("a guard of a failure", "publish", `INSERT INTO publish(account_id,content,job,fence,at) SELECT account_id,'x',id,0,0 FROM job WHERE job_id='2'`),
		one("a guard on another account", "publish", `UPDATE publish SET account_id=(SELECT account_id FROM job WHERE job_id='9') WHERE job=`+job("1")),
		one("two guards of a job", "publish", `INSERT INTO publish(account_id,content,job,fence,at) SELECT account_id,'x',id,0,0 FROM job WHERE job_id='1'`),
		one("a repost of nothing", "publish", `UPDATE publish SET repost=job WHERE job=`+job("1")),

		one("an attempt that is lost", "attempts passes", `DELETE FROM attempt WHERE job=`+job("2")),
		one("an attempt that nobody made", "attempts journal passes", `INSERT INTO attempt(job,number,pass,worker,host,started_at,ended_at,outcome,share_begun,category)
			SELECT id,2,1,1,'',0,0,'failed',FALSE,'infrastructure' FROM job WHERE job_id='2'`),
		one("a count of attempts", "attempts totals", `UPDATE job SET attempts=attempts+1 WHERE job_id='2'`),
		one("a count of failures", "attempts", `UPDATE job SET f_infra=0, f_unknown=1 WHERE job_id='2'`),
		one("an attempt that ended otherwise", "attempts passes", `UPDATE attempt SET outcome='succeeded', category='' WHERE job=`+job("2")),
		one("a post of which no attempt tells", "attempts passes", `UPDATE attempt SET outcome='in_doubt' WHERE job=`+job("1")),
		one("an attempt in a pass to come", "attempts", `UPDATE job SET pass=9 WHERE job_id='2'`),
		one("more forgiven than counted", "attempts", `UPDATE job SET forgiven='{"attempts":5}' WHERE job_id='2'`),

		one("a fence that fell", "fences", `UPDATE job SET fence=0 WHERE job_id='2'`),
		one("a fence of nobody", "fences", `UPDATE job SET fence=9 WHERE job_id='6'`),
		one("a guard of a later fence", "fences", `UPDATE publish SET fence=99 WHERE job=`+job("1")),
		one("a word under an old fence", "fences", `UPDATE event SET data=replace(data,'"fence":1','"fence":7') WHERE kind='failed' AND job=`+job("2")),
		one("a claim with an old fence", "fences", `UPDATE event SET data=replace(data,'"fence":1','"fence":0') WHERE job=`+job("2")),

		one("an appointment that is lost", "schedule", `DELETE FROM appointment WHERE state='ended'`),
		one("an appointment without a batch", "schedule", `UPDATE appointment SET batch='' WHERE state='open'`),
		one("an appointment that nobody told of", "schedule", `INSERT INTO appointment(plan,at,batch,state) VALUES('p',1,'b','ended')`),

		one("a post that became a doubt", "attempts journal totals", `UPDATE job SET state='in_doubt' WHERE job_id='1'`),
		one("a failure that became new", "journal totals", `UPDATE job SET state='pending' WHERE job_id='2'`),
		one("an event that is lost", "journal", `DELETE FROM event WHERE kind='imported' AND batch_id=`+batchB),
		one("an end that is lost", "journal", `DELETE FROM event WHERE kind='failed' AND job=`+job("2")),
		one("a post without an intent", "journal", `DELETE FROM event WHERE kind='intent' AND job=`+job("1")),
		one("an event of another job", "journal", `UPDATE event SET data=replace(data,'"job_id":"1"','"job_id":"2"') WHERE kind='succeeded' AND job=`+job("1")),
		one("an event of another kind", "journal", `UPDATE event SET kind='notice' WHERE kind='imported'`),
		one("an event that is no JSON", "fences journal", `UPDATE event SET data='x' WHERE kind='intent' AND job=`+job("1")),
	}
}

// TestDamage fills a ledger that make gives, damages copies of it, each in one way, and sees that Verify finds just that. Where copies are
// dear, all may be false: then each check fires, and not each of its reasons.
func TestDamage(t *testing.T, make Factory, copied func(*testing.T) Fixture, all bool) {
	whole := newRoom(t, make)
	everyState(whole)
	whole.sound()
	whole.must(whole.Store.Close())
	seen := map[string]bool{}
	done := map[string]bool{}
	for _, d := range damages() {
		if done[d.checks] && !all {
			continue
		}
		done[d.checks] = true
		t.Run(d.name, func(t *testing.T) {
			r := &room{T: t, Fixture: copied(t), ctx: t.Context()}
			if r.Exec(`ALTER TABLE event DISABLE TRIGGER ALL`) != nil { // a server's way to write the journal, and a file's
				r.must(r.Exec(`DROP TRIGGER event_keep`))
				r.must(r.Exec(`DROP TRIGGER event_stay`))
			}
			for _, q := range d.do {
				r.must(r.Exec(q))
			}
			var checks, texts []string
			_, err := r.Store.Verify(r.ctx, func(f ledger.Finding) {
				texts = append(texts, f.String())
				checks = append(checks, f.Check)
			}, nil)
			r.must(err)
			slices.Sort(checks)
			if got := strings.Join(slices.Compact(checks), " "); got != d.checks {
				t.Errorf("got %q, want %q:\n%s", got, d.checks, strings.Join(texts, "\n"))
			}
			for _, c := range checks {
				seen[c] = true
			}
		})
	}
	for _, c := range ledger.Checks() {
		if c != "file" && !seen[c] {
			t.Errorf("no damage makes the check of %s fire", c)
		}
	}
}

// everyState makes two batches with a job in nearly every state.
func everyState(r *room) {
	r.Helper()
	r.limits.Unknown = 1
	d := r.takes("a")
	r.appoint(d, "p", 1, reel.AppointmentSeen, 0)
	r.appoint(d, "p", 2, reel.AppointmentOpen, 1)
	r.must(r.Store.EndAppointment(r.ctx, d, reel.Appointment{Plan: "p", At: appointed(2)}))
	r.appoint(d, "p", 3, reel.AppointmentMissed, 1)
	r.appoint(d, "p", 4, reel.AppointmentOpen, 0)
	r.add("c", "x@x")
	r.start("c")
	r.publish(r.claim("c"))
	r.next("c")
	r.add(batch, "1@a", "2@b", "3@c", "4@d", "5@d", "6@e", "7@f", "8@g", "9@h")
	r.start(batch)
	r.publish(r.claim(batch))
	r.fail(r.claim(batch), reel.Infrastructure)
	r.doubt(r.claim(batch), reel.Infrastructure)
	r.fail(r.claim(batch), reel.Account) // holds d, and sets 5 aside
	r.claim(batch)
	r.intent(r.claim(batch))
	r.fail(r.claim(batch), reel.Unknown)
	for id, want := range map[reel.JobID]reel.State{
		"1": reel.Succeeded, "2": reel.Failed, "3": reel.InDoubt, "4": reel.SetAside, "5": reel.SetAside, "6": reel.Running,
		"7": reel.Publishing, "8": reel.Exhausted, "9": reel.Pending,
	} {
		if got := r.job(batch, id).State; got != want {
			r.Fatalf("job %s is %s, want %s", id, got, want)
		}
	}
}
