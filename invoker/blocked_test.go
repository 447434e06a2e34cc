package invoker_test

import (
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/protocol"
)

// blocked is a function whose files never open.
func blocked(t testing.TB) *service {
	t.Helper()
	s := &shelf{gate: make(chan struct{})}
	server := startServer(t)
	v := startInvoker(t, server, func(v *invoker.Invoker) { v.Backend = s.backend() })
	nc := connect(t, server, nats.Name(t.Name()))
	deploy(t, nc, protocol.Function{Name: "clerk", Grants: []protocol.Grant{{KV: "shelf", Access: protocol.AccessWrite}}},
		backendtest.Clerk())
	return v
}

// overrun returns for how long a call that waits for a file outlives its deadline.
func overrun(t testing.TB, v *service, timeout time.Duration) time.Duration {
	t.Helper()
	begin := time.Now()
	r := v.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: "clerk"}, Timeout: timeout, Patient: true,
		Body: []byte("get /kv/shelf/x\n")})
	took := time.Since(begin)
	if r.Err == nil || r.Err.Code != protocol.CodeTimeout || took < timeout {
		t.Fatalf("it came to %v after %v", r.Err, took)
	}
	return took - timeout
}

// TestBlockedFile has calls wait for a file that never opens. They end with their deadline: the best of them within 10
// ms of it, and each soon, as far as the machine has time.
func TestBlockedFile(t *testing.T) {
	v := blocked(t)
	var all []time.Duration
	for range 20 {
		all = append(all, overrun(t, v, 30*time.Millisecond))
	}
	slices.Sort(all)
	t.Logf("late by %v to %v, half of them by at most %v", all[0], all[len(all)-1], all[len(all)/2])
	if all[0] > 10*time.Millisecond || all[len(all)-1] > patience/2 {
		t.Errorf("late by %v", all)
	}
}

// BenchmarkBlockedFile says how late calls end that wait for a file when their deadline comes, one at a time.
func BenchmarkBlockedFile(b *testing.B) {
	v := blocked(b)
	var all []time.Duration
	for b.Loop() {
		all = append(all, overrun(b, v, 10*time.Millisecond))
	}
	slices.Sort(all)
	for _, share := range []int{50, 99} {
		b.ReportMetric(float64(all[len(all)*share/100].Microseconds()), fmt.Sprintf("us-late-p%d", share))
	}
}
