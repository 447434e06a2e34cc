// Package demo tries the sample functions.
//
// In goes a sample and a Session with a polyvoke behind it; out comes what was deployed, what
// came back for each request and whether that is what the sample promises, and how long calls
// take.
package demo

import (
	"bytes"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/samples"
)

// Timed is how many calls of each function are timed.
const Timed = 100

// callTimeout bounds one call. It is longer than the default, since a demonstration may run on a
// machine that is busy with something else.
const callTimeout = 30 * time.Second

// Result is what was found out about one function, in the names of its JSON.
type Result struct {
	Function string        `json:"function"`
	Language string        `json:"language"`
	What     string        `json:"what"` // it does, in a few words
	Size     int           `json:"size"` // of the module in bytes
	P50      time.Duration `json:"p50"`  // nanoseconds, over Timed calls
	Calls    []Call        `json:"calls"`
	Problem  string        `json:"problem,omitempty"` // why there are no calls, or what was wrong
}

// Call is one request and what came of it. Bodies are shown in one short line.
type Call struct {
	Subject string `json:"subject"`
	Request string `json:"request"`
	Reply   string `json:"reply"`
	Exit    int    `json:"exit"`
	Right   bool   `json:"right"` // it is what the sample promises
}

// Right reports whether everything was as the sample promises.
func (r Result) Right() bool {
	return r.Problem == "" && !slices.ContainsFunc(r.Calls, func(c Call) bool { return !c.Right })
}

// Build has what must be built built in the background, until ctx ends. The function that it returns waits
// for that, and returns all with their modules.
func Build(ctx context.Context, all []samples.Sample) (wait func() ([]samples.Sample, error)) {
	done := make(chan struct{})
	all = slices.Clone(all)
	var err error
	go func() {
		defer close(done)
		var modules [][]byte
		if modules, err = samples.Build(ctx, all...); err == nil {
			for i := range all {
				all[i].Wasm = modules[i]
			}
		}
	}()
	return func() ([]samples.Sample, error) {
		<-done
		return all, err
	}
}

// Run deploys samples, first those that need not be built, then those for which built waits; when all are there and
// the machine is quiet, it sends each its requests and times the first of them. What it does is said to say, always
// in the same order. Whatever goes wrong with a sample is its result's problem. Results are in the order of the
// samples. The error is that of ctx.
func Run(
	ctx context.Context, s *connect.Session, all []samples.Sample, built func() ([]samples.Sample, error),
	say func(what string),
) ([]Result, error) {
	results := make([]Result, len(all))
	deploy := func(sample samples.Sample, r *Result) {
		say(fmt.Sprintf("deploying %s (%s)", sample.Name, sample.Language))
		r.note(r.deploy(ctx, s, sample))
	}
	building := slices.DeleteFunc(slices.Clone(all), func(s samples.Sample) bool { return s.GoSource == nil })
	if len(building) > 0 {
		say("building " + samples.Names(building))
	}
	for i, sample := range all {
		results[i] = Result{Function: sample.Name, Language: sample.Language, What: sample.What, Calls: []Call{}}
		if sample.GoSource == nil {
			deploy(sample, &results[i])
		}
	}
	whole, err := built()
	for i, sample := range all {
		switch {
		case sample.GoSource == nil:
		case err != nil:
			results[i].note(err)
		default:
			deploy(whole[i], &results[i])
		}
	}
	say("calling each of them")
	for i, sample := range all {
		if r := &results[i]; r.Problem == "" && ctx.Err() == nil {
			r.note(r.try(ctx, s, sample))
		}
	}
	return results, ctx.Err()
}

// note keeps what went wrong.
func (r *Result) note(err error) {
	if err != nil {
		r.Problem = err.Error()
	}
}

// deploy deploys the sample.
func (r *Result) deploy(ctx context.Context, s *connect.Session, sample samples.Sample) error {
	code := sample.Wasm
	if sample.Script != nil {
		var err error
		if code, err = script.Pack(sample.Script, sample.Entry, nil); err != nil {
			return err
		}
	}
	r.Size = len(code)
	f := protocol.Function{Name: sample.Name, Language: sample.Language, Runtime: sample.Runtime,
		Limits: protocol.Limits{Timeout: protocol.Duration(callTimeout)}}
	_, err := s.Deploy(ctx, f, code)
	return err
}

// try sends the sample's requests, and times the first.
func (r *Result) try(ctx context.Context, s *connect.Session, sample samples.Sample) error {
	if err := r.call(ctx, s, sample); err != nil {
		return err
	}
	return r.time(ctx, s, sample.Requests[0])
}

// call sends the sample's requests.
func (r *Result) call(ctx context.Context, s *connect.Session, sample samples.Sample) error {
	for _, q := range sample.Requests {
		request := &protocol.Request{Function: protocol.Ref{Name: sample.Name}, Args: q.Args, Body: q.Body,
			Timeout: callTimeout}
		reply, err := s.Call(ctx, request)
		if err != nil {
			return err
		}
		subject, _ := protocol.CallSubject(request.Function, q.Args...)
		c := Call{Subject: subject, Request: glimpse(q.Body), Reply: glimpse(reply.Body), Exit: reply.Exit}
		c.Right = reply.Exit == q.Exit &&
			(q.Exit != 0 || bytes.Equal(reply.Body, q.Want) || q.Want == nil && len(reply.Body) > 0)
		r.Calls = append(r.Calls, c)
	}
	return nil
}

// time calls a function again and again, one call after the other, as any client of NATS does.
func (r *Result) time(ctx context.Context, s *connect.Session, q samples.Request) error {
	ctx, cancel := context.WithTimeout(ctx, Timed*callTimeout)
	defer cancel()
	subject, err := protocol.CallSubject(protocol.Ref{Name: r.Function}, q.Args...)
	if err != nil {
		return err
	}
	header := nats.Header{protocol.HeaderTimeout: {callTimeout.String()}}
	durations := make([]time.Duration, Timed)
	for i := range durations {
		begin := time.Now()
		m, err := s.RequestMsgWithContext(ctx, &nats.Msg{Subject: subject, Header: header, Data: q.Body})
		if err != nil {
			return s.RequestError("call "+r.Function, err)
		}
		durations[i] = time.Since(begin)
		if text := m.Header.Get(protocol.HeaderError); text != "" {
			return fmt.Errorf("call %d of %d: %s", i+1, Timed, text)
		}
	}
	slices.Sort(durations)
	r.P50 = durations[Timed/2]
	return nil
}

// glimpse shows a body in one short line.
func glimpse(b []byte) string {
	const width = 36
	text := strings.TrimSpace(string(b))
	control := func(r rune) bool { return r < ' ' && r != '\n' && r != '\r' && r != '\t' }
	switch {
	case !utf8.Valid(b) || strings.ContainsFunc(text, control):
		return "(" + terminal.Bytes(int64(len(b))) + ")"
	case len(b) == 0:
		return "(empty)"
	}
	text = strings.Join(strings.Fields(text), " ")
	if runes := []rune(text); len(runes) > width {
		return string(runes[:width-3]) + "..."
	}
	return text
}
