package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode/utf16"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// directUpload is the longest module that is sent in one message, if NATS allows.
	directUpload = 1 << 20
	// deployTimeout is how long an upload and the compilation behind it may take.
	deployTimeout = 5 * time.Minute
	// readyTimeout is how long a deployed function may take to answer a dry run.
	readyTimeout = 10 * time.Second
	// discardTimeout is how long the end of a command waits for tidying up.
	discardTimeout = time.Second
	// readyPause is the time between two dry runs.
	readyPause = 20 * time.Millisecond
)

// deployCommand puts a function on NATS.
func (c *cli) deployCommand() *cobra.Command {
	var n connection
	var o overrides
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "deploy FILE.wasm|polyvoke.toml|FOLDER",
		Short: "Put a function, or a new version of it, on NATS",
		Long: `Put a function, or a new version of it, on NATS. When deploy returns, the next call works.

A folder must contain a polyvoke.toml, which has the keys of the manifest and besides
them "module", the path of the wasm file. Flags win over the file.`,
		Example: `  polyvoke deploy greet.wasm
  polyvoke deploy greet.wasm --name hello --env LANG=en --timeout 500ms --memory 64MiB
  polyvoke deploy ./greet`,
		Args: argsBetween(1, 1),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := readSource(args[0], o.name)
			if err != nil {
				return err
			}
			if err := o.apply(cmd, &src.function); err != nil {
				return err
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			reply, err := c.deploy(cmd.Context(), s, src.function, src.wasm)
			if err != nil {
				return err
			}
			return c.printDeployed(reply, asJSON)
		},
	}
	o.addTo(cmd)
	cmd.Flags().StringArrayVar(&o.args, "arg", nil, "argument behind the subject's tokens; repeat for more")
	cmd.Flags().StringVar(&o.language, "language", "", "language to show (default: as the module says)")
	n.addTo(cmd)
	addJSON(cmd, &asJSON)
	return cmd
}

// printDeployed tells what is there now and how to call it.
func (c *cli) printDeployed(reply protocol.DeployReply, asJSON bool) error {
	for _, w := range reply.Warnings {
		fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).bold("warning:"), w)
	}
	if asJSON {
		return printJSON(c.stdout, reply)
	}
	f := reply.Function
	state := "ready"
	if !reply.Created {
		state = "unchanged, ready"
	}
	_, err := fmt.Fprintf(c.stdout, "%s %s on %s.%s (%s): nats req %s.%s '...'\n", c.paint(c.stdout).bold(f.Ref().String()), state,
		protocol.RootCall, f.Name, join(", ", bytesText(f.Size), f.Language), protocol.RootCall, f.Name)
	return err
}

// join joins what is not empty.
func join(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

// deploy uploads a function and waits until it answers.
func (c *cli) deploy(ctx context.Context, s *session, f protocol.Function, wasm []byte) (protocol.DeployReply, error) {
	var reply protocol.DeployReply
	ctx, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	manifest, err := json.Marshal(f)
	if err != nil {
		return reply, err
	}
	msg := &nats.Msg{Header: nats.Header{protocol.HeaderManifest: {ascii(manifest)}}, Data: wasm}
	if len(wasm) > directUpload || !s.fits(msg) {
		claim, err := c.put(ctx, s, wasm, "uploading "+f.Name)
		if err != nil {
			return reply, err
		}
		defer s.discard(ctx, claim)
		msg.Data = nil
		claim.Put(protocol.Header(msg.Header))
	}
	done := c.waiting("compiling " + f.Name)
	err = s.control(ctx, protocol.APIDeploy, msg, &reply)
	done()
	if err != nil {
		return reply, err
	}
	return reply, s.waitReady(ctx, reply.Function.Ref())
}

// fits reports whether NATS takes a message as it is.
func (s *session) fits(msg *nats.Msg) bool {
	const reserve = 64 // for what the client library adds
	return int64(msg.Size()+reserve) <= s.MaxPayload()
}

// put stores a body for a claim check.
func (c *cli) put(ctx context.Context, s *session, body []byte, what string) (*protocol.Claim, error) {
	b, err := bodies.Existing(ctx, s.Conn)
	if err != nil {
		return nil, s.noBodies(ctx, err)
	}
	return b.Put(ctx, c.progressFrom(bytes.NewReader(body), what, int64(len(body))), int64(len(body)))
}

// discard removes a body that nobody needs any more. It would expire in any case.
func (s *session) discard(ctx context.Context, claim *protocol.Claim) {
	if !s.IsConnected() {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), discardTimeout)
	defer cancel()
	if b, err := bodies.Existing(ctx, s.Conn); err == nil {
		_ = b.Delete(ctx, claim)
	}
}

// noBodies says why a large body cannot be carried: without an invoker there is no store for it.
func (s *session) noBodies(ctx context.Context, err error) error {
	if _, e := s.list(ctx); e != nil {
		return e
	}
	return err
}

// ascii escapes what is not ASCII in a JSON document, so that it can be a header.
func ascii(doc []byte) string {
	var b strings.Builder
	for _, r := range string(doc) {
		if r < 0x7f {
			b.WriteRune(r)
			continue
		}
		for _, u := range utf16.Encode([]rune{r}) {
			fmt.Fprintf(&b, `\u%04x`, u)
		}
	}
	return b.String()
}

// waitReady waits until a dry run of the function is answered: then the next call works.
func (s *session) waitReady(ctx context.Context, ref protocol.Ref) error {
	ctx, cancel := context.WithTimeout(ctx, readyTimeout)
	defer cancel()
	dry := protocol.Request{Function: ref, DryRun: true}
	subject, h, _, err := dry.Message()
	if err != nil {
		return err
	}
	for {
		m, err := s.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Header: nats.Header(h)})
		if err == nil {
			reply, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
			if err == nil && reply.Err != nil && reply.Err.Code != protocol.CodeNotFound && reply.Err.Code != protocol.CodeTooMany {
				return reply.Err
			}
			if err != nil || reply.Err == nil {
				return err
			}
		} else if !errors.Is(err, nats.ErrNoResponders) && ctx.Err() == nil {
			return s.requestError("deploy", err)
		}
		select {
		case <-ctx.Done():
			return protocol.Errorf(protocol.CodeTimeout, "", "%s is deployed but does not answer on %s in %s: polyvoke logs %s may say why",
				ref, s.url, readyTimeout, ref.Name)
		case <-time.After(readyPause):
		}
	}
}
