package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// deed is a call of one of the six functions and what must come of it.
type deed struct {
	function, body, want string
	code                 int
	weight               int // how often it comes
}

// The six functions. big is called by a client that carries large bodies as objects, once a second.
var deeds = []deed{
	{"echo", "hello", "hello", 0, 40},
	{"wide", strings.Repeat("0123456789abcdef", 256), strings.Repeat("0123456789abcdef", 256), 0, 25},
	{"nap", "", "awake", 0, 20},
	{"bad", "", "", protocol.CodeBadRequest, 13},
	{"endless", "", "", protocol.CodeTimeout, 2},
	{"big", strings.Repeat("polyvoke", 140_000), strings.Repeat("polyvoke", 140_000), 0, 0},
}

// manifest returns a version of a function.
func (d deed) manifest(n int) protocol.Function {
	f := protocol.Function{Name: d.function, Env: map[string]string{"N": strconv.Itoa(n)}}
	switch d.function {
	case "nap":
		f.Args = []string{"sleep", "20"}
	case "bad":
		f.Args = []string{"exit", "65"}
	case "endless":
		f.Args = []string{"loop"}
		f.Limits.Timeout = protocol.Duration(50 * time.Millisecond)
	}
	return f
}

// newVersion returns a manifest of a function that there was not before. endless is never it: each of its versions
// costs every invoker a trial of three seconds of processor time, since it does not read stdin, and that on two cores
// is a fault by itself.
func newVersion(n int) protocol.Function {
	d := deeds[n%len(deeds)]
	if d.function == "endless" {
		d = deeds[0]
	}
	return d.manifest(n)
}

// waits is how long a caller of the load waits, and callTime what it says in Fn-Timeout.
const (
	waits    = 4 * time.Second
	callTime = 2 * time.Second
)

// What becomes of a call.
const (
	answered     = "answered"
	refusal      = "refused, "
	noResponder  = "no responders"
	timedOut     = "timed out"
	wasCut       = "connection cut"
	notSent      = "not sent, without a connection"
	wrong        = "WRONG"
	deployed     = "done"
	notConfirmed = "done, with an invoker that did not confirm"
	failed       = "failed, "
)

// event is what became of a request that was sent at a time.
type event struct {
	sent, end time.Time
	what      string // answered, ...
	detail    string
}

// load makes the calls and deployments.
type load struct {
	w       *world
	callers []*caller
	version atomic.Int64
	late    atomic.Int64 // deployments that were not begun since too many were under way

	mu      sync.Mutex
	calls   map[string][]event // by function
	deploys []event
}

// newLoad connects its callers: half of them by a proxy that is made to flap.
func newLoad(w *world) *load {
	l := &load{w: w, calls: map[string][]event{}}
	for i := range 4 {
		url := w.url
		if i%2 == 1 {
			url = "nats://" + w.callers.Addr()
		}
		l.callers = append(l.callers, &caller{l: l, url: url, open: map[string]*waitingCall{}})
	}
	return l
}

// deployAll deploys the first versions.
func (l *load) deployAll(t *testing.T) {
	t.Helper()
	s := session(t, l.w.url)
	for _, d := range deeds {
		if _, err := s.Deploy(t.Context(), d.manifest(0), runtimestest.Wasm()); err != nil {
			t.Fatal(err)
		}
	}
}

// note keeps what became of a call.
func (l *load) note(function string, e event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.calls[function] = append(l.calls[function], e)
}

// call makes calls until ctx ends, and waits for their answers.
func (l *load) call(ctx context.Context) {
	var working sync.WaitGroup
	for i, c := range l.callers {
		working.Go(func() { c.run(ctx, i) })
	}
	working.Go(func() { l.callBig(ctx) })
	working.Wait()
}

// callBig calls the function whose bodies do not fit a message.
func (l *load) callBig(ctx context.Context) {
	d := deeds[len(deeds)-1]
	every(ctx, time.Second, 8, nil, func() {
		e := event{sent: time.Now()}
		body, code, err := callOnce("nats://"+l.w.callers.Addr(), d)
		e.end = time.Now()
		switch {
		case err == nil && code == 0 && body == d.want:
			e.what = answered
		case err == nil && code == 0:
			e.what, e.detail = wrong, fmt.Sprintf("%d bytes", len(body))
		case err == nil:
			e.what = refusal + strconv.Itoa(code)
		default:
			e.what, e.detail = failed+strconv.Itoa(protocol.CodeOf(err)), err.Error()
		}
		l.note(d.function, e)
	})
}

