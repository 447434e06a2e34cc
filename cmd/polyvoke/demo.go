package main

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/samples"
)

// demoCalls is how many calls of each function are timed.
const demoCalls = 100

// demoTimeout bounds one call of the demonstration, and demoStart its start.
const (
	demoTimeout = 30 * time.Second
	demoStart   = time.Minute
)

// demoResult is what the demonstration found out about one function.
type demoResult struct {
	Function string        `json:"function"`
	Language string        `json:"language"`
	What     string        `json:"what"`
	Size     int           `json:"size"`
	P50      time.Duration `json:"p50"` // nanoseconds, over demoCalls calls
	Calls    []demoCall    `json:"calls"`
	Problem  string        `json:"problem,omitempty"` // why there are no calls, or what was wrong
}

// demoCall is one request and what came of it.
type demoCall struct {
	Subject string `json:"subject"`
	Request string `json:"request"`
	Reply   string `json:"reply"`
	Exit    int    `json:"exit"`
	Right   bool   `json:"right"` // it is what the sample promises
}

// demoCommand shows everything at once.
func (c *cli) demoCommand() *cobra.Command {
	var stay, asJSON bool
	cmd := &cobra.Command{
		Use:   "demo",
		Short: "Start everything, deploy the samples, call them, and show what came back",
		Long: `Start NATS and polyvoke on this machine, deploy the sample functions, send each its
requests and ` + fmt.Sprint(demoCalls) + ` more, and show what came back. The Go samples are built by this machine's Go;
nothing needs a network. What the functions were kept in is removed at the end.`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return c.demo(cmd, stay, asJSON)
		},
	}
	cmd.Flags().BoolVar(&stay, "stay", false, "keep serving, on "+natsd.DefaultListen+" if nobody else does")
	addJSON(cmd, &asJSON)
	return cmd
}

