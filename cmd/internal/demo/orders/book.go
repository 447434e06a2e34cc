package orders

import (
	"fmt"
	"sync"
	"time"

	"github.com/polyvoke/polyvoke/samples"
)

// Result is what has come of the orders, in the names of its JSON. Durations are nanoseconds.
type Result struct {
	Rate      int           `json:"rate"` // orders a second that were to be sent
	Elapsed   time.Duration `json:"elapsed"`
	Sent      int           `json:"sent"`
	Receipts  int           `json:"receipts"` // right ones, each order counted once
	Lost      int           `json:"lost"`     // orders without a right receipt; as long as orders run, those under way
	Twice     int           `json:"twice"`    // receipts beyond the first of an order
	Wrong     int           `json:"wrong"`    // receipts of no order, or not as they should be
	P50       time.Duration `json:"p50"`      // from the order to its receipt
	P99       time.Duration `json:"p99"`
	Functions []Figures     `json:"functions"` // in the order in which orders pass through them
}

// Right reports whether every order came out exactly once, as it should.
func (r Result) Right() bool { return r.Sent > 0 && r.Lost == 0 && r.Twice == 0 && r.Wrong == 0 }

// book keeps which orders were sent, and which receipts came. Its methods may be called from several goroutines.
type book struct {
	rate     int
	begin    time.Time
	examples []samples.Order

	mu       sync.Mutex
	sent     []time.Time // by number
	came     []bool      // by number
	took     []time.Duration
	last     time.Time // when something was sent or came
	wrong    int
	repeated int
}

func newBook(load Load) *book {
	return &book{rate: load.Rate, begin: time.Now(), examples: samples.OrderExamples()}
}

// sending takes note that the next order is about to be sent.
func (b *book) sending(now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.sent = append(b.sent, now)
	b.came = append(b.came, false)
	b.last = now
}

// receipt takes note of a message that came out.
func (b *book) receipt(id string, body []byte, now time.Time) {
	n := number(id)
	want := ""
	if n >= 0 {
		want = fmt.Sprintf(b.examples[n%len(b.examples)].Receipt, id)
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.last = now
	switch {
	case n < 0 || n >= len(b.sent) || string(body) != want:
		b.wrong++
	case b.came[n]:
		b.repeated++
	default:
		b.came[n] = true
		b.took = append(b.took, now.Sub(b.sent[n]))
	}
}

// settled reports whether all receipts have come, or no more need be waited for.
func (b *book) settled(now time.Time) bool {
	b.mu.Lock()
	defer b.mu.Unlock()
	return len(b.took) == len(b.sent) || now.Sub(b.last) > patience
}

// result returns what has come of the orders up to now.
func (b *book) result() Result {
	b.mu.Lock()
	r := Result{
		Rate: b.rate, Elapsed: max(b.last.Sub(b.begin), 0), Sent: len(b.sent), Receipts: len(b.took),
		Lost: len(b.sent) - len(b.took), Twice: b.repeated, Wrong: b.wrong,
	}
	took := append([]time.Duration(nil), b.took...)
	b.mu.Unlock()
	r.P50, r.P99 = quantile(took, 0.5), quantile(took, 0.99)
	return r
}