// callOnce calls a function with a connection of its own.
func callOnce(url string, d deed) (body string, code int, err error) {
	s, err := connect.To(&connect.Settings{Server: url, Timeout: callTime}, "chaos")
	if err != nil {
		return "", 0, err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 2*waits)
	defer cancel()
	r, err := s.Call(ctx, &protocol.Request{Function: ref(d.function), Body: []byte(d.body), Timeout: callTime})
	if err != nil {
		return "", 0, err
	}
	if r.Err != nil {
		code = r.Err.Code
	}
	return string(r.Body), code, nil
}

// every begins something again and again, each in a goroutine, at most some at a time, until ctx ends, and waits for
// the last.
func every(ctx context.Context, pause time.Duration, most int, skipped func(), do func()) {
	room := make(chan struct{}, most)
	var working sync.WaitGroup
	defer working.Wait()
	t := time.NewTicker(pause)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		select {
		case room <- struct{}{}:
			working.Go(func() { do(); <-room })
		default:
			if skipped != nil {
				skipped()
			}
		}
	}
}

// deploy deploys new versions until ctx ends.
func (l *load) deploy(ctx context.Context) {
	every(ctx, chaosDeploys, 40, func() { l.late.Add(1) }, func() {
		n := int(l.version.Add(1))
		e := event{sent: time.Now()}
		reply, err := l.deployOnce(newVersion(n))
		e.end = time.Now()
		switch {
		case err != nil:
			e.what, e.detail = failed+strconv.Itoa(protocol.CodeOf(err)), err.Error()
		case slices.ContainsFunc(reply.Warnings, func(w string) bool { return strings.Contains(w, "has not confirmed") }):
			e.what = notConfirmed
		default:
			e.what = deployed
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		l.deploys = append(l.deploys, e)
	})
}

// deployOnce deploys with a connection of its own, as the command does.
func (l *load) deployOnce(f protocol.Function) (protocol.DeployReply, error) {
	s, err := connect.To(&connect.Settings{Server: "nats://" + l.w.callers.Addr(), Timeout: 5 * time.Second}, "chaos")
	if err != nil {
		return protocol.DeployReply{}, err
	}
	defer s.Close()
	ctx, cancel := context.WithTimeout(context.Background(), deployTime)
	defer cancel()
	return s.Deploy(ctx, f, runtimestest.Wasm())
}

// recovered waits until all is well again: all invokers are there, every function answers as it should, also with a
// body that is an object, a new version of each can be deployed and is confirmed by all, and log lines are kept.
func (l *load) recovered(ctx context.Context, within time.Duration) (time.Duration, error) {
	begun := time.Now()
	var err, last error
	for ctx.Err() == nil && time.Since(begun) < within+deployTime {
		if err = l.well(); err == nil {
			break
		}
		last = fmt.Errorf("after %v: %w", time.Since(begun).Round(10*time.Millisecond), err)
		time.Sleep(50 * time.Millisecond)
	}
	took := time.Since(begun)
	switch {
	case err != nil:
		err = last
	case took > within:
		err = errors.Join(fmt.Errorf("it took %v, more than %v", took.Round(10*time.Millisecond), within), last)
	}
	return took, err
}

// well says what is not well.
func (l *load) well() error {
	s, err := connect.To(&connect.Settings{Server: l.w.url, Timeout: callTime}, "chaos")
	if err != nil {
		return err
	}
	defer s.Close()
	if n, err := countInvokers(s); err != nil || n < chaosInvokers {
		return fmt.Errorf("%d invokers are there, %w", n, err)
	}
	for _, d := range deeds {
		r, err := s.Call(context.Background(),
			&protocol.Request{Function: ref(d.function), Body: []byte(d.body), Timeout: callTime})
		if err != nil {
			return fmt.Errorf("%s: %w", d.function, err)
		}
		code := 0
		if r.Err != nil {
			code = r.Err.Code
		}
		if code != d.code || code == 0 && string(r.Body) != d.want {
			return fmt.Errorf("%s answers %d %.50q, %v", d.function, code, r.Body, r.Err)
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), deployTime)
	defer cancel()
	for _, stream := range []string{"FN_LOG", "OBJ_fn_bodies", "KV_fn_functions", "OBJ_fn_modules"} {
		if _, err := s.JS.Stream(ctx, stream); err != nil {
			return fmt.Errorf("stream %s: %w", stream, err)
		}
	}
	n := int(l.version.Add(1))
	reply, err := s.Deploy(ctx, newVersion(n), runtimestest.Wasm())
	if err != nil {
		return fmt.Errorf("deployment: %w", err)
	}
	for _, w := range reply.Warnings {
		if strings.Contains(w, "has not confirmed") {
			return errors.New(w)
		}
	}
	return nil
}

// countInvokers counts the invokers that answer a ping within half a second.
func countInvokers(s *connect.Session) (n int, err error) {
	inbox := s.NewInbox()
	sub, err := s.SubscribeSync(inbox)
	if err != nil {
		return 0, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := s.PublishRequest(protocol.APIPing.Subject(), inbox, nil); err != nil {
		return 0, err
	}
	for ; n < chaosInvokers; n++ {
		m, err := sub.NextMsg(500 * time.Millisecond)
		if err != nil {
			return n, err
		}
		if !bytes.HasPrefix(m.Data, []byte("{")) {
			return n, errors.New("nobody is there")
		}
	}
	return n, nil
}

// caller is one connection with many calls under way.
type caller struct {
	l   *load
	url string
	nc  *nats.Conn
	in  string // what its reply subjects begin with

	mu   sync.Mutex
	open map[string]*waitingCall
	cuts []time.Time // when the connection broke, or was made again
	next int
}

// waitingCall is a call without an answer.
type waitingCall struct {
	deed deed
	sent time.Time
}

// run sends the caller's share of the calls until ctx ends, and waits for the answers.
func (c *caller) run(ctx context.Context, seed int) {
	var err error
	for c.nc == nil && ctx.Err() == nil {
		if c.nc, err = nats.Connect(c.url, nats.MaxReconnects(-1), nats.ReconnectWait(100*time.Millisecond),
			nats.ReconnectJitter(100*time.Millisecond, 0), nats.DisconnectErrHandler(func(*nats.Conn, error) { c.cut() }),
			nats.ReconnectHandler(func(*nats.Conn) { c.cut() })); err != nil {
			time.Sleep(50 * time.Millisecond)
		}
	}
	if err != nil {
		return
	}
	defer c.nc.Close()
	c.in = c.nc.NewInbox() + "."
	if _, err := c.nc.Subscribe(c.in+"*", c.take); err != nil {
		return
	}
	total := 0
	for _, d := range deeds {
		total += d.weight
	}
	begun, due := time.Now(), 0
	t := time.NewTicker(5 * time.Millisecond)
	defer t.Stop()
	for ; ctx.Err() == nil; <-t.C {
		for now := int(time.Since(begun).Seconds() * chaosRate / float64(len(c.l.callers))); due < now; due++ {
			c.send(pick(total, due*7919+seed))
		}
		c.expire(false)
	}
	for end := time.Now().Add(waits); c.left() > 0 && time.Now().Before(end); <-t.C {
		c.expire(false)
	}
	c.expire(true)
}

// pick returns a deed by its weight.
func pick(total, n int) deed {
	n %= total
	for _, d := range deeds {
		if n -= d.weight; n < 0 {
			return d
		}
	}
	return deeds[0]
}

// cut takes note that the connection has just broken, or been made again.
func (c *caller) cut() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.cuts = append(c.cuts, time.Now())
}

// send sends one call.
func (c *caller) send(d deed) {
	now := time.Now()
	if !c.nc.IsConnected() {
		c.l.note(d.function, event{sent: now, end: now, what: notSent})
		return
	}
	c.mu.Lock()
	c.next++
	id := strconv.Itoa(c.next)
	c.open[id] = &waitingCall{d, now}
	c.mu.Unlock()
	_ = c.nc.PublishMsg(&nats.Msg{Subject: "fn." + d.function, Reply: c.in + id, Data: []byte(d.body),
		Header: nats.Header{protocol.HeaderTimeout: {callTime.String()}}}) // what is not sent gets no answer
}

// take takes an answer.
func (c *caller) take(m *nats.Msg) {
	id := m.Subject[len(c.in):]
	c.mu.Lock()
	w := c.open[id]
	delete(c.open, id)
	c.mu.Unlock()
	if w == nil {
		return // it came too late
	}
	e := event{sent: w.sent, end: time.Now(), what: answered}
	r, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	switch {
	case m.Header.Get("Status") == "503":
		e.what = noResponder
	case err != nil:
		e.what, e.detail = wrong, err.Error()
	case r.Err != nil && r.Err.Code != w.deed.code:
		e.what, e.detail = refusal+strconv.Itoa(r.Err.Code), r.Err.Msg
	case r.Err == nil && (w.deed.code != 0 || string(r.Body) != w.deed.want):
		e.what, e.detail = wrong, fmt.Sprintf("%.60q", r.Body)
	}
	c.l.note(w.deed.function, e)
}

// left returns how many calls have no answer.
func (c *caller) left() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return len(c.open)
}

