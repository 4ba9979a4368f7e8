package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"reelpass/internal/plan"
	"reelpass/internal/postgrestest"
	"reelpass/internal/reel"
)

// Whatever is gathered, the statements about one account keep their order, and one about none keeps its place among all.
func TestGatheringKeepsTheOrderThatMatters(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		waiting := make([]foreseen, rapid.IntRange(0, 30).Draw(t, "statements"))
		for i := range waiting {
			waiting[i] = foreseen{
				about: rapid.SampledFrom([]string{"", "a", "b", "c", "d"}).Draw(t, "about"),
				query: rapid.SampledFrom([]string{"claim", "end", "keep"}).Draw(t, "query"),
				args:  []any{i}, rows: rapid.SampledFrom([]int64{1, 1, certain}).Draw(t, "rows"),
			}
		}
		var order []int
		for _, g := range gather(waiting) {
			rows := int64(0)
			for _, args := range append([][]any{g.args}, g.more...) {
				f := waiting[args[0].(int)]
				if f.query != g.query || (f.rows == certain) != (g.rows == certain) {
					t.Fatalf("%+v is in the group of %q", f, g.query)
				}
				rows += f.rows
				order = append(order, args[0].(int))
			}
			if g.rows != certain && g.rows != rows {
				t.Fatalf("a group of %d rows foresees %d", rows, g.rows)
			}
		}
		if len(order) != len(waiting) {
			t.Fatalf("%d of %d statements", len(order), len(waiting))
		}
		for at, i := range order {
			for _, j := range order[:at] {
				if a, b := waiting[i].about, waiting[j].about; j > i && (a == b || a == "" || b == "") {
					t.Fatalf("statement %d about %q came before statement %d about %q", j, b, i, a)
				}
			}
		}
	})
}

func TestStatementsForManyRows(t *testing.T) {
	for _, c := range []struct {
		query string
		types []string
		want  string
	}{
		{
			`INSERT INTO event(seq,data) VALUES(?,?)`,
			[]string{"bigint", "text"},
			`INSERT INTO event(seq,data) SELECT * FROM unnest($1::bigint[],$2::text[])`,
		},
		{
			`INSERT INTO publish(account_id,content) VALUES(?,?) ON CONFLICT DO NOTHING`,
			[]string{"bigint", "text"},
			`INSERT INTO publish(account_id,content) SELECT * FROM unnest($1::bigint[],$2::text[]) ON CONFLICT DO NOTHING`,
		},
		{
			`UPDATE job SET state=?, n=n+1, look=CASE WHEN EXISTS (SELECT 1 FROM hold h WHERE h.id=job.id) THEN 0 END WHERE id=? AND fence=?`,
			[]string{"text", "bigint", "bigint"},
			`UPDATE job SET state=v.c1, n=n+1, look=CASE WHEN EXISTS (SELECT 1 FROM hold h WHERE h.id=job.id) THEN 0 END ` +
				`FROM unnest($1::text[],$2::bigint[],$3::bigint[]) AS v(c1,c2,c3) WHERE id=v.c2 AND fence=v.c3`,
		},
		{
			`DELETE FROM publish WHERE account_id=? AND job=?`,
			[]string{"bigint", "bigint"},
			`DELETE FROM publish USING unnest($1::bigint[],$2::bigint[]) AS v(c1,c2) WHERE account_id=v.c1 AND job=v.c2`,
		},
		{
			`INSERT INTO publish(a,b) SELECT CAST(?1 AS BIGINT),CAST(?2 AS TEXT) WHERE NOT EXISTS(SELECT 1 FROM publish WHERE a=?1)`,
			[]string{"bigint", "text"},
			`INSERT INTO publish(a,b) SELECT CAST(v.c1 AS BIGINT),CAST(v.c2 AS TEXT) FROM unnest($1::bigint[],$2::text[]) AS v(c1,c2) WHERE NOT EXISTS(SELECT 1 FROM publish WHERE a=v.c1)`,
		},
		{`INSERT INTO total(name,n) VALUES(?,?),(?,?)`, []string{"text", "bigint", "text", "bigint"}, ``}, // for many rows already
		{`INSERT INTO total(name,n) VALUES(?,?)`, []string{"text"}, ``},                                   // not its arguments
		{`UPDATE batch SET pass=?`, []string{"bigint"}, ``},
	} {
		if got, ok := spread(c.query, c.types); got != c.want && ok || ok != (c.want != "") {
			t.Errorf("%s\n  became %s\n  want   %s", c.query, got, c.want)
		}
	}
}

func TestArraysOfArguments(t *testing.T) {
	arrays, types, ok := columnsOf([]any{int64(1), "a", nil, true}, [][]any{{2, "b", int64(7), false}})
	if !ok || fmt.Sprint(types) != "[bigint text bigint boolean]" {
		t.Fatalf("%v %v", types, ok)
	}
	if a := arrays[0].([]*int64); *a[0] != 1 || *a[1] != 2 {
		t.Errorf("%v", a)
	}
	if a := arrays[2].([]*int64); a[0] != nil || *a[1] != 7 {
		t.Errorf("%v", a)
	}
	if _, _, ok := columnsOf([]any{1.5}, [][]any{{2.5}}); ok {
		t.Error("an array of what no column holds")
	}
	if _, _, ok := columnsOf([]any{1}, [][]any{{"one"}}); ok {
		t.Error("an array of two types")
	}
}

