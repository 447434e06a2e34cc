package protocol

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"time"
)

// Job is the table [job] of a manifest: how durable calls of the function are made. A function that has the table, be
// it an empty one, has a queue. A zero field means the default that its comment names.
type Job struct {
	Attempts    int      `json:"attempts,omitempty"`    // verdicts before a job is dead; DefaultAttempts
	Backoff     Backoff  `json:"backoff,omitzero"`      // between attempts; DefaultBackoff
	Timeout     Duration `json:"timeout,omitempty"`     // of one attempt; limits.timeout
	MaxAge      Duration `json:"max_age,omitempty"`     // from acceptance to the last attempt; DefaultMaxAge
	AckWait     Duration `json:"ack_wait,omitempty"`    // after which a job of a silent invoker is another's; DefaultAckWait
	Concurrency int      `json:"concurrency,omitempty"` // jobs that run on all invokers; DefaultJobs
	Key         string   `json:"key,omitempty"`         // jobs of one key run one after another, see ParseKey; none
	Rate        string   `json:"rate,omitempty"`        // at which jobs begin on all invokers, see ParseRate; no bound
	Queue       int      `json:"queue,omitempty"`       // jobs that are accepted and not begun; DefaultJobQueue
	Unique      Duration `json:"unique,omitempty"`      // how long a second job of an Fn-Id is the first; DefaultUnique
	Result      Duration `json:"result,omitempty"`      // how long an outcome is kept; DefaultResult
	Record      string   `json:"record,omitempty"`      // which runs are recorded, see ParseSampling; none
	OnFailure   string   `json:"on_failure,omitempty"`  // a subject that dead letters are published on too; none
}

// Defaults and bounds of [job].
const (
	DefaultAttempts = 5
	DefaultMaxAge   = Duration(6 * time.Hour)    // Lambda's
	DefaultAckWait  = Duration(30 * time.Second) // JetStream's
	DefaultJobs     = 1000
	DefaultJobQueue = 1_000_000
	DefaultUnique   = Duration(2 * time.Minute) // that of a JetStream stream
	DefaultResult   = Duration(24 * time.Hour)

	MaxAttempts  = 100
	MinAckWait   = Duration(time.Second)
	MaxAckWait   = Duration(time.Hour)
	MaxJobs      = 100_000
	MaxJobQueue  = 100_000_000
	MaxJobAge    = Duration(14 * 24 * time.Hour) // the longest that a message of SQS is kept
	MaxBackoff   = Duration(24 * time.Hour)
	MinBackoff   = Duration(time.Millisecond)
	MaxUnique    = Duration(24 * time.Hour)
	MinJobResult = Duration(time.Second) // JetStream counts the time to live of a message in seconds
)

// DefaultBackoff is the pause between the attempts of a job.
var DefaultBackoff = Backoff{First: Duration(time.Second), Most: Duration(5 * time.Minute)}

// WithDefaults returns j with every zero replaced by its default. The limits are those of the function.
func (j Job) WithDefaults(l Limits) Job {
	def := func(d *Duration, to Duration) {
		if *d == 0 {
			*d = to
		}
	}
	def(&j.Timeout, l.WithDefaults().Timeout)
	def(&j.MaxAge, DefaultMaxAge)
	def(&j.AckWait, DefaultAckWait)
	def(&j.Unique, DefaultUnique)
	def(&j.Result, DefaultResult)
	for _, n := range []struct {
		value *int
		to    int
	}{{&j.Attempts, DefaultAttempts}, {&j.Concurrency, DefaultJobs}, {&j.Queue, DefaultJobQueue}} {
		if *n.value == 0 {
			*n.value = n.to
		}
	}
	if j.Backoff == (Backoff{}) {
		j.Backoff = DefaultBackoff
	}
	return j
}