// expire gives up calls whose time is over, or all.
func (c *caller) expire(all bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := time.Now()
	for id, w := range c.open {
		if !all && now.Sub(w.sent) < waits {
			continue
		}
		delete(c.open, id)
		what := timedOut
		if slices.ContainsFunc(c.cuts, func(at time.Time) bool { return at.After(w.sent.Add(-100 * time.Millisecond)) }) {
			what = wasCut
		}
		c.l.note(w.deed.function, event{sent: w.sent, end: now, what: what})
	}
}

// judge prints the counts, and says what should not have been.
func (l *load) judge(t *testing.T, log *faultLog, recovery time.Duration) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t.Logf("%v at work\n%s", time.Since(log.begun).Round(time.Second), log)
	table := &strings.Builder{}
	fmt.Fprintf(table, "%-12s %-46s %9s %15s %9s %9s\n", "what", "became", "in all", "without a fault", "p50 ms", "p99 ms")
	names := []string{}
	for _, d := range deeds {
		names = append(names, d.function)
	}
	for _, name := range names {
		tally(t, table, name, l.calls[name], log)
	}
	tally(t, table, "deployments", l.deploys, log)
	fmt.Fprintf(table, "%-12s %-46s %9d\n", "", "not begun: too many under way", l.late.Load())
	t.Logf("recovery within %v\n%s", recovery, table)
	for i, s := range l.w.invokers {
		s.mu.Lock()
		if s.ended > 0 {
			t.Errorf("invoker %d ended %d times by itself", i, s.ended)
		}
		s.mu.Unlock()
	}
}

