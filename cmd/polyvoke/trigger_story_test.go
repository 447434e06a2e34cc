package main

import (
	"context"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/rogpeppe/go-internal/testscript"
)

// publishScript is the command publish SUBJECT BODY [ANOTHER WANT]: a message for a stream, and what then comes on
// another subject.
func publishScript(ts *testscript.TestScript, args []string) {
	if len(args) != 2 && len(args) != 4 {
		ts.Fatalf("usage: publish SUBJECT BODY [ANOTHER WANT]")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	nc, err := nats.Connect(ts.Getenv("NATS_URL"), nats.Timeout(patience))
	ts.Check(err)
	defer nc.Close()
	js, err := jetstream.New(nc)
	ts.Check(err)
	var sub *nats.Subscription
	if len(args) == 4 {
		sub, err = nc.SubscribeSync(args[2])
		ts.Check(err)
		ts.Check(nc.Flush())
	}
	_, err = js.Publish(ctx, args[0], []byte(args[1]))
	ts.Check(err)
	if sub == nil {
		return
	}
	m, err := sub.NextMsgWithContext(ctx)
	ts.Check(err)
	if !strings.HasPrefix(string(m.Data), args[3]) {
		ts.Fatalf("%q came on %s, want %q and what may follow", m.Data, m.Subject, args[3])
	}
}
