package jobs

import (
	"context"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/protocol/cloudevents"
)

// The result of a job that is a CloudEvent is passed on as one, and any other as it is.
func TestPassOn(t *testing.T) {
	b := newBench(t)
	f := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return success("result") }))
	f.Apply(function("f"))
	passed, err := b.nc.SubscribeSync("passed.>")
	if err != nil {
		t.Fatal(err)
	}
	event := cloudevents.New("elsewhere", "7", time.Now(), nil)
	for to, h := range map[string]protocol.Header{"passed.plain": {}, "passed.event": event.Request(nil)} {
		headers := []string{protocol.HeaderTo, to, protocol.HeaderID, "_" + to[len("passed."):]}
		for name, values := range h {
			headers = append(headers, name, values[0])
		}
		b.publish("polyvoke.job.f", "x", headers...)
		m, err := passed.NextMsg(waits)
		if err != nil {
			t.Fatal(err)
		}
		got, err := cloudevents.Parse(protocol.Header(m.Header), m.Data)
		isEvent := err == nil && got.Attributes[cloudevents.ID] == "_event" &&
			got.Attributes[cloudevents.Source] == "/polyvoke/f" && got.Attributes[cloudevents.Type] == "f.reply"
		if m.Subject != to || string(m.Data) != "result" || isEvent != (to == "passed.event") ||
			m.Header.Get(protocol.HeaderHops) != "1" {
			t.Errorf("%s got %v %q, %v", m.Subject, m.Header, m.Data, err)
		}
	}
}