// tally counts events, and says which of them must not be: refusals as harmful and wrong answers ever, anything but
// an answer while no fault was.
func tally(t *testing.T, table *strings.Builder, name string, all []event, log *faultLog) {
	counts, calm, example, took := map[string]int{}, map[string]int{}, map[string]string{}, map[string][]time.Duration{}
	for _, e := range all {
		counts[e.what]++
		took[e.what] = append(took[e.what], e.end.Sub(e.sent))
		if _, was := log.during(e.sent, e.end); !was {
			calm[e.what]++
			example[e.what] = fmt.Sprintf("at %.1f s: %s", e.sent.Sub(log.begun).Seconds(), e.detail)
		} else if example[e.what] == "" {
			example[e.what] = fmt.Sprintf("at %.1f s: %s", e.sent.Sub(log.begun).Seconds(), e.detail)
		}
	}
	kinds := make([]string, 0, len(counts))
	for what := range counts {
		kinds = append(kinds, what)
	}
	slices.Sort(kinds)
	for _, what := range kinds {
		slices.Sort(took[what])
		fmt.Fprintf(table, "%-12s %-46s %9d %15d %9d %9d\n", name, what, counts[what], calm[what],
			took[what][len(took[what])/2].Milliseconds(), took[what][len(took[what])*99/100].Milliseconds())
		good := what == answered || what == deployed || what == notConfirmed
		switch {
		case what == wrong, strings.HasSuffix(what, "422"):
			t.Errorf("%s: %d times %s, such as %s", name, counts[what], what, example[what])
		case !good && calm[what] > 0 && what != wasCut && what != refusal+"429":
			t.Errorf("%s: %d times %s while there was no fault, such as %s", name, calm[what], what, example[what])
		case !good && example[what] != "":
			t.Logf("%s: %s, such as %s", name, what, example[what])
		}
	}
}
