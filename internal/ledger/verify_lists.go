package ledger

import (
	"database/sql"
	"fmt"

	"reelpass/internal/reel"
)

// reference is a column that stands for a row of another table.
type reference struct{ table, column, of string }

// references are all of them: those that the schema declares, which SQLite does not enforce, and the journal's, which it does not.
func references() []reference {
	return []reference{
		{"batch", "leader", "supervisor"},
		{"job", "batch_id", "batch"},
		{"job", "account_id", "account"},
		{"job", "owner", "supervisor"},
		{"job", "away", "supervisor"},
		{"attempt", "job", "job"},
		{"publish", "account_id", "account"},
		{"publish", "job", "job"},
		{"pass", "batch_id", "batch"},
		{"total", "batch_id", "batch"},
		{"hold", "account_id", "account"},
		{"hold", "job", "job"},
		{"kept", "job", "job"},
		{"event", "batch_id", "batch"},
		{"event", "job", "job"},
	}
}

// guarded are the states whose video is on the account, or may be.
const guarded = `('publishing','in_doubt','succeeded')`

// lists are queries that find nothing in a sound ledger. They go over all of it at once, where a job cannot be looked at alone, and give
// the check, the batch, the job and, in words, what is wrong. Each must cost no more than sorting a table.
func lists() []string {
	return []string{
		`SELECT 'leases',b.name,j.job_id,'its account ' || a.name || ' has ' || f.n || ' jobs in flight'
			FROM (SELECT account_id,count(*) AS n,max(id) AS job FROM job WHERE owner IS NOT NULL GROUP BY account_id HAVING count(*)>1) f
			JOIN job j ON j.id=f.job JOIN batch b ON b.id=j.batch_id JOIN account a ON a.id=f.account_id`,
		`SELECT 'holds','','','account ' || a.name || ' is held ' || f.n || ' times at once'
			FROM (SELECT account_id,count(*) AS n FROM hold WHERE released_at IS NULL GROUP BY account_id HAVING count(*)>1) f
			JOIN account a ON a.id=f.account_id`,
		`SELECT 'holds',b.name,j.job_id,'caused a hold of account ' || a.name || ', which is not its own' FROM hold h
			JOIN job j ON j.id=h.job JOIN batch b ON b.id=j.batch_id JOIN account a ON a.id=h.account_id WHERE j.account_id<>h.account_id`,
		`SELECT 'publish',b.name,j.job_id,'is ' || j.state || ', and nothing guards its video: another job could post it again'
			FROM (SELECT id FROM job WHERE state IN ` + guarded + ` EXCEPT SELECT job FROM publish) f
			JOIN job j ON j.id=f.id JOIN batch b ON b.id=j.batch_id
			WHERE (SELECT max(seq) FROM event e WHERE e.job=j.id AND e.kind='intent')>(SELECT max(seq) FROM event e WHERE e.job=j.id AND e.kind='claimed')`,
		`SELECT CASE WHEN j.state IN ` + guarded + ` AND j.account_id=p.account_id THEN 'fences' ELSE 'publish' END,b.name,j.job_id,
			CASE WHEN j.state NOT IN ` + guarded + ` THEN 'is ' || j.state || ', and its video is still guarded: nobody could post it'
			WHEN j.account_id<>p.account_id THEN 'guards its video on another account than its own'
			ELSE 'its video is guarded under fence ' || p.fence || ', and its own is ' || j.fence END FROM publish p
			JOIN job j ON j.id=p.job JOIN batch b ON b.id=j.batch_id
			WHERE j.state NOT IN ` + guarded + ` OR j.account_id<>p.account_id OR p.fence>j.fence`,
		`SELECT 'publish',b.name,j.job_id,'guards ' || f.n || ' videos' FROM (SELECT job,count(*) AS n FROM publish GROUP BY job HAVING count(*)>1) f
			JOIN job j ON j.id=f.job JOIN batch b ON b.id=j.batch_id`,
		`SELECT 'publish',b.name,j.job_id,'is a repost beside a post that is not there' FROM publish p
			JOIN job j ON j.id=p.job JOIN batch b ON b.id=j.batch_id WHERE p.repost<>0
			AND NOT EXISTS (SELECT 1 FROM publish o WHERE o.account_id=p.account_id AND o.content=p.content AND o.repost=0)`,
		`SELECT 'schedule','','','an appointment of plan ' || plan || ' is ' || state || ', and has no batch' FROM appointment
			WHERE state IN ('open','ended') AND batch=''`,
		`SELECT 'schedule','','',f.n || ' appointments began, and the journal tells of ' || f.told FROM
			(SELECT (SELECT count(*) FROM appointment WHERE state IN ('open','ended')) AS n, (SELECT count(*) FROM event WHERE kind='scheduled') AS told) f
			WHERE f.n<>f.told`,
	}
}

func (v *verifier) lists() error {
	for _, x := range references() {
		var n int
		query := fmt.Sprintf(`SELECT count(*) FROM %s t WHERE t.%s IS NOT NULL AND NOT EXISTS (SELECT 1 FROM %s o WHERE o.id=t.%s)`, x.table, x.column, x.of, x.column)
		if err := v.r.QueryRowContext(v.ctx, query).Scan(&n); err != nil {
			return err
		}
		if n > 0 {
			v.say(checkReferences, "", "", "%d rows of %s name a %s (%s) that is not there", n, x.table, x.of, x.column)
		}
	}
	for _, query := range lists() {
		if err := v.each(query, nil, func(rows *sql.Rows) error {
			var check, batch, text string
			var job reel.JobID
			err := rows.Scan(&check, &batch, &job, &text)
			v.say(check, batch, job, "%s", text)
			return err
		}); err != nil {
			return err
		}
	}
	return nil
}
