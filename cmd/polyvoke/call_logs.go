package main

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// logsQuiet is how long no line needs to come after the reply until none is expected any more: an invoker may
	// publish them on another connection than replies.
	logsQuiet = 100 * time.Millisecond
	// logsWait is how long lines may come after the reply.
	logsWait = time.Second
)

// callLogs prints on stderr what the function writes there during one call.
type callLogs struct {
	c    *cli
	sub  *nats.Subscription
	line chan struct{} // has something when a line has come; one is enough

	mu    sync.Mutex
	count int // lines that were printed
}

// followCall prints the lines of a call, as they come, until end is called. The error's code is 403 if this user may
// not read them.
func (c *cli) followCall(ctx context.Context, s *connect.Session, r *protocol.Request) (*callLogs, error) {
	l := &callLogs{c: c, line: make(chan struct{}, 1)}
	subject := protocol.LogSubject(r.Function.Name)
	waiting, cancel := s.Within(ctx)
	defer cancel()
	var err error
	if l.sub, err = s.Subscribe(subject, func(m *nats.Msg) { l.print(m, r.ID) }); err == nil {
		err = s.Listening(waiting, subject)
	}
	return l, err
}

// print prints a line if it is one of the call.
func (l *callLogs) print(m *nats.Msg, id string) {
	line := protocol.ParseLogLine(protocol.Header(m.Header), m.Data)
	if line.ID != id {
		return
	}
	text := line.Text
	if line.Platform {
		text = l.c.paint(l.c.stderr).Dim(text)
	}
	fmt.Fprintln(l.c.stderr, text)
	l.mu.Lock()
	l.count++
	l.mu.Unlock()
	select {
	case l.line <- struct{}{}:
	default:
	}
}

// end waits for the last lines, and returns how many there were.
func (l *callLogs) end() int {
	deadline := time.After(logsWait)
	for quiet := time.NewTimer(logsQuiet); ; quiet.Reset(logsQuiet) {
		select {
		case <-l.line:
			continue
		case <-quiet.C:
		case <-deadline:
		}
		break
	}
	_ = l.sub.Unsubscribe() // the connection ends soon anyway
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.count
}
