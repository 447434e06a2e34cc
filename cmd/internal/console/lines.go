package console

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// linesQuiet is how long no line needs to come after a call's reply until none is expected any more: an invoker
	// may publish them on another connection than replies.
	linesQuiet = 100 * time.Millisecond
	// linesWait is how long lines may come after the reply.
	linesWait = time.Second
)

// callLines gathers what one call writes to its log.
type callLines struct {
	id   string
	sub  *nats.Subscription // nil: it cannot be heard
	line chan struct{}      // has something when a line has come; one is enough

	mu  sync.Mutex
	all []client.LogLine // the last ones, at most linesAtOnce
}

// hear gathers the lines of a call that is to be made, until end is called. A user who may not hear them gets none.
func (k *Console) hear(ctx context.Context, name, id string) *callLines {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	l := &callLines{id: id, line: make(chan struct{}, 1)}
	subject := protocol.LogSubject(name)
	asking, permitted := k.Client.Permitted(ctx, subject)
	sub, err := k.Client.Conn.Subscribe(subject, l.take)
	if err == nil {
		l.sub = sub
		err = k.Client.Conn.FlushWithContext(asking)
	}
	if permitted(err) != nil {
		l.stop()
	}
	return l
}

// stop ends the subscription.
func (l *callLines) stop() {
	if l.sub != nil {
		_ = l.sub.Unsubscribe() // an error means that the connection is gone
		l.sub = nil
	}
}

// take takes a line if it is one of the call.
func (l *callLines) take(m *nats.Msg) {
	line := client.LogLine{LogLine: protocol.ParseLogLine(protocol.Header(m.Header), m.Data), Time: time.Now()}
	if line.ID != l.id {
		return
	}
	l.mu.Lock()
	if len(l.all) == linesAtOnce {
		l.all = append(l.all[:0], l.all[1:]...)
	}
	l.all = append(l.all, line)
	l.mu.Unlock()
	select {
	case l.line <- struct{}{}:
	default:
	}
}

// end waits for the last lines, and returns them all.
func (l *callLines) end() []client.LogLine {
	if l.sub == nil {
		return nil
	}
	defer l.stop()
	deadline := time.After(linesWait)
	for quiet := time.NewTimer(linesQuiet); ; quiet.Reset(linesQuiet) {
		select {
		case <-l.line:
			continue
		case <-quiet.C:
		case <-deadline:
		}
		break
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Clone(l.all)
}
