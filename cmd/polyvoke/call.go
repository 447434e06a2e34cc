package main

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// callGrace is how much longer than the function's time the client waits, so that it
	// is the invoker that says what became of a slow call.
	callGrace = time.Second
	// callQuick is how long the client waits before it asks how long the function may take.
	callQuick = time.Second
	// replyLimit is the longest reply that call fetches by claim.
	replyLimit = int64(protocol.MaxBody)
)

// callOptions are what the flags of call say.
type callOptions struct {
	args, headers []string
	id, timeout   string
	report, json  bool
}

// callCommand calls a function.
func (c *cli) callCommand() *cobra.Command {
	var n connection
	var o callOptions
	cmd := &cobra.Command{
		Use:   "call NAME[@VERSION][.ARG...] [BODY|-|@FILE]",
		Short: "Call a function and print its reply",
		Long: `Call a function and print its reply, byte for byte. The body is what is written
there, or stdin for -, or a file for @FILE; without one it is empty.

The function's exit code passes through. Others are: 2 the request is wrong, 124 timed out, 125 NATS
or the invoker failed (too many calls, draining, a trap), 126 the module cannot be run, 127 no
such function.`,
		Example: `  polyvoke call greet '{"name":"Ada"}'
  polyvoke call thumbnail.64 @photo.jpg > small.png
  polyvoke call greet@2 - < request.json`,
		Args:              argsBetween(1, 2),
		ValidArgsFunction: c.completeNames(&n),
		RunE: func(cmd *cobra.Command, args []string) error {
			r, err := c.callRequest(cmd, args, &o)
			if err != nil {
				return err
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			reply, err := c.call(cmd.Context(), s, r)
			if err != nil {
				return err
			}
			return c.printReply(r, reply, &o)
		},
	}
	cmd.Flags().StringArrayVar(&o.args, "arg", nil, "further token of the subject, an argument of the function; repeat for more")
	cmd.Flags().StringArrayVarP(&o.headers, "header", "H", nil, "header NAME:VALUE; repeat for more")
	cmd.Flags().StringVar(&o.id, "id", "", "id of the call in logs and replies (default: the invoker's choice)")
	cmd.Flags().StringVar(&o.timeout, "timeout", "", `how long to wait, such as "500ms" (default: as long as the function may take)`)
	cmd.Flags().BoolVar(&o.report, "report", false, "print how the call went on stderr")
	n.addTo(cmd)
	addJSON(cmd, &o.json)
	return cmd
}

// callRequest makes the request that the command line means.
func (c *cli) callRequest(cmd *cobra.Command, args []string, o *callOptions) (*protocol.Request, error) {
	ref, tokens, err := protocol.ParseCall(protocol.RootCall + "." + args[0])
	if err != nil {
		return nil, usageError(cmd, "%v", err)
	}
	r := &protocol.Request{Function: ref, Args: append(tokens, o.args...), ID: o.id, Report: o.report, Header: protocol.Header{}}
	if o.timeout != "" {
		d, err := protocol.ParseDuration(o.timeout)
		if err != nil {
			return nil, usageError(cmd, "--timeout: %v", err)
		}
		r.Timeout = time.Duration(d)
	}
	for _, h := range o.headers {
		name, value, ok := strings.Cut(h, ":")
		if !ok || name == "" || strings.ContainsAny(h, "\r\n") {
			return nil, usageError(cmd, "--header %q: write NAME:VALUE", h)
		}
		r.Header[name] = append(r.Header[name], strings.TrimSpace(value))
	}
	if _, _, _, err := r.Message(); err != nil {
		return nil, usageError(cmd, "%v", err)
	}
	if len(args) == 2 {
		r.Body, err = c.body(args[1])
	}
	return r, err
}

// body reads the body that an argument means: itself, stdin for -, a file for @FILE.
func (c *cli) body(arg string) ([]byte, error) {
	in := c.stdin
	switch {
	case strings.HasPrefix(arg, "@"):
		f, err := os.Open(arg[1:])
		if err != nil {
			return nil, missing(arg[1:], err)
		}
		defer f.Close()
		in = f
	case arg != "-":
		return []byte(arg), nil
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(protocol.MaxBody)+1))
	if err == nil && int64(len(b)) > int64(protocol.MaxBody) {
		err = protocol.Errorf(protocol.CodeTooLarge, "", "the body is over %s, more than any function takes", protocol.MaxBody)
	}
	return b, err
}

