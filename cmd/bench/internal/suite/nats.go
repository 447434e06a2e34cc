package suite

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/contestant"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/measure"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/worker"
	"github.com/polyvoke/polyvoke/protocol"
)

// load is what clients do.
type load struct {
	name    string
	callers int
	rate    float64 // calls a second; 0 means as fast as the callers can
	bytes   int     // of a body
}

// natsLoads returns the loads through NATS.
func (b *Bench) natsLoads() []load {
	all := []load{
		{"10,000/s", 0, 10_000, 16}, {"30,000/s", 0, 30_000, 16},
		{"1 caller", 1, 0, 16}, {"16 callers", 16, 0, 16}, {"128 callers", 128, 0, 16},
		{"64 KiB, 16 callers", 16, 0, 64 << 10},
	}
	if b.Quick {
		return []load{all[0], all[3]}
	}
	return all
}

// served is a function that answers on a subject.
type served struct {
	contestant, guest string
	subject           string
	quick             bool // it keeps up with fixed rates
	worker            *worker.Worker
	absent            string // why there is no worker
}

// Names of what is compared through NATS, beside the native echo.
const (
	resetC       = "polyvoke, reset"
	checkpointGo = "polyvoke, checkpoint"
)

// natsField returns the contestants that are compared.
func (b *Bench) natsField() []*served {
	all := []*served{
		{contestant: contestant.Native, guest: "C echo", subject: "native.echo", quick: true},
		{contestant: resetC, guest: "C echo", subject: "fn.reset", quick: true},
		{contestant: "polyvoke, fresh", guest: "C echo", subject: "fn.fresh"},
		{contestant: checkpointGo, guest: "Go echo", subject: "fn.checkpoint", quick: true},
		{contestant: "polyvoke, prefork", guest: "Go echo", subject: "fn.prefork"},
		{contestant: contestant.Base, guest: "C echo", subject: "wazero.echo"},
	}
	if b.Quick {
		return all[:3]
	}
	return all
}

// pipes are a NATS server and its client.
type pipes struct {
	server, client *worker.Worker
	url            string
}

// startPipeline starts server and client.
func (b *Bench) startPipeline() (*pipes, error) {
	server, err := b.start()
	if err != nil {
		return nil, err
	}
	listening, err := server.Ask(worker.Request{Op: worker.OpListen})
	var client *worker.Worker
	if err == nil {
		client, err = b.start()
	}
	if err != nil {
		return nil, errors.Join(err, server.Close())
	}
	return &pipes{server: server, client: client, url: listening.URL}, nil
}

// close ends both.
func (p *pipes) close() {
	_ = p.client.Close()
	_ = p.server.Close()
}

// throughNATS compares calls through NATS: server, client and each function in processes of their own.
func (b *Bench) throughNATS(ctx context.Context) error {
	p, err := b.startPipeline()
	if err != nil {
		return err
	}
	defer p.close()
	field := b.natsField()
	for _, s := range field {
		b.Log("serving " + s.contestant + ", " + s.guest)
		if err := b.serve(s, p.url); err != nil {
			s.absent = err.Error()
			b.Log("  absent: " + s.absent)
			continue
		}
		defer s.worker.Close()
	}
	for _, l := range b.natsLoads() {
		if err := ctx.Err(); err != nil {
			return err
		}
		b.Log("through NATS: " + l.name)
		b.compare(field, p, l)
	}
	return nil
}

// serve starts a function.
func (b *Bench) serve(s *served, url string, env ...string) error {
	c, err := contestant.Find(s.contestant)
	if err != nil {
		return err
	}
	g := b.named(s.guest)
	if g == nil {
		return errAbsent
	}
	w, err := b.open(c, g, env...)
	if err != nil {
		return err
	}
	q := worker.Request{Op: worker.OpServe, URL: url, Subject: s.subject}
	if strings.HasPrefix(s.subject, protocol.RootCall+".") {
		q.Profile = b.Profile
	}
	if _, err := w.Ask(q); err != nil {
		_ = w.Close()
		return err
	}
	s.worker = w
	return nil
}

// compare takes the cells of one load.
func (b *Bench) compare(field []*served, p *pipes, l load) {
	var turns []*turn
	for _, s := range field {
		if l.rate > 0 && !s.quick {
			continue
		}
		c := b.add(Key{Through, s.guest, l.name, s.contestant})
		if s.worker == nil {
			c.Absent = s.absent
			continue
		}
		take := func(calls int) (measure.Sample, error) { return slice(p, s, l, calls) }
		calls, err := fit(take, l, b.natsSlice())
		if err != nil {
			c.Absent = err.Error()
			continue
		}
		turns = append(turns, &turn{cell: c, rounds: b.Turns, take: func() (measure.Sample, error) { return take(calls) }})
	}
	alternate(turns)
}

// natsSlice is about how long a slice through NATS is.
func (b *Bench) natsSlice() time.Duration { return 5 * b.Slice }

// fit returns how many calls fit into a slice, after some that warm up.
func fit(take func(int) (measure.Sample, error), l load, long time.Duration) (int, error) {
	n := max(100, l.callers)
	if l.rate > 0 {
		n = int(l.rate * long.Seconds())
		_, err := take(n)
		return n, err
	}
	for range 3 {
		s, err := take(n)
		if err != nil {
			return 0, err
		}
		n = max(l.callers, min(20*n, int(s.Rate()*long.Seconds())))
	}
	return n, nil
}

// slice makes calls of a function. The processor time is that of the function's process alone, which is
// asked before and after.
func slice(p *pipes, s *served, l load, calls int) (measure.Sample, error) {
	before, err := s.worker.Ask(worker.Request{Op: worker.OpUsage})
	if err != nil {
		return measure.Sample{}, err
	}
	body := bytes.Repeat([]byte("x"), l.bytes)
	r, err := p.client.Ask(worker.Request{Op: worker.OpLoad, URL: p.url, Subject: s.subject, Rate: l.rate,
		Guest: &guest.Guest{Body: body, Want: body}, Slice: measure.Slice{Calls: calls, Callers: l.callers}})
	if err != nil {
		return measure.Sample{}, err
	}
	after, err := s.worker.Ask(worker.Request{Op: worker.OpUsage})
	r.Sample.CPU = after.CPU - before.CPU
	return r.Sample, err
}