// demo starts a server, shows the samples on it, and ends it, or stays.
func (c *cli) demo(cmd *cobra.Command, stay, asJSON bool) (err error) {
	store, err := os.MkdirTemp("", "polyvoke-demo-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(store)
	log := c.logger("error")
	server, err := c.demoServer(store, stay, log)
	if err != nil {
		return err
	}
	defer server.Close()
	n := &connection{server: server.URL(), timeout: demoStart}
	s, err := c.connectDemo(cmd, n)
	if err != nil {
		return err
	}
	defer s.Close()

	ctx, cancel := context.WithCancel(cmd.Context())
	served := make(chan error, 1)
	ready := make(chan struct{})
	go func() {
		served <- c.serveOn(ctx, s, &serveOptions{replicas: 1, drain: time.Second}, log, func(int) { close(ready) })
	}()
	defer func() {
		cancel()
		err = errors.Join(err, <-served)
	}()
	select {
	case <-ready:
	case err := <-served:
		served <- nil
		return cmp.Or(err, ctx.Err())
	}
	results, err := c.demoSamples(ctx, s)
	if err != nil {
		return err
	}
	if err := c.printDemo(s.url, results, stay, asJSON); err != nil {
		return err
	}
	if stay {
		<-ctx.Done()
	}
	return demoVerdict(results)
}

// demoServer starts NATS on a free port, or, in order to stay, on the port that clients try first.
func (c *cli) demoServer(store string, stay bool, log *slog.Logger) (*natsd.Server, error) {
	config := natsd.Config{Listen: "127.0.0.1:0", Store: store, Log: log}
	if !stay {
		return natsd.Start(config)
	}
	config.Listen = natsd.DefaultListen
	server, err := natsd.Start(config)
	if errors.Is(err, natsd.ErrInUse) {
		fmt.Fprintf(c.stderr, "%s is in use by another server, so this is on another port\n", natsd.DefaultListen)
		config.Listen = "127.0.0.1:0"
		server, err = natsd.Start(config)
	}
	return server, err
}

// connectDemo connects to the demonstration's own server, whatever the user's settings are.
func (c *cli) connectDemo(cmd *cobra.Command, n *connection) (*session, error) {
	quiet := *c
	quiet.env = func(string) string { return "" }
	flags := &cobra.Command{Use: cmd.Use}
	flags.Flags().Duration("timeout", n.timeout, "")
	n.context = ""
	return quiet.connect(flags, n, lasting)
}

// demoSamples deploys and calls every sample. An error means that there is no point in going on.
func (c *cli) demoSamples(ctx context.Context, s *session) ([]demoResult, error) {
	var results []demoResult
	for _, sample := range samples.All() {
		doing := "deploying"
		if sample.Wasm == nil {
			doing = "building and deploying"
		}
		fmt.Fprintf(c.stderr, "%s %s (%s) ...\n", doing, sample.Name, sample.Language)
		r := demoResult{Function: sample.Name, Language: sample.Language, What: sample.What, Calls: []demoCall{}}
		wasm, err := sample.Build(ctx)
		if err == nil {
			r.Size = len(wasm)
			_, err = c.deploy(ctx, s, protocol.Function{Name: sample.Name, Language: sample.Language}, wasm)
		}
		if err == nil {
			err = r.call(ctx, c, s, sample)
		}
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		if err != nil {
			r.Problem = err.Error()
		}
		results = append(results, r)
	}
	return results, nil
}

// call sends the sample's requests, then times the first of them.
func (r *demoResult) call(ctx context.Context, c *cli, s *session, sample samples.Sample) error {
	for _, q := range sample.Requests {
		request := &protocol.Request{Function: protocol.Ref{Name: sample.Name}, Args: q.Args, Body: q.Body, Timeout: demoTimeout}
		reply, err := c.call(ctx, s, request)
		if err != nil {
			return err
		}
		subject, _ := protocol.CallSubject(request.Function, q.Args...)
		d := demoCall{Subject: subject, Request: glimpse(q.Body), Reply: glimpse(reply.Body), Exit: reply.Exit}
		d.Right = reply.Exit == q.Exit && (q.Exit != 0 || bytes.Equal(reply.Body, q.Want) || q.Want == nil && len(reply.Body) > 0)
		r.Calls = append(r.Calls, d)
	}
	return r.time(ctx, s, sample.Requests[0])
}

// time calls a function again and again, one call after the other.
func (r *demoResult) time(ctx context.Context, s *session, q samples.Request) error {
	ctx, cancel := context.WithTimeout(ctx, demoCalls*demoTimeout)
	defer cancel()
	subject, err := protocol.CallSubject(protocol.Ref{Name: r.Function}, q.Args...)
	if err != nil {
		return err
	}
	durations := make([]time.Duration, demoCalls)
	for i := range durations {
		begin := time.Now()
		m, err := s.RequestWithContext(ctx, subject, q.Body)
		if err != nil {
			return s.requestError("call "+r.Function, err)
		}
		durations[i] = time.Since(begin)
		if text := m.Header.Get(protocol.HeaderError); text != "" {
			return fmt.Errorf("call %d of %d: %s", i+1, demoCalls, text)
		}
	}
	slices.Sort(durations)
	r.P50 = durations[demoCalls/2]
	return nil
}

// printDemo prints the table, and how to go on by hand.
func (c *cli) printDemo(url string, results []demoResult, stay, asJSON bool) error {
	if asJSON {
		return printJSON(c.stdout, map[string]any{"url": url, "functions": results})
	}
	var rows [][]string
	for _, r := range results {
		for i, d := range r.Calls {
			row := []string{"", "", "", d.Request, d.Reply, fmt.Sprint(d.Exit), ""}
			if i == 0 {
				copy(row, []string{r.Function, r.Language, bytesText(int64(r.Size))})
				row[6] = r.P50.Round(time.Microsecond).String()
			}
			if !d.Right {
				row[4] += " (WRONG)"
			}
			rows = append(rows, row)
		}
		if r.Problem != "" {
			rows = append(rows, []string{r.Function, r.Language, "", "", r.Problem, "", ""})
		}
	}
	fmt.Fprintln(c.stdout)
	head := []string{"FUNCTION", "LANGUAGE", " MODULE", "REQUEST", "REPLY", " EXIT", fmt.Sprintf(" P50 OF %d CALLS", demoCalls)}
	table(c.stdout, c.paint(c.stdout), head, rows)
	if !stay {
		_, err := fmt.Fprint(c.stdout, "\nTo call them by hand, keep them: polyvoke demo --stay, and then\n"+byHand(""))
		return err
	}
	server := ""
	if url != nats.DefaultURL {
		server = " -s " + url
	}
	_, err := fmt.Fprintf(c.stdout, "\nThey stay on %s until Ctrl-C. Call them by hand:\n%s", url, byHand(server))
	return err
}

// byHand says how to call a sample with the official command line and with this one.
func byHand(server string) string {
	const function, body = "greet-c", `'{"name":"Ada"}'`
	return fmt.Sprintf("  nats%s req %s.%s %s\n  polyvoke call%s %s %s\n  nats%s micro ls\n",
		server, protocol.RootCall, function, body, server, function, body, server)
}

// glimpse shows a body in one short line.
func glimpse(b []byte) string {
	const width = 36
	text := strings.TrimSpace(string(b))
	switch {
	case !utf8.Valid(b) || strings.ContainsFunc(text, func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }):
		return "(" + bytesText(int64(len(b))) + ")"
	case len(b) == 0:
		return "(empty)"
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-3]) + "..."
	}
	return text
}

// demoVerdict is the error for a demonstration in which something was wrong.
func demoVerdict(results []demoResult) error {
	var wrong []string
	for _, r := range results {
		if r.Problem != "" || slices.ContainsFunc(r.Calls, func(d demoCall) bool { return !d.Right }) {
			wrong = append(wrong, r.Function)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	return &exitError{code: exitFailed, msg: "not as it should be: " + strings.Join(wrong, ", ") + "; the table above says why"}
}