// call sends a request and returns the reply with its body, whatever way the bodies go.
func (c *cli) call(ctx context.Context, s *session, r *protocol.Request) (protocol.Reply, error) {
	subject, h, body, err := r.Message()
	if err != nil {
		return protocol.Reply{}, err
	}
	msg := &nats.Msg{Subject: subject, Header: nats.Header(h), Data: body}
	if !s.fits(msg) {
		if r.Claim, err = c.put(ctx, s, body, "sending "+r.Function.Name); err != nil {
			return protocol.Reply{}, err
		}
		defer s.discard(ctx, r.Claim)
		subject, h, _, _ = r.Message()
		msg = &nats.Msg{Subject: subject, Header: nats.Header(h)}
	}
	m, err := s.exchange(ctx, msg, r)
	if err != nil {
		return protocol.Reply{}, err
	}
	reply, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
	if err != nil {
		return reply, badReply(r, err)
	}
	if reply.Err != nil && reply.Err.Code == protocol.CodeNotFound && reply.Exit < 0 {
		return reply, s.absent(ctx, r.Function)
	}
	if reply.Claim != nil {
		if reply.Body, err = s.fetch(ctx, reply.Claim); err != nil {
			return reply, badReply(r, err)
		}
	}
	return reply, nil
}

// badReply is the error for a reply that cannot be read: not the caller's fault, whatever its code says.
func badReply(r *protocol.Request, err error) error {
	return protocol.Errorf(protocol.CodeBadOutput, "", "the reply of %s cannot be read: %w: the function has run all the same", r.Function, err)
}

// exchange sends the message and waits for the answer: as long as the caller says, or else as
// long as the function may take, which is asked for only when the call is not a quick one.
func (s *session) exchange(ctx context.Context, msg *nats.Msg, r *protocol.Request) (*nats.Msg, error) {
	inbox, sub, err := s.inbox()
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	msg.Reply = inbox
	if err := s.PublishMsg(msg); err != nil {
		return nil, s.requestError("call "+r.Function.String(), err)
	}
	begin, wait := time.Now(), r.Timeout+callGrace
	if r.Timeout == 0 {
		wait = min(callQuick, s.timeout)
	}
	m, err := next(ctx, sub, wait)
	if errors.Is(err, nats.ErrTimeout) && r.Timeout == 0 {
		wait = s.timeout
		if i, e := s.info(ctx, r.Function.Name); e == nil {
			wait = time.Duration(i.Function.Limits.WithDefaults().Timeout) + callGrace
		}
		m, err = next(ctx, sub, max(wait-time.Since(begin), time.Millisecond))
	}
	switch {
	case err == nil && len(m.Data) == 0 && m.Header.Get("Status") == "503", errors.Is(err, nats.ErrNoResponders):
		return nil, s.absent(ctx, r.Function)
	case errors.Is(err, nats.ErrTimeout):
		return nil, protocol.Errorf(protocol.CodeTimeout, "", "%s did not answer on %s within %s: --timeout gives it more time", r.Function, s.url, wait)
	case errors.Is(err, context.Canceled):
		return nil, err
	case err != nil:
		return nil, s.requestError("call "+r.Function.String(), err)
	}
	return m, nil
}

// inbox subscribes to a subject for one answer.
func (s *session) inbox() (string, *nats.Subscription, error) {
	inbox := s.NewInbox()
	sub, err := s.SubscribeSync(inbox)
	return inbox, sub, err
}

// next waits for a message for a while. The error of a while that has passed is nats.ErrTimeout.
func next(ctx context.Context, sub *nats.Subscription, wait time.Duration) (*nats.Msg, error) {
	waiting, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	m, err := sub.NextMsgWithContext(waiting)
	if err != nil && ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return nil, nats.ErrTimeout
	}
	return m, err
}

// fetch gets a reply that came by reference, and removes it.
func (s *session) fetch(ctx context.Context, claim *protocol.Claim) ([]byte, error) {
	store, err := bodies.Existing(ctx, s.Conn)
	if err != nil {
		return nil, s.noBodies(ctx, err)
	}
	defer s.discard(ctx, claim)
	return store.Get(ctx, claim, replyLimit)
}