// What many jobs go through at once is carried out by a few statements, which find their rows through indexes however many rows
// there are, and leaves the ledger that one after another would leave.
func TestAGroupIsAFewStatements(t *testing.T) {
	server, err := postgrestest.Start()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = server.Stop() })
	address, err := server.Database(t.Context(), "ledger")
	if err != nil {
		t.Fatal(err)
	}
	s, err := Open(t.Context(), address, Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	const jobs = 8
	seed(t, s, "b", 3*jobs, jobs)
	_, sup := lead(t, s, "b")
	var claims [jobs]reel.Claim
	all := func(what string, do func(i int) error) {
		t.Helper()
		if err := errors.Join(atOnce(s, jobs, do)...); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
	}
	ending := func(i int) reel.Ending {
		e := reel.Ending{Decision: plan.Posted(), Attempt: reel.Attempt{Number: claims[i].Attempt, Pass: 1, Outcome: reel.OutcomeSucceeded, ShareBegun: true}}
		if i%2 == 1 {
			e.Attempt.Outcome, e.Attempt.Verdict = reel.OutcomeFailed, reel.Verdict{Category: reel.Infrastructure}
			e.Decision = reel.Decision{State: reel.Failed}
		}
		return e
	}
	who := reel.Claimant{Batch: "b", Supervisor: sup.ID}
	all("claim", func(i int) (err error) { claims[i], _, err = s.Claim(t.Context(), who); return err })
	intend := func(i int) error {
		key := "path:" + claims[i].Job.VideoPath
		video := reel.Fingerprint{Key: key, Path: key}
		if i > 3 {
			video.Key = "sha256:" + claims[i].Job.VideoPath
		}
		_, err := s.Intent(t.Context(), claims[i], video, false)
		return err
	}
	for range 2 {
		all("intent", intend)
		all("end and claim", func(i int) (err error) { // as many accounts as claims: each has to be free again
			done := who
			done.Done = &reel.Ended{Claim: claims[i], Ending: ending(i)}
			claims[i], _, err = s.Claim(t.Context(), done)
			return err
		})
	}
	all("intent", intend)
	all("end", func(i int) error {
		e := ending(1)
		e.Attempt.Number = claims[i].Attempt
		_, err := s.Record(t.Context(), claims[i], e)
		return err
	})
	if _, err := s.Verify(t.Context(), func(f Finding) { t.Errorf("%v", f) }, nil); err != nil {
		t.Fatal(err)
	}
	st, err := s.Status(t.Context(), "b")
	if want := (reel.Totals{Jobs: 3 * jobs, Succeeded: jobs, Failed: 2 * jobs, Attempts: 3 * jobs}); err != nil || st.Totals != want {
		t.Errorf("%+v, want %+v (%v)", st.Totals, want, err)
	}
	link := s.writer.conn.(*serverLink)
	for _, want := range []string{
		"UPDATE job SET state=v", "UPDATE job SET state='publishing'", "INSERT INTO publish(account_id,content,repost", "INSERT INTO publish(account_id,content,job",
		"INSERT INTO attempt", "INSERT INTO event", "DELETE FROM publish",
	} {
		found := false
		for _, text := range link.texts {
			found = found || strings.HasPrefix(text, want) && strings.Contains(text, "unnest(")
		}
		if !found {
			t.Errorf("no statement for many rows begins with %q", want)
		}
	}
	for _, text := range link.texts {
		if strings.Contains(text, "unnest(") {
			for _, line := range planned(t, link, text) {
				if slices.ContainsFunc([]string{"Seq Scan", "Hash Join", "Merge Join"}, func(slow string) bool { return strings.Contains(line, slow) }) {
					t.Errorf("%s\n  in %s", line, text)
				}
			}
		}
	}
}

// planned is the plan that a link's connection makes for a statement once for all.
func planned(t *testing.T, l *serverLink, text string) (lines []string) {
	t.Helper()
	ctx := context.Background()
	none := strings.TrimSuffix(strings.Repeat("NULL,", strings.Count(text, "::")), ",")
	for _, q := range []string{`PREPARE planned AS ` + text, `EXPLAIN EXECUTE planned(` + none + `)`, `DEALLOCATE planned`} {
		rows, err := l.conn.Query(ctx, q)
		if err != nil {
			t.Fatal(err)
		}
		for rows.Next() {
			var line string
			if err := rows.Scan(&line); err != nil {
				t.Fatal(err)
			}
			lines = append(lines, line)
		}
		if rows.Close(); rows.Err() != nil {
			t.Fatalf("%s: %v", q, rows.Err())
		}
	}
	return lines
}
