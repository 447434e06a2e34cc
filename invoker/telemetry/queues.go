package telemetry

import (
	"context"
	"maps"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	queuesKept  = 5 * time.Second // for which an answer about queues is good
	queuesLimit = time.Second     // in which one must come
)

var queueJobs = prometheus.NewDesc("polyvoke_job_queue_jobs",
	"Jobs of a function by state: queued, running, waiting for their time, or dead. All invokers say the same.",
	[]string{labelName, "state"}, nil)

// queues are the queues of functions. They are asked for when somebody reads metrics, so that they cost nothing as long
// as nobody does.
type queues struct {
	ask   func(context.Context) (map[string]protocol.QueueInfo, error)
	known func(name string) string

	mu   sync.Mutex
	at   time.Time // of the answer
	last map[string]protocol.QueueInfo
}

// Describe implements prometheus.Collector.
func (q *queues) Describe(ch chan<- *prometheus.Desc) { ch <- queueJobs }

// Collect implements prometheus.Collector. A queue of which nothing is known now is left out.
func (q *queues) Collect(ch chan<- prometheus.Metric) {
	sums := map[[2]string]int64{}
	for name, info := range q.get() {
		name = q.known(name)
		sums[[2]string{name, "queued"}] += info.Queued
		sums[[2]string{name, "running"}] += info.Running
		sums[[2]string{name, "waiting"}] += info.Waiting
		sums[[2]string{name, "dead"}] += info.Dead
	}
	for labels, n := range sums {
		ch <- prometheus.MustNewConstMetric(queueJobs, prometheus.GaugeValue, float64(n), labels[0], labels[1])
	}
}

// get returns the queues as they are, or were a moment ago.
func (q *queues) get() map[string]protocol.QueueInfo {
	q.mu.Lock()
	defer q.mu.Unlock()
	if time.Since(q.at) < queuesKept {
		return q.last
	}
	ctx, cancel := context.WithTimeout(context.Background(), queuesLimit)
	defer cancel()
	all, _ := q.ask(ctx) // what is not known is not said
	q.last, q.at = maps.Clone(all), time.Now()
	return q.last
}

var spansTotal = prometheus.NewDesc("polyvoke_spans_total",
	"Spans of traces by what became of them: exported, or dropped because the collector is away or too slow.",
	[]string{"result"}, nil)

// spans are the figures of traces.
type spans struct {
	count func() (exported, dropped uint64)
}

// Describe implements prometheus.Collector.
func (s spans) Describe(ch chan<- *prometheus.Desc) { ch <- spansTotal }

// Collect implements prometheus.Collector.
func (s spans) Collect(ch chan<- prometheus.Metric) {
	exported, dropped := s.count()
	ch <- prometheus.MustNewConstMetric(spansTotal, prometheus.CounterValue, float64(exported), "exported")
	ch <- prometheus.MustNewConstMetric(spansTotal, prometheus.CounterValue, float64(dropped), "dropped")
}
