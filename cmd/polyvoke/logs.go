package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/nats-io/nats.go/jetstream"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// logOptions are what the flags of logs say.
type logOptions struct {
	name         string
	follow, json bool
	lines        int
}

// logsCommand prints what functions have written on stderr.
func (c *cli) logsCommand() *cobra.Command {
	var n client.Settings
	var o logOptions
	cmd := &cobra.Command{
		Use:   "logs [NAME]",
		Short: "Print what functions wrote on stderr, and go on printing with -f",
		Example: `  polyvoke logs -f
  polyvoke logs greet -n 100`,
		Args:              argsBetween(0, 1),
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.lines < 0 {
				return usageError(cmd, "-n %d: it must be 0 or more", o.lines)
			}
			if len(args) == 1 {
				if err := protocol.CheckName(args[0]); err != nil {
					return usageError(cmd, "%v", err)
				}
				o.name = args[0]
			}
			s, err := c.connect(cmd, &n, client.Lasting)
			if err != nil {
				return err
			}
			defer s.Close()
			err = c.logs(cmd.Context(), s, &o)
			if o.follow && errors.Is(err, context.Canceled) {
				return nil // that is how following ends
			}
			return err
		},
	}
	cmd.Flags().BoolVarP(&o.follow, "follow", "f", false, "go on with lines as they are written")
	cmd.Flags().IntVarP(&o.lines, "lines", "n", 20, "how many recent lines to begin with")
	cmd.Flags().BoolVar(&o.json, "json", false, "print one JSON document a line")
	addConnection(cmd, &n)
	return cmd
}

// logs prints recent lines and, if asked to, those that follow.
func (c *cli) logs(ctx context.Context, s *client.Session, o *logOptions) error {
	subject := protocol.RootLog + ".>"
	if o.name != "" {
		subject = protocol.LogSubject(o.name)
		if _, err := s.Info(ctx, o.name); err != nil && !o.follow {
			return err
		}
	}
	opening, cancel := s.Within(ctx)
	defer cancel()
	config := jetstream.OrderedConsumerConfig{FilterSubjects: []string{subject}}
	if o.lines == 0 {
		config.DeliverPolicy = jetstream.DeliverNewPolicy
	}
	consumer, err := s.JS.OrderedConsumer(opening, protocol.StreamLog, config)
	if err == nil {
		return c.readLogs(ctx, consumer, o)
	}
	if _, e := s.List(ctx); e != nil && !o.follow {
		return e // most likely there is no invoker yet
	}
	if !o.follow {
		return protocol.Errorf(protocol.CodeUnavailable, "", "no recent lines are kept on %s (%w): polyvoke logs -f shows new ones", s.URL, err)
	}
	return c.followSubject(ctx, s, subject, o)
}

// readLogs prints the last of the lines that are kept and goes on from there.
func (c *cli) readLogs(ctx context.Context, consumer jetstream.Consumer, o *logOptions) error {
	pending := consumer.CachedInfo().NumPending
	if !o.follow && (pending == 0 || o.lines == 0) {
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
		if seen > pending || meta.NumPending < uint64(o.lines) {
			if err := c.printLine(meta.Timestamp, protocol.ParseLogLine(protocol.Header(m.Headers()), m.Data()), o.json); err != nil {
				return err
			}
		}
		if !o.follow && meta.NumPending == 0 {
			return nil
		}
	}
}

// followSubject prints lines as they come, from a NATS that keeps none.
func (c *cli) followSubject(ctx context.Context, s *client.Session, subject string, o *logOptions) error {
	sub, err := s.SubscribeSync(subject)
	if err != nil {
		return err
	}
	for {
		m, err := sub.NextMsgWithContext(ctx)
		if err != nil {
			return err
		}
		if err := c.printLine(time.Now(), protocol.ParseLogLine(protocol.Header(m.Header), m.Data), o.json); err != nil {
			return err
		}
	}
}

// printLine prints one line of a log.
func (c *cli) printLine(at time.Time, l protocol.LogLine, asJSON bool) error {
	if asJSON {
		return json.NewEncoder(c.stdout).Encode(map[string]any{
			"time": at.UTC(), "function": l.Function.Name, "version": l.Function.Version, "id": l.ID, "text": l.Text, "platform": l.Platform,
		})
	}
	p := c.paint(c.stdout)
	text := l.Text
	if l.Platform {
		text = p.Dim(text)
	}
	_, err := fmt.Fprintf(c.stdout, "%s %s %s %s\n", p.Dim(at.Local().Format("15:04:05.000")), p.Bold(l.Function.String()), p.Dim(l.ID), text)
	return err
}
