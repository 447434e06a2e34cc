package contestant

import (
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// service is polyvoke's whole invoker with one function.
type service struct {
	nc   *nats.Conn
	stop context.CancelFunc
	done chan error
}

// patience bounds each wait for a service.
const patience = 2 * time.Minute

// Serve implements Server: the calls go through the whole invoker. The subject is "fn." and the function's name.
func (r *polyvokeRunner) Serve(ctx context.Context, url, subject string) error {
	module, err := os.ReadFile(r.setup.Guest.Wasm)
	if err != nil {
		return err
	}
	f := r.manifest(strings.TrimPrefix(subject, protocol.RootCall+"."))
	functions := &registry.Memory{}
	if _, _, err := functions.Put(ctx, f, module); err != nil {
		return err
	}
	nc, err := nats.Connect(url)
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.WithoutCancel(ctx))
	r.service = &service{nc: nc, stop: stop, done: make(chan error, 1)}
	ready := make(chan struct{})
	v := &invoker.Invoker{Registry: functions, Runtime: r.runtime, Ready: func() { close(ready) }}
	go func() { r.service.done <- v.Serve(ctx, nc) }()
	select {
	case <-ready:
		return r.confirm(ctx, nc, subject)
	case err := <-r.service.done:
		r.service.done <- err
		return errors.Join(errors.New("the invoker ended"), err)
	case <-time.After(patience):
		return errors.New("the invoker was not ready in time")
	}
}

// manifest is that of the guest as a function that refuses nobody.
func (r *polyvokeRunner) manifest(name string) protocol.Function {
	g := r.setup.Guest
	env := map[string]string{}
	for _, e := range g.Env {
		k, v, _ := strings.Cut(e, "=")
		env[k] = v
	}
	return protocol.Function{Name: name, Start: r.kind, Args: g.Args[1:], Env: env,
		Limits: protocol.Limits{Memory: protocol.Size(g.Memory), Concurrency: 256, Queue: 1000}}
}

// confirm calls the function until it answers and says that it starts in the right way.
func (r *polyvokeRunner) confirm(ctx context.Context, nc *nats.Conn, subject string) error {
	return awaitStart(ctx, r.kind, func(context.Context) (string, error) { return r.ask(nc, subject) })
}

// ask calls the function once and returns how it started.
func (r *polyvokeRunner) ask(nc *nats.Conn, subject string) (start string, err error) {
	m := &nats.Msg{Subject: subject, Data: r.setup.Guest.Body, Header: nats.Header{protocol.HeaderReport: {"1"}}}
	answer, err := nc.RequestMsg(m, patience)
	if err != nil {
		return "", err
	}
	reply, err := protocol.ParseReply(protocol.Header(answer.Header), answer.Data)
	switch {
	case err != nil:
		return "", err
	case reply.Err != nil:
		return "", reply.Err
	case reply.Report == nil:
		return "", errors.New("the invoker sent no report")
	}
	return reply.Report.Start, check(r.setup.Guest, r.setup.Guest.Body, reply.Body)
}

// close ends the service.
func (s *service) close() error {
	s.stop()
	defer s.nc.Close()
	select {
	case err := <-s.done:
		return err
	case <-time.After(patience):
		return errors.New("the invoker did not end")
	}
}
