package loadtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// stream is a stream of calls that come at a fixed rate, whatever becomes of those before.
type stream struct {
	nc      *nats.Conn
	subject string
	body    []byte
	rate    int                  // calls a second
	clock   func() time.Duration // the processor time that the invoker has used; nil: nobody asks

	mu      sync.Mutex
	sent    []time.Time
	spent   []time.Duration // by the clock, when they were sent
	answers []answer        // as many as sent
	left    int             // to be answered, when all are sent
	all     chan struct{}
}

// answer is what became of a call.
type answer struct {
	came bool
	took time.Duration
	busy time.Duration // by the clock
	code int           // 0: success
	body string
	err  error // of an answer that says nothing
}

// run sends calls for some time and waits for their answers.
func (s *stream) run(t testing.TB, how time.Duration) {
	t.Helper()
	inbox := s.nc.NewInbox() + "."
	n := int(how.Seconds() * float64(s.rate))
	s.sent, s.spent, s.answers = make([]time.Time, n), make([]time.Duration, n), make([]answer, n)
	s.left, s.all = n, make(chan struct{})
	if s.clock == nil {
		s.clock = func() time.Duration { return 0 }
	}
	sub, err := s.nc.Subscribe(inbox+"*", s.take)
	if err == nil {
		err = sub.SetPendingLimits(-1, -1)
	}
	if err != nil {
		t.Error(err)
		return
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := s.send(inbox); err != nil {
		t.Error(err)
		return
	}
	select {
	case <-s.all:
	case <-time.After(patience):
	}
}

// send sends each call when it is due.
func (s *stream) send(inbox string) error {
	tick := time.NewTicker(time.Millisecond / 2)
	defer tick.Stop()
	began := time.Now()
	for next := 0; next < len(s.sent); <-tick.C {
		due := min(int(time.Since(began).Seconds()*float64(s.rate))+1, len(s.sent))
		for ; next < due; next++ {
			s.mu.Lock()
			s.sent[next], s.spent[next] = time.Now(), s.clock()
			s.mu.Unlock()
			if err := s.nc.PublishRequest(s.subject, inbox+strconv.Itoa(next), s.body); err != nil {
				return err
			}
		}
	}
	return s.nc.Flush()
}

// take takes an answer.
func (s *stream) take(m *nats.Msg) {
	now, spent := time.Now(), s.clock()
	i, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	r, bad := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil || i >= len(s.answers) || s.answers[i].came {
		return
	}
	a := answer{came: true, took: now.Sub(s.sent[i]), busy: spent - s.spent[i], body: string(m.Data), err: bad}
	if r.Err != nil {
		a.code = r.Err.Code
	}
	s.answers[i] = a
	if s.left--; s.left == 0 {
		close(s.all)
	}
}

// results returns the answers.
func (s *stream) results() []answer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.answers)
}

// summary is what became of a stream.
type summary struct {
	calls, unanswered int
	took              map[int][]time.Duration // in order, by code
	busy              []time.Duration         // in order
}

// sum sums a stream up.
func (s *stream) sum() summary {
	out := summary{took: map[int][]time.Duration{}}
	for _, a := range s.results() {
		out.calls++
		if !a.came {
			out.unanswered++
			continue
		}
		out.took[a.code] = append(out.took[a.code], a.took)
		out.busy = append(out.busy, a.busy)
	}
	slices.Sort(out.busy)
	for _, l := range out.took {
		slices.Sort(l)
	}
	return out
}

// at returns a quantile of the times that answers with a code took, in milliseconds.
func (s summary) at(code int, q float64) float64 { return milliseconds(quantile(s.took[code], q)) }

// String says how many answers there were of each kind.
func (s summary) String() string {
	b := &strings.Builder{}
	fmt.Fprintf(b, "%d calls", s.calls)
	for code, l := range s.took {
		fmt.Fprintf(b, ", %d x %d (p50 %.2f ms, p99 %.2f ms)", len(l), code, s.at(code, 0.5), s.at(code, 0.99))
	}
	fmt.Fprintf(b, ", %d unanswered", s.unanswered)
	return b.String()
}

// quantile returns a quantile of times that are in order; 0 if there are none.
func quantile(l []time.Duration, q float64) time.Duration {
	if len(l) == 0 {
		return 0
	}
	return l[min(int(q*float64(len(l))), len(l)-1)]
}

// milliseconds returns a time in milliseconds.
func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }
