package triggers

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// BenchmarkEvents takes events of a stream into a queue: one by one, and in batches. The server is in the same process.
func BenchmarkEvents(b *testing.B) {
	for _, batch := range []int{0, 10, 100} {
		b.Run(fmt.Sprint("batch", batch), func(b *testing.B) {
			s := registrytest.StartNATS(b, b.TempDir(), 0)
			js := registrytest.JetStream(b, registrytest.Connect(b, s))
			st := store.New(js, store.Config{})
			if err := st.Make(b.Context()); err != nil {
				b.Fatal(err)
			}
			trigger := protocol.Trigger{Stream: "S", Batch: batch, Start: "all"}
			f := &protocol.Function{Name: "f", Triggers: []protocol.Trigger{trigger}}
			if _, err := st.MakeQueue(b.Context(), f); err != nil {
				b.Fatal(err)
			}
			if _, err := js.CreateStream(b.Context(), jetstream.StreamConfig{Name: "S", Subjects: []string{"s"}}); err != nil {
				b.Fatal(err)
			}
			for range b.N {
				if _, err := js.PublishAsync("s", []byte(`{"order":12345}`), jetstream.WithStallWait(time.Minute)); err != nil {
					b.Fatal(err)
				}
			}
			<-js.PublishAsyncComplete()
			front := New(Config{JetStream: js})
			front.Apply(f)
			ctx, cancel := context.WithCancel(b.Context())
			done := make(chan error)
			b.ResetTimer()
			go func() { done <- front.Serve(ctx) }()
			for {
				l := Lags(ctx, js, f)[0]
				if l.Err == nil && l.Total() == 0 {
					break
				}
				time.Sleep(5 * time.Millisecond)
			}
			b.StopTimer()
			cancel()
			<-done
		})
	}
}
