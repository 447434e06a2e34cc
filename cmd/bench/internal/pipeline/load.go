package pipeline

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
)

// Client makes calls through NATS. It is for one load at a time.
type Client struct{ nc *nats.Conn }

// Connect returns a client of a server. It ends with the process.
func Connect(url string) (*Client, error) {
	nc, err := nats.Connect(url)
	if err != nil {
		return nil, err
	}
	return &Client{nc: nc}, nil
}

// Load is what a client is to do.
type Load struct {
	Subject string
	Body    []byte
	Want    []byte // the reply
	Slice   measure.Slice
	// Rate is how many calls start in a second, at random times however long the replies take. 0 means that the
	// callers wait for their replies.
	Rate float64
}

// Run makes the calls. The sample's processor time is the client's own.
func (c *Client) Run(ctx context.Context, l Load) (measure.Sample, error) {
	if l.Rate > 0 {
		return c.open(ctx, l)
	}
	return l.Slice.Run(ctx, func(context.Context, int) error {
		m, err := c.nc.Request(l.Subject, l.Body, patience)
		if err != nil {
			return err
		}
		return l.check(m)
	})
}

// check returns an error if a message is not the reply that there must be.
func (l *Load) check(m *nats.Msg) error {
	if string(m.Data) != string(l.Want) {
		return fmt.Errorf("the reply is %.60q %v", m.Data, m.Header)
	}
	return nil
}

// arrivals is an open load that goes on: calls are sent at random times, replies come back in any order.
type arrivals struct {
	load  *Load
	sent  []time.Time
	took  []time.Duration // 0 until the reply has come
	came  atomic.Int64
	wrong atomic.Pointer[error]
	done  chan struct{}
}

// open sends calls as a Poisson process and waits for all replies.
func (c *Client) open(ctx context.Context, l Load) (measure.Sample, error) {
	a := &arrivals{load: &l, sent: make([]time.Time, l.Slice.Calls), took: make([]time.Duration, l.Slice.Calls),
		done: make(chan struct{})}
	inbox := nats.NewInbox()
	sub, err := c.nc.Subscribe(inbox+".*", a.reply)
	if err != nil {
		return measure.Sample{}, err
	}
	defer sub.Unsubscribe()
	if err := sub.SetPendingLimits(-1, -1); err != nil {
		return measure.Sample{}, err
	}
	cpu, begin := measure.CPU(), time.Now()
	if err := a.send(ctx, c.nc, inbox); err != nil {
		return measure.Sample{}, err
	}
	select {
	case <-a.done:
	case <-ctx.Done():
		return measure.Sample{}, ctx.Err()
	case <-time.After(patience):
		return measure.Sample{}, fmt.Errorf("%d of %d calls had no reply", int64(l.Slice.Calls)-a.came.Load(), l.Slice.Calls)
	}
	if e := a.wrong.Load(); e != nil {
		return measure.Sample{}, *e
	}
	wall := time.Since(begin)
	return measure.Sample{Calls: l.Slice.Calls, CPU: measure.CPU() - cpu, Wall: wall, Latencies: a.some()}, nil
}

// send sends the calls. What is due is sent at once; a timer's coarseness makes small bursts, for every contestant
// alike.
func (a *arrivals) send(ctx context.Context, nc *nats.Conn, inbox string) error {
	var pacer measure.Pacer
	due := time.Now()
	for i := range a.sent {
		due = due.Add(time.Duration(rand.ExpFloat64() / a.load.Rate * float64(time.Second)))
		if err := pacer.Wait(ctx, time.Until(due)); err != nil {
			return err
		}
		a.sent[i] = time.Now()
		if err := nc.PublishRequest(a.load.Subject, inbox+"."+strconv.Itoa(i), a.load.Body); err != nil {
			return err
		}
	}
	return nc.Flush()
}

// reply takes one reply. All come in one goroutine.
func (a *arrivals) reply(m *nats.Msg) {
	i, err := strconv.Atoi(m.Subject[strings.LastIndexByte(m.Subject, '.')+1:])
	if err != nil || i < 0 || i >= len(a.took) {
		err = errors.New("a reply to no call: " + m.Subject)
	} else {
		a.took[i] = time.Since(a.sent[i])
		err = a.load.check(m)
	}
	if err != nil {
		a.wrong.Store(&err)
	}
	if a.came.Add(1) == int64(len(a.took)) {
		close(a.done)
	}
}

// some returns about a thousand of the latencies.
func (a *arrivals) some() (out []time.Duration) {
	for i := 0; i < len(a.took); i += max(1, len(a.took)/1000) {
		out = append(out, a.took[i])
	}
	return out
}
