package posts

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"time"

	"reelpass/internal/reel"
)

// jobLine is a job as scripts see it. Order and names are promised: add at the end, never take away.
type jobLine struct {
	ID          reel.JobID    `json:"job_id"`
	Account     string        `json:"account"`
	VideoPath   string        `json:"video_path"`
	Caption     string        `json:"caption"`
	State       reel.State    `json:"state"`
	Reason      reel.Reason   `json:"reason"`
	Attempts    int           `json:"attempts"`
	Failures    reel.Failures `json:"failures"`
	Error       string        `json:"error"`
	Category    reel.Category `json:"error_category"`
	Type        string        `json:"error_type"`
	Rule        string        `json:"rule"`
	Pass        int           `json:"pass_number"`
	Worker      *int          `json:"worker_id"`
	ClaimedAt   *time.Time    `json:"claimed_at"`
	CompletedAt *time.Time    `json:"completed_at"`
	Receipt     *receiptLine  `json:"receipt"`
	PublishAt   *time.Time    `json:"publish_at"`
	DuePass     int           `json:"due_pass"` // the pass that will take it, 0 where none will by itself
}

type receiptLine struct {
	ID  string `json:"id"`
	URL string `json:"url"`
}

// JSONLine is a job as one line of JSON without the line end, as `reelpass jobs --json` and WriteJSON print it. Every key is
// always there. worker_id is null while no worker has had the job, claimed_at, completed_at, receipt and publish_at are null
// while there is none; other empty values are "" or 0. Times are RFC 3339 in UTC. A success has no error, category, type or rule.
func JSONLine(r reel.Record) ([]byte, error) {
	line := jobLine{
		ID: r.ID, Account: r.Account, VideoPath: reel.ShownVideo(r.VideoPath), Caption: r.Caption, State: r.State, Reason: r.Reason,
		Attempts: r.Tally.Attempts, Failures: reel.Failures{
			Account: r.Tally.Account, Content: r.Tally.Content,
			Infrastructure: r.Tally.Infrastructure, Unknown: r.Tally.Unknown,
		},
		Error: r.Error, Category: r.Verdict.Category, Type: r.Verdict.Type, Rule: r.Verdict.Rule, Pass: r.Pass,
		ClaimedAt: moment(r.ClaimedAt), CompletedAt: moment(r.CompletedAt), PublishAt: moment(r.PublishAt),
	}
	if r.State.Ready() {
		line.DuePass = r.DuePass
	}
	if r.State == reel.Succeeded {
		line.Error, line.Category, line.Type, line.Rule = "", "", "", ""
	}
	if tried(r) {
		line.Worker = &r.Worker
	}
	if r.Receipt != (reel.Receipt{}) {
		line.Receipt = &receiptLine{ID: r.Receipt.ID, URL: r.Receipt.URL}
	}
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false) // for people who read captions with & in them
	if err := enc.Encode(line); err != nil {
		return nil, fmt.Errorf("write json: job %s: %w", r.ID, err)
	}
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), nil
}

// Story is one job's whole story, as `reelpass explain --json` and the API tell it.
type Story struct {
	Job      json.RawMessage `json:"job"` // a JSONLine
	Held     bool            `json:"account_held"`
	Next     string          `json:"next"` // what happens to it next
	Attempts []reel.Attempt  `json:"attempts"`
	Events   []reel.Event    `json:"events"`
}

func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// WriteJSON writes one JSONLine a job.
func WriteJSON(w io.Writer, records iter.Seq2[reel.Record, error]) error {
	for r, err := range records {
		if err != nil {
			return fmt.Errorf("write json: %w", err)
		}
		line, err := JSONLine(r)
		if err != nil {
			return err
		}
		if _, err := w.Write(append(line, '\n')); err != nil {
			return fmt.Errorf("write json: %w", err)
		}
	}
	return nil
}
