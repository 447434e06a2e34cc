package pipeline

import (
	"context"
	"fmt"
	"os"

	"github.com/nats-io/nats.go"
)

// Subscribe answers messages by calls of run, one after the other in the subscription's callback: the
// cheapest way that nats.go has. It ends with the process.
func Subscribe(ctx context.Context, url, subject string, run func(context.Context, []byte) ([]byte, error)) error {
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	_, err = nc.QueueSubscribe(subject, "bench", func(m *nats.Msg) {
		reply, err := run(ctx, m.Data)
		if err == nil {
			err = m.Respond(reply)
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, "a call failed:", err)
		}
	})
	if err != nil {
		return err
	}
	return nc.FlushTimeout(patience)
}
