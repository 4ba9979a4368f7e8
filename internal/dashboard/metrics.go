package dashboard

import (
	"context"
	"net/http"

	"github.com/prometheus/client_golang/prometheus" // Prometheus' own client
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"reelpass/internal/overview"
	"reelpass/internal/reel"
)

// mostMetered is how many batches have numbers of their own: those that are not finished, and the latest others.
const mostMetered = 20

// collector answers each scrape from the ledger and the journal's sum, and keeps nothing.
type collector struct{ s *Server }

func describe(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("reelpass_"+name, help, labels, nil)
}

// metrics is every number that is told.
type metrics struct {
	jobs, attempts, failures, pass, breaker, doubts, oldest, holds, losses, phones, phoneTime, alerts, gathered, up *prometheus.Desc
}

func describeAll() metrics {
	return metrics{
		up:        describe("ledger_up", "Whether the ledger could be read."),
		jobs:      describe("jobs", "Jobs of a batch by state.", "batch", "state"),
		attempts:  describe("attempts_total", "Attempts of a batch, of any ending.", "batch"),
		failures:  describe("failures_total", "Failed attempts of a batch by category.", "batch", "category"),
		pass:      describe("last_pass_duration_seconds", "How long the last pass that ended took.", "batch"),
		breaker:   describe("breaker_open", "Whether the breaker of a batch is open.", "batch"),
		doubts:    describe("in_doubt", "Jobs in doubt, over all batches."),
		oldest:    describe("in_doubt_age_seconds", "Age of the oldest doubt, 0 where there is none."),
		holds:     describe("accounts_held", "Accounts that a person must release."),
		losses:    describe("workers_lost_total", "Attempts that ended because a worker or its lease was lost."),
		phones:    describe("phones_running", "Cloud phones that attempts have started and not stopped."),
		phoneTime: describe("phone_seconds_total", "How long attempts had a phone of their own switched on."),
		alerts:    describe("alerts_total", "Alerts since the start, each target by itself, by whether they arrived.", "result"),
		gathered:  describe("alerts_gathered_total", "Events since the start that were held back and told together with others."),
	}
}

// Describe names nothing beforehand: which batches there are is not known.
func (collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads everything anew.
func (c collector) Collect(out chan<- prometheus.Metric) {
	ctx, cancel := context.WithTimeout(context.Background(), tick*10)
	defer cancel()
	d := describeAll()
	gauge := func(desc *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.GaugeValue, v, labels...)
	}
	counter := func(desc *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(desc, prometheus.CounterValue, v, labels...)
	}
	c.s.current(ctx)
	list, err := c.s.statusList(ctx)
	n, errNeeds := c.s.needs(ctx)
	phones, errPhones := c.s.Ledger.Leftovers(ctx, "phone")
	if err != nil || errNeeds != nil || errPhones != nil {
		gauge(d.up, 0)
		return
	}
	gauge(d.up, 1)
	told := 0
	for _, st := range list {
		if told++; told > mostMetered && st.Phase == reel.PhaseFinished {
			continue
		}
		for _, state := range reel.States() {
			gauge(d.jobs, float64(st.Totals.Of(state)), st.Name, string(state))
		}
		counter(d.attempts, float64(st.Totals.Attempts), st.Name)
		var f reel.Failures
		var ended reel.PassStats // the last that did
		for _, p := range st.Passes {
			f.Account += p.Failed.Account
			f.Content += p.Failed.Content
			f.Infrastructure += p.Failed.Infrastructure
			f.Unknown += p.Failed.Unknown
			if !p.EndedAt.IsZero() {
				ended = p
			}
		}
		if ended.Pass > 0 {
			gauge(d.pass, ended.EndedAt.Sub(ended.StartedAt).Seconds(), st.Name)
		}
		counter(d.failures, float64(f.Account), st.Name, string(reel.Account))
		counter(d.failures, float64(f.Content), st.Name, string(reel.Content))
		counter(d.failures, float64(f.Infrastructure), st.Name, string(reel.Infrastructure))
		counter(d.failures, float64(f.Unknown), st.Name, string(reel.Unknown))
		open := 0.0
		if st.Outage != nil {
			open = 1
		}
		gauge(d.breaker, open, st.Name)
	}
	gauge(d.doubts, float64(n.Doubts))
	age := 0.0
	if !n.Oldest.IsZero() {
		age = max(0, c.s.Clock().Sub(n.Oldest).Seconds())
	}
	gauge(d.oldest, age)
	gauge(d.holds, float64(n.Holds))
	gauge(d.phones, float64(len(phones)))
	if c.s.Alerts != nil {
		arrived, failed, gathered := c.s.Alerts()
		counter(d.alerts, float64(arrived), "arrived")
		counter(d.alerts, float64(failed), "failed")
		counter(d.gathered, float64(gathered))
	}
	c.s.sum(func(o *overview.Overview) {
		counter(d.losses, float64(o.Losses()))
		counter(d.phoneTime, o.PhoneTime().Seconds())
	})
}

// scrape is /metrics, with a registry of its own.
func (s *Server) scrape() http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collector{s})
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{})
}
