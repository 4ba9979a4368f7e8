package ledger

import (
	"cmp"
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"iter"
	"slices"
	"strings"
	"time"

	"reelpass/internal/reel"
)

// Head is the number of the journal's last event, 0 in an empty one. Whoever shows the ledger looks here whether it moved.
func (s *Store) Head(ctx context.Context) (seq int64, err error) {
	ctx, cancel := s.brief(ctx)
	defer cancel()
	err = s.read.QueryRowContext(ctx, `SELECT COALESCE(max(seq),0) FROM event`).Scan(&seq)
	return seq, s.trouble(err)
}

// Journal returns up to most events that follow event number after, the oldest first. An event that cannot be read becomes a notice
// with its text: what follows it is shown all the same.
func (s *Store) Journal(ctx context.Context, after int64, most int) ([]reel.Event, error) {
	ctx, cancel := s.brief(ctx)
	defer cancel()
	var events []reel.Event
	err := rowsOf(ctx, s.read, `SELECT seq,at,data FROM event WHERE seq>? ORDER BY seq LIMIT ?`, []any{after, most}, func(rows *sql.Rows) error {
		e, err := scanEvent(rows)
		events = append(events, e)
		return err
	})
	return events, s.trouble(err)
}

// History is the whole journal, the oldest event first.
func (s *Store) History(ctx context.Context) iter.Seq2[reel.Event, error] {
	return func(yield func(reel.Event, error) bool) {
		const most = 2000
		for after := int64(0); ; {
			events, err := s.Journal(ctx, after, most)
			if err != nil {
				yield(reel.Event{}, err)
				return
			}
			for _, e := range events {
				if after = e.Seq; !yield(e, nil) {
					return
				}
			}
			if len(events) < most {
				return
			}
		}
	}
}

func scanEvent(rows *sql.Rows) (reel.Event, error) {
	var seq, at int64
	var data string
	if err := rows.Scan(&seq, &at, &data); err != nil {
		return reel.Event{}, err
	}
	var e reel.Event
	if err := json.Unmarshal([]byte(data), &e); err != nil {
		e = reel.Event{At: time.UnixMilli(at).UTC(), Kind: reel.EventNotice, Text: data} // shown as it is rather than hidden
	}
	e.Seq = seq
	return e, nil
}

// Page is a part of a batch's jobs, in the order of their import.
type Page struct {
	Jobs []reel.Record
	// Next is where the following part begins; 0 where nothing follows.
	Next int64
	// Looked is how many jobs were looked at. A search through very many stops when its time is up, with fewer jobs than asked for
	// and with Next set.
	Looked int
}

// pageTime is how long one page may look for jobs that are hard to find. A person waits for it.
const pageTime = 60 * time.Millisecond

// window is how many jobs are looked at in one statement, between two looks at the clock.
const window = 10_000

// fewEnough is up to how many jobs of some states are fetched through their indexes and then sorted.
const fewEnough = 5_000

// Page lists up to most jobs of a batch that a filter chooses, from place on: 0 for the first page, and then the Next of the page before.
// Its time does not grow with the batch.
func (s *Store) Page(ctx context.Context, batch string, f Filter, place int64, most int) (page Page, err error) {
	err = s.moment(ctx, func(r reader) error { page, err = s.page(ctx, r, batch, f, place, most); return err })
	return page, err
}

func (s *Store) page(ctx context.Context, r reader, batch string, f Filter, place int64, most int) (Page, error) {
	var page Page
	var id int64
	err := r.QueryRowContext(ctx, `SELECT id FROM batch WHERE name=?`, batch).Scan(&id)
	if errors.Is(err, sql.ErrNoRows) {
		return page, fmt.Errorf("batch %q: %w", batch, reel.ErrNotFound)
	}
	if err != nil {
		return page, err
	}
	where, args := f.where()
	query := keyedColumns + ` WHERE j.batch_id=?` + where
	few, err := s.few(ctx, r, id, f.States)
	if err != nil {
		return page, err
	}
	if few {
		return s.fewJobs(ctx, r, id, batch, f, place, most)
	}
	first, last, err := s.span(ctx, r, id)
	if err != nil {
		return page, err
	}
	began := time.Now()
	for from := max(place, first); from <= last && page.Next == 0; from += window {
		if from > max(place, first) && time.Since(began) > pageTime {
			page.Next = from
			break
		}
		found, err := recordsOf(ctx, r, batch, query+` AND j.id>=? AND j.id<? ORDER BY j.id LIMIT ?`, slices.Concat([]any{id}, args, []any{from, from + window, most + 1 - len(page.Jobs)}))
		if err != nil {
			return page, err
		}
		page.fill(found, most)
		page.Looked += int(min(window, last-from+1))
	}
	return page, nil
}

// placed is a job with its number in the ledger.
type placed struct {
	key int64
	reel.Record
}

// fill takes jobs until the page is full; the next one's number is where the following page begins.
func (p *Page) fill(found []placed, most int) {
	for _, j := range found {
		if len(p.Jobs) == most {
			p.Next = j.key
			return
		}
		p.Jobs = append(p.Jobs, j.Record)
	}
}

func recordsOf(ctx context.Context, r reader, batch, query string, args []any) (found []placed, err error) {
	err = rowsOf(ctx, r, query, args, func(rows *sql.Rows) error {
		var j placed
		var err error
		j.Record, err = scanRecord(keyed{rows, &j.key})
		j.Batch = batch
		found = append(found, j)
		return err
	})
	return found, err
}

// fewJobs fetches jobs through the indexes of their states: those that a pass may take, those in workers' hands, and all others.
func (s *Store) fewJobs(ctx context.Context, r reader, id int64, batch string, f Filter, place int64, most int) (page Page, err error) {
	var found []placed
	for _, index := range []struct {
		condition string // as the index has it, for SQLite to see that the index would do
		holds     func(reel.State) bool
	}{
		{` AND j.state IN ('pending','failed')`, reel.State.Ready},
		{` AND j.owner IS NOT NULL`, reel.State.InFlight},
		{``, func(st reel.State) bool { return !st.Ready() && !st.InFlight() }},
	} {
		some := f
		some.States = slices.DeleteFunc(slices.Clone(f.States), func(st reel.State) bool { return !index.holds(st) })
		if len(some.States) == 0 {
			continue
		}
		where, args := some.where()
		part, err := recordsOf(ctx, r, batch, keyedColumns+` WHERE j.batch_id=?`+index.condition+where+` AND +j.id>=? ORDER BY +j.id LIMIT ?`,
			slices.Concat([]any{id}, args, []any{place, most + 1}))
		if err != nil {
			return page, err
		}
		found = append(found, part...)
	}
	slices.SortFunc(found, func(x, y placed) int { return cmp.Compare(x.key, y.key) })
	page.fill(found, most)
	page.Looked = len(page.Jobs)
	return page, nil
}

// few says that the jobs in some states are few, and that an index finds them.
func (s *Store) few(ctx context.Context, r reader, batch int64, states []reel.State) (bool, error) {
	if len(states) == 0 || slices.Contains(states, reel.Succeeded) {
		return false, nil
	}
	var t reel.Totals
	if err := rowsOf(ctx, r, `SELECT name,n FROM total WHERE batch_id=?`, []any{batch}, func(rows *sql.Rows) error { return scanTotal(rows, &t) }); err != nil {
		return false, err
	}
	n := 0
	for _, st := range states {
		n += t.Of(st)
	}
	return n <= fewEnough, nil
}

// span is the numbers of a batch's first and last job. Jobs are never removed: the first is found once.
func (s *Store) span(ctx context.Context, r reader, batch int64) (first, last int64, err error) {
	if known, ok := s.firsts.Load(batch); ok {
		first, _ = known.(int64)
	} else {
		var min sql.NullInt64
		if err := r.QueryRowContext(ctx, `SELECT min(id) FROM job WHERE batch_id=?`, batch).Scan(&min); err != nil || !min.Valid {
			return 1, 0, err
		}
		first = min.Int64
		s.firsts.Store(batch, first)
	}
	var max sql.NullInt64 // of all batches: what belongs to another is passed over
	err = r.QueryRowContext(ctx, `SELECT max(id) FROM job`).Scan(&max)
	return first, max.Int64, err
}

const keyedColumns = `SELECT j.id,` + recordFields

// keyed scans a row that begins with the job's number.
type keyed struct {
	row scanner
	key *int64
}

// Scan reads the number, and the rest into dest.
func (k keyed) Scan(dest ...any) error { return k.row.Scan(append([]any{k.key}, dest...)...) }

// where is the filter as a condition that begins with AND, and what it asks for.
func (f Filter) where() (string, []any) {
	var b strings.Builder
	var args []any
	and := func(condition string, values ...any) {
		b.WriteString(` AND ` + condition)
		args = append(args, values...)
	}
	if len(f.States) > 0 { // as literals: with parameters SQLite cannot see that job_trouble would do
		and(`(` + anyOf(f.States) + `)`)
	}
	if f.Reason != "" {
		and(`j.reason=?`, string(f.Reason))
	}
	if f.Account != "" {
		and(`j.account_id=(SELECT id FROM account WHERE name=?)`, f.Account)
	}
	if f.Category != "" {
		and(`j.category=?`, string(f.Category))
	}
	if f.Type != "" {
		and(`j.type=?`, f.Type)
	}
	if f.Pass > 0 {
		and(`j.pass=?`, f.Pass)
	}
	if f.Words != "" {
		like := `%` + strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(strings.ToLower(f.Words)) + `%`
		and(`(lower(j.job_id) LIKE ? ESCAPE '\' OR lower(a.name) LIKE ? ESCAPE '\' OR lower(j.video_path) LIKE ? ESCAPE '\' OR lower(j.error) LIKE ? ESCAPE '\')`,
			like, like, like, like)
	}
	return b.String(), args
}