// check finds what is wrong with the table.
func (j *Job) check(p *problems) {
	for _, b := range []struct {
		key       string
		value     int64
		min, max  int64
		formatted string
	}{
		{"attempts", int64(j.Attempts), 1, MaxAttempts, fmt.Sprintf("1 to %d", MaxAttempts)},
		{"timeout", int64(j.Timeout), 1, int64(MaxTimeout), "at most " + MaxTimeout.String()},
		{"max_age", int64(j.MaxAge), 1, int64(MaxJobAge), "at most " + MaxJobAge.String()},
		{"ack_wait", int64(j.AckWait), int64(MinAckWait), int64(MaxAckWait),
			MinAckWait.String() + " to " + MaxAckWait.String()},
		{"concurrency", int64(j.Concurrency), 1, MaxJobs, fmt.Sprintf("1 to %d", MaxJobs)},
		{"queue", int64(j.Queue), 1, MaxJobQueue, fmt.Sprintf("1 to %d", MaxJobQueue)},
		{"unique", int64(j.Unique), 1, int64(MaxUnique), "at most " + MaxUnique.String()},
		{"result", int64(j.Result), int64(MinJobResult), int64(MaxJobAge),
			MinJobResult.String() + " to " + MaxJobAge.String()},
	} {
		if b.value != 0 && (b.value < b.min || b.value > b.max) {
			p.add("job."+b.key, "job.%s must be %s", b.key, b.formatted)
		}
	}
	if _, err := ParseRate(j.Rate); err != nil {
		p.add("job.rate", "job.rate = %w", err)
	}
	if _, err := ParseKey(j.Key); err != nil {
		p.add("job.key", "job.key = %w", err)
	}
	if _, err := ParseSampling(j.Record); err != nil {
		p.add("job.record", "job.record = %w", err)
	}
	if j.OnFailure == "" {
		return
	}
	if strings.ContainsAny(j.OnFailure, "*>") {
		p.add("job.on_failure", "job.on_failure = %.80q: a message has one subject, without wildcards", j.OnFailure)
	} else if err := CheckPattern(j.OnFailure); err != nil {
		p.add("job.on_failure", "job.on_failure: %w", err)
	}
}

// Backoff is the pause between attempts, which doubles from First to Most. Manifests write it as "1s..5m"; "10s" means
// that it is always the same.
type Backoff struct {
	First, Most Duration
}

// ParseBackoff reads the form of String.
func ParseBackoff(s string) (b Backoff, err error) {
	first, most, ranged := strings.Cut(s, "..")
	b.First, err = ParseDuration(first)
	b.Most = b.First
	if ranged && err == nil {
		b.Most, err = ParseDuration(most)
	}
	if err != nil || b.First < MinBackoff || b.Most > MaxBackoff || b.First > b.Most {
		return Backoff{}, Errorf(CodeRefused, "",
			`pause %.40q: write the first and the longest one, such as "1s..5m", from %s to %s`, s, MinBackoff, MaxBackoff)
	}
	return b, nil
}

// String returns the form that ParseBackoff reads.
func (b Backoff) String() string {
	if b.First == b.Most {
		return b.First.String()
	}
	return b.First.String() + ".." + b.Most.String()
}

// MarshalText implements encoding.TextMarshaler.
func (b Backoff) MarshalText() ([]byte, error) { return []byte(b.String()), nil }

// UnmarshalText implements encoding.TextUnmarshaler with ParseBackoff.
func (b *Backoff) UnmarshalText(text []byte) (err error) {
	*b, err = ParseBackoff(string(text))
	return err
}

// After returns the pause after the nth verdict, from 1: half of what doubling gives, and up to as much again by chance,
// so that jobs which failed together do not come together again ("equal jitter" of the AWS Architecture Blog,
// "Exponential Backoff And Jitter").
func (b Backoff) After(n int) time.Duration {
	pause := time.Duration(b.First)
	for ; n > 1 && pause < time.Duration(b.Most); n-- {
		pause *= 2
	}
	pause = min(pause, time.Duration(b.Most))
	return pause/2 + rand.N(pause/2+1)
}