// absent is the error for a function, or a version of one, that nobody serves.
func (s *session) absent(ctx context.Context, ref protocol.Ref) error {
	i, err := s.info(ctx, ref.Name)
	switch {
	case err != nil:
		return err
	case ref.Version == "":
		return protocol.Errorf(protocol.CodeUnavailable, "", "%s is deployed, but nobody on %s serves it just now: try again", ref, s.url)
	}
	var have []string
	for _, v := range i.Versions {
		have = append(have, fmt.Sprint(v.Version))
		if v.Ref() == ref {
			return protocol.Errorf(protocol.CodeUnavailable, "", "%s is deployed, but nobody on %s serves it just now: try again", ref, s.url)
		}
	}
	return protocol.Errorf(protocol.CodeNotFound, "", "404: function %s has no version %s on %s; it has %s (polyvoke info %s tells more)",
		ref.Name, ref.Version, s.url, strings.Join(have, ", "), ref.Name)
}

// printReply prints a reply and returns what its exit code needs.
func (c *cli) printReply(r *protocol.Request, reply protocol.Reply, o *callOptions) error {
	if o.json {
		if err := printJSON(c.stdout, replyDocument(reply)); err != nil {
			return err
		}
	}
	failure := callError(r, reply)
	if !o.json && reply.Err == nil {
		if _, err := c.stdout.Write(reply.Body); err != nil {
			return err
		}
	}
	if tail := string(reply.Body); !o.json && reply.Err != nil && strings.TrimSpace(tail) != strings.TrimSpace(reply.Err.Msg) {
		fmt.Fprintln(c.stderr, strings.TrimRight(tail, "\n"))
	}
	if p := reply.Report; o.report && p != nil {
		fmt.Fprintln(c.stderr, c.paint(c.stderr).dim(fmt.Sprintf("REPORT id %s function %s exit %d duration %s memory %s start %s",
			cmp.Or(reply.ID, "-"), p.Function, reply.Exit, p.Duration, bytesText(int64(p.Memory)), p.Start)))
	}
	return failure
}

// callError returns the error for a reply that is one: the function's own exit code if there is one.
func callError(r *protocol.Request, reply protocol.Reply) error {
	if reply.Err == nil {
		return nil
	}
	code := exitOfCode(reply.Err.Code)
	if reply.Exit > 0 {
		code = exitOfProcess(reply.Exit)
	}
	return &exitError{code: code, msg: fmt.Sprintf("%s: %d: %s%s", r.Function, reply.Err.Code, reply.Err.Msg, nextStep(reply)), err: reply.Err}
}

// nextStep says what the caller can do about an error of the platform's.
func nextStep(reply protocol.Reply) string {
	if reply.Exit > 0 {
		return ""
	}
	switch reply.Err.Code {
	case protocol.CodeTooLarge, protocol.CodeBadOutput, protocol.CodeMemory, protocol.CodeTimeout:
		return " (polyvoke info shows the limits, the manifest sets them)"
	case protocol.CodeTooMany, protocol.CodeUnavailable:
		return " (try again in a moment)"
	case protocol.CodeFailed:
		return " (polyvoke logs may say more)"
	}
	return ""
}

// replyJSON is a reply as call --json prints it. A body that is not text is in base64.
type replyJSON struct {
	Status int             `json:"status"` // 200, or the error's code
	Error  string          `json:"error,omitempty"`
	Exit   *int            `json:"exit,omitempty"` // missing if the process did not get that far
	ID     string          `json:"id,omitempty"`
	Header protocol.Header `json:"headers,omitempty"`
	Body   string          `json:"body"`
	Base64 bool            `json:"base64,omitempty"` // the body is in base64
}

// replyDocument makes a reply a document.
func replyDocument(reply protocol.Reply) replyJSON {
	d := replyJSON{Status: 200, ID: reply.ID, Header: reply.Header, Body: string(reply.Body)}
	if reply.Err != nil {
		d.Status, d.Error = reply.Err.Code, reply.Err.Msg
	}
	if reply.Exit >= 0 {
		d.Exit = &reply.Exit
	}
	if !utf8.Valid(reply.Body) {
		d.Body, d.Base64 = base64.StdEncoding.EncodeToString(reply.Body), true
	}
	return d
}
