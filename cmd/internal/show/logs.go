package show

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// LogPrinter says what to print, and how.
type LogPrinter struct {
	// Out takes the lines. It must not be nil.
	Out io.Writer
	// Paint colours them; the zero value does not.
	Paint terminal.Paint
	// JSON makes each a document.
	JSON bool
	// Name is the function. Empty means all.
	Name string
	// Follow goes on with lines as they are written.
	Follow bool
	// Lines is how many recent lines to print first.
	Lines int
}

// Print prints recent lines and, if it is to follow, those that come until ctx ends, whose error it returns then. The
// error's code is 404 if there is no such function, and 503 if no lines are kept.
func (p *LogPrinter) Print(ctx context.Context, s *connect.Session) error {
	subject := protocol.RootLog + ".>"
	if p.Name != "" {
		subject = protocol.LogSubject(p.Name)
		if _, err := s.Info(ctx, p.Name); err != nil && !p.Follow {
			return err
		}
	}
	opening, cancel := s.Within(ctx)
	defer cancel()
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}}
	if p.Lines == 0 {
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	asking, permitted := s.Permitted(opening, "")
	consumer, err := s.JS.OrderedConsumer(asking, protocol.StreamLog, config)
	if err = permitted(err); err == nil {
		reading, permitted := s.Permitted(ctx, "")
		return permitted(p.read(reading, consumer))
	}
	if protocol.CodeOf(err) == protocol.CodeForbidden && !p.Follow {
		return err
	}
	if _, e := s.List(ctx); e != nil && !p.Follow {
		return e // most likely there is no invoker yet
	}
	if !p.Follow {
		return protocol.Errorf(protocol.CodeUnavailable, "",
			"no recent lines are kept on %s (%w): polyvoke logs -f shows new ones", s.URL, err)
	}
	return p.Subject(ctx, s, subject)
}

// read prints the last of the lines that are kept and goes on from there.
func (p *LogPrinter) read(ctx context.Context, consumer jetstream.Consumer) error {
	pending := consumer.CachedInfo().NumPending
	if !p.Follow && (pending == 0 || p.Lines == 0) {
		return nil
	}
	messages, err := consumer.Messages(jetstream.WithMessagesErrOnMissingHeartbeat(false))
	if err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, messages.Stop)
	defer stop()
	defer messages.Stop()
	for seen := uint64(1); ; seen++ {
		m, err := messages.Next()
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return err
		}
		meta, err := m.Metadata()
		if err != nil {
			return err
		}
		if seen > pending || meta.NumPending < uint64(p.Lines) {
			l := protocol.ParseLogLine(protocol.Header(m.Headers()), m.Data())
			if err := p.line(meta.Timestamp, l); err != nil {
				return err
			}
		}
		if !p.Follow && meta.NumPending == 0 {
			return nil
		}
	}
}

// Subject prints the lines of a subject as they come, until ctx ends, whose error it returns then. It works without
// JetStream.
func (p *LogPrinter) Subject(ctx context.Context, s *connect.Session, subject string) (err error) {
	ctx, permitted := s.Permitted(ctx, subject)
	defer func() { err = permitted(err) }()
	sub, err := s.SubscribeSync(subject)
	if err != nil {
		return err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		if err := p.line(time.Now(), protocol.ParseLogLine(protocol.Header(m.Header), m.Data)); err != nil {
			return err
		}
	}
}

// line prints one line of a log.
func (p *LogPrinter) line(at time.Time, l protocol.LogLine) error {
	if p.JSON {
		return json.NewEncoder(p.Out).Encode(map[string]any{
			"time": at.UTC(), "function": l.Function.Name, "version": l.Function.Version, "id": l.ID, "text": l.Text,
			"platform": l.Platform,
		})
	}
	text := l.Text
	if l.Platform {
		text = p.Paint.Dim(text)
	}
	_, err := fmt.Fprintf(p.Out, "%s %s %s %s\n", p.Paint.Dim(at.Local().Format("15:04:05.000")),
		p.Paint.Bold(l.Function.String()), p.Paint.Dim(l.ID), text)
	return err
}
