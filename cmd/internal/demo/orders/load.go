package orders

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// Defaults of a Load.
const (
	DefaultRate = 200
	DefaultFor  = 10 * time.Second
)

// MaxRate is the most orders that can be asked for in a second, and MaxFor the longest time.
const (
	MaxRate = 100_000
	MaxFor  = time.Hour
)

// Load says how many orders to send.
type Load struct {
	Rate int           // orders a second, evenly; 0 means DefaultRate
	For  time.Duration // how long; 0 means DefaultFor
}

const (
	beat     = 2 * time.Millisecond // between two looks at how many orders are due
	glance   = time.Second          // between two looks at the functions
	patience = 12 * time.Second     // without a receipt, until what is missing is lost: longer than any function may take
)

// Run sends orders to functions that were deployed by Deploy, and waits for their receipts. About once a second it
// gives show what has come of it. It ends when all receipts have come, or none for 12 s. The error is that of ctx, or
// says why nothing could be sent; lost orders are no error, but in the Result.
func Run(ctx context.Context, s *connect.Session, load Load, show func(Result)) (Result, error) {
	if load.Rate == 0 {
		load.Rate = DefaultRate
	}
	if load.For == 0 {
		load.For = DefaultFor
	}
	b := newBook(load)
	sub, err := s.Subscribe(samples.OrdersOut, func(m *nats.Msg) {
		b.receipt(m.Header.Get(protocol.HeaderID), m.Data, time.Now())
	})
	if err == nil {
		err = flush(ctx, s)
	}
	if err != nil {
		return Result{}, s.RequestError("orders", err)
	}
	defer func() { _ = sub.Unsubscribe() }() // an error means that the connection is gone
	w, err := newWatcher(ctx, s)
	if err != nil {
		return Result{}, err
	}
	watching, stop := context.WithCancel(ctx)
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		w.watch(watching, b, show)
	}()
	err = b.send(ctx, s, load)
	if err == nil {
		err = b.wait(ctx)
	}
	stop()
	<-watched
	if err == nil {
		err = flush(ctx, s) // a receipt that came twice is here by now
	}
	if err != nil {
		return Result{}, err
	}
	r := b.result()
	r.Functions, err = w.total(ctx, r.Sent, r.Elapsed)
	return r, err
}

// flush returns when the server has done what it was told, and what it had sent is here.
func flush(ctx context.Context, s *connect.Session) error {
	ctx, cancel := s.Within(ctx)
	defer cancel()
	return s.FlushWithContext(ctx)
}

// send sends orders evenly until the load's time is over.
func (b *book) send(ctx context.Context, s *connect.Session, load Load) error {
	t := time.NewTicker(beat)
	defer t.Stop()
	all := int(float64(load.Rate) * load.For.Seconds())
	for n := 0; n < all; {
		due := min(all, 1+int(float64(load.Rate)*time.Since(b.begin).Seconds()))
		for ; n < due; n++ {
			header := nats.Header{protocol.HeaderID: {id(n)}, protocol.HeaderTimeout: {patience.String()}}
			m := &nats.Msg{Subject: samples.OrdersIn, Header: header, Data: b.order(n)}
			b.sending(time.Now())
			if err := s.PublishMsg(m); err != nil {
				return s.RequestError("orders", err)
			}
		}
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// wait waits until all receipts have come, or none has for a while.
func (b *book) wait(ctx context.Context) error {
	t := time.NewTicker(10 * beat)
	defer t.Stop()
	for !b.settled(time.Now()) {
		select {
		case <-t.C:
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// id is that of the order number n, and all its messages.
func id(n int) string { return "A-" + strconv.Itoa(n) }

// number is the inverse of id, or -1.
func number(id string) int {
	if len(id) < 3 || id[:2] != "A-" {
		return -1
	}
	n, err := strconv.Atoi(id[2:])
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// order returns the request of the order number n.
func (b *book) order(n int) []byte {
	return fmt.Appendf(nil, b.examples[n%len(b.examples)].Request, id(n))
}

// quantile returns the duration that the share q of all does not exceed; 0 without any. It sorts them.
func quantile(all []time.Duration, q float64) time.Duration {
	if len(all) == 0 {
		return 0
	}
	slices.Sort(all)
	return all[min(len(all)-1, int(q*float64(len(all))))]
}
