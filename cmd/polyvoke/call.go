package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// callOptions are what the flags of call say.
type callOptions struct {
	args, headers []string
	id, timeout   string
	report, json  bool
	logs, stream  bool
	wait          string // of jobs

	in io.Reader // the body of a stream; nil if it is in the request
}

// callCommand calls a function.
func (c *cli) callCommand() *cobra.Command {
	var n connect.Settings
	var o callOptions
	cmd := &cobra.Command{
		Use:   "call NAME[@VERSION][.ARG...] [BODY|-|@FILE]",
		Short: "Call a function and print its reply",
		Long: `Call a function and print its reply, byte for byte. The body is the argument itself,
stdin for -, or a file for @FILE; without one it is empty. NAME may be the subject of
the function, fn.NAME, and tokens after it are arguments: fn.resize.640.480.

With --stream the reply is printed as the function writes it, and stdin or a file is sent as
it is read, so that neither has to fit in memory or in limits.output. A reply that is cut off
ends with an error and its exit code, never without one.

The function's exit code passes through. Other exit codes: 2 the request is wrong, 124 timed
out, 125 NATS or the invoker failed (too many calls, draining, a trap), 126 the module cannot
be run, 127 there is no such function.`,
		Args:              argsBetween(1, 2),
		ValidArgsFunction: c.completeCalls(&n),
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
			return c.call(cmd.Context(), s, r, &o)
		},
	}
	cmd.Flags().StringArrayVar(&o.args, "arg", nil,
		"argument of the function, as a further token of the subject; can be repeated")
	cmd.Flags().StringArrayVarP(&o.headers, "header", "H", nil, "header NAME:VALUE; can be repeated")
	cmd.Flags().StringVar(&o.id, "id", "", "id of the call in logs and replies (default: the invoker chooses one)")
	cmd.Flags().StringVar(&o.timeout, "timeout", "",
		`how long to wait, such as "500ms" (default: as long as the function may take)`)
	cmd.Flags().BoolVar(&o.logs, "logs", false, "print the function's log lines of this call on stderr, as they come")
	cmd.Flags().BoolVar(&o.stream, "stream", false, "print the reply as it comes, and send the body as it is read")
	cmd.Flags().BoolVar(&o.report, "report", false,
		"print a report of the call on stderr, and what a failed call wrote to stdout")
	addConnection(cmd, &n)
	addJSON(cmd, &o.json)
	return cmd
}

// call calls a function and prints what comes back.
func (c *cli) call(ctx context.Context, s *connect.Session, r *protocol.Request, o *callOptions) error {
	end := func() int { return 0 }
	if o.logs {
		r.ID = cmp.Or(r.ID, rand.Text())
		l, err := c.followCall(ctx, s, r)
		if err != nil {
			return err
		}
		end = l.end
	}
	reply, err := c.reply(ctx, s, r, o)
	lines := end()
	if err != nil {
		return err
	}
	return c.printReply(r, *reply, o, lines > 0)
}

// reply calls a function. What a stream brings is printed already.
func (c *cli) reply(ctx context.Context, s *connect.Session, r *protocol.Request, o *callOptions) (
	*protocol.Reply, error) {
	if !o.stream {
		return s.Call(ctx, r)
	}
	r.Stdout = false
	if file, ok := o.in.(*os.File); ok {
		defer file.Close()
	}
	return s.Stream(ctx, r, o.in, c.stdout)
}

// callRequest makes the request that the command line means.
func (c *cli) callRequest(cmd *cobra.Command, args []string, o *callOptions) (*protocol.Request, error) {
	subject := args[0]
	if !strings.HasPrefix(subject, protocol.RootCall+".") {
		subject = protocol.RootCall + "." + subject
	}
	ref, tokens, err := protocol.ParseCall(subject)
	if err != nil {
		return nil, usageError(cmd, "%v", err)
	}
	if o.stream && o.json {
		return nil, usageError(cmd,
			"--stream prints what comes as it comes, and so not as JSON: leave one of --stream and --json out")
	}
	r := &protocol.Request{Function: ref, Args: append(tokens, o.args...), ID: o.id, Report: o.report, Stdout: o.report,
		Header: protocol.Header{}}
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
			return nil, usageError(cmd, "--header %q is not a header: write NAME:VALUE", h)
		}
		r.Header[name] = append(r.Header[name], strings.TrimSpace(value))
	}
	if _, _, _, err := r.Message(); err != nil {
		return nil, usageError(cmd, "%v", err)
	}
	switch {
	case len(args) < 2:
	case o.stream:
		o.in, r.Body, err = c.bodyStream(args[1])
	default:
		r.Body, err = c.body(args[1])
	}
	return r, err
}

// bodyStream is body for what is to be read as it is sent. The Reader is nil for a body that is the argument itself.
func (c *cli) bodyStream(arg string) (io.Reader, []byte, error) {
	switch {
	case arg == "-":
		return io.MultiReader(c.stdin), nil, nil // whoever has opened it closes it
	case strings.HasPrefix(arg, "@"):
		f, err := os.Open(arg[1:])
		if err != nil {
			return nil, nil, source.Missing(arg[1:], err)
		}
		return f, nil, nil
	}
	return nil, []byte(arg), nil
}

// body reads the body that an argument means: itself, stdin for -, a file for @FILE.
func (c *cli) body(arg string) ([]byte, error) {
	in := c.stdin
	switch {
	case strings.HasPrefix(arg, "@"):
		f, err := os.Open(arg[1:])
		if err != nil {
			return nil, source.Missing(arg[1:], err)
		}
		defer f.Close()
		in = f
	case arg != "-":
		return []byte(arg), nil
	}
	b, err := io.ReadAll(io.LimitReader(in, int64(protocol.MaxBody)+1))
	if err == nil && int64(len(b)) > int64(protocol.MaxBody) {
		err = protocol.Errorf(protocol.CodeTooLarge, "",
			"the body is larger than %s, the most that any function takes: send a shorter one", protocol.MaxBody)
	}
	return b, err
}

// printReply prints a reply and returns what its exit code needs. logged says that the log's lines are printed already.
func (c *cli) printReply(r *protocol.Request, reply protocol.Reply, o *callOptions, logged bool) error {
	if o.json {
		if err := printJSON(c.stdout, show.ReplyDocument(reply)); err != nil {
			return err
		}
	}
	failure := show.Failure(r, reply)
	out := reply.Body
	if reply.Err != nil {
		out = reply.Stdout
	}
	if !o.json {
		if _, err := c.stdout.Write(out); err != nil {
			return err
		}
	}
	if tail := string(reply.Body); !o.json && !logged && reply.Err != nil &&
		strings.TrimSpace(tail) != strings.TrimSpace(reply.Err.Msg) {
		fmt.Fprintln(c.stderr, strings.TrimRight(tail, "\n"))
	}
	if p := reply.Report; o.report && p != nil {
		report := fmt.Sprintf("REPORT id %s function %s exit %d duration %s fuel %d memory %s start %s",
			cmp.Or(reply.ID, "-"), p.Function, reply.Exit, p.Duration, p.Fuel, terminal.Bytes(int64(p.Memory)), p.Start)
		if p.Reads > 0 || p.Writes > 0 {
			report += fmt.Sprintf(" reads %d writes %d", p.Reads, p.Writes)
		}
		fmt.Fprintln(c.stderr, c.paint(c.stderr).Dim(report))
	}
	return failure
}
