package telemetry

import (
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/protocol"
)

// Jobs counts what becomes of jobs.
type Jobs struct {
	calls    *calls
	attempts *prometheus.CounterVec
	dead     *prometheus.CounterVec
	delay    *prometheus.HistogramVec
}

var _ jobs.Observer = (*Jobs)(nil)

// make registers the metrics.
func (j *Jobs) make(r *prometheus.Registry, c *calls) {
	j.calls = c
	j.attempts = counters(r, "polyvoke_job_attempts_total", "Attempts to do a job, by what they came to.",
		labelName, "outcome")
	j.dead = counters(r, "polyvoke_jobs_dead_total", "Jobs that are dead for good, by the reason.", labelName, "reason")
	j.delay = histograms(r, "polyvoke_job_delay_seconds",
		"Time from when a job could begin to its first attempt: since its acceptance, the time of its schedule, or its event.",
		waits, labelName, "source")
	c.named = append(c.named, j.attempts, j.dead, j.delay)
}

// Begin implements jobs.Observer.
func (j *Jobs) Begin(a *jobs.Attempt) {
	if a.Number > 1 {
		return
	}
	source, due := dueOf(a)
	j.delay.WithLabelValues(j.calls.label(a.Function), source).Observe(max(0, a.Began.Sub(due).Seconds()))
}

// dueOf returns where a job comes from, and when it could begin.
func dueOf(a *jobs.Attempt) (source string, due time.Time) {
	for _, from := range [][2]string{{"schedule", protocol.HeaderScheduled}, {"event", protocol.HeaderSourceTime}} {
		if text, ok := first(a.Request.Header, from[1]); ok {
			if at, err := time.Parse(time.RFC3339Nano, text); err == nil {
				return from[0], at
			}
		}
	}
	return "call", a.Due
}

// End implements jobs.Observer.
func (j *Jobs) End(a *jobs.Attempt) {
	j.attempts.WithLabelValues(j.calls.label(a.Function), a.Outcome).Inc()
}

// Dead implements jobs.Observer.
func (j *Jobs) Dead(function, reason string) {
	j.dead.WithLabelValues(j.calls.label(function), reason).Inc()
}
