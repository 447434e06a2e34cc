// Package control is how functions and interpreters come and go: the NATS service polyvoke, whose verbs
// deploy, list, describe and remove them.
//
// One file is one thing that verbs are about: deploy.go takes modules and scripts, functions.go tells and
// removes, languages.go has the interpreters. What a service needs of the invoker beside it is a [Host].
package control

import (
	"context"
	"errors"
	"log/slog"
	"strconv"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/interpreters"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// controlTimeout bounds every verb that compiles nothing.
const controlTimeout = 10 * time.Second

// Host serves the functions that a service controls. Its methods may be called by several
// goroutines at a time.
type Host interface {
	// Try compiles a module as the function's calls would have it, whatever the module has done
	// before, and keeps it loaded until release is called. edit tells that it is one of many
	// edits and is to be there soon. The error is a *runtimes.ModuleError if the module cannot be run.
	Try(ctx context.Context, f *protocol.Function, module []byte, edit bool) (release func(), err error)
	// Await waits until the host serves a stored version, and returns why it does not if it has failed to.
	Await(ctx context.Context, f *protocol.Function) error
	// AwaitGone waits until the host does not serve a deleted version any more.
	AwaitGone(ctx context.Context, f *protocol.Function) error
	// Stats returns what a function has done here, and nothing of one that is not served.
	Stats(name string) protocol.Stats
}

// Service answers the control verbs. Its fields are set before Serve and not changed afterwards.
type Service struct {
	// Host serves what is deployed. It must not be nil.
	Host Host
	// Registry has the functions. It must not be nil, and the host must serve those it has.
	Registry registry.Registry
	// NC is where requests come from. It must not be nil.
	NC *nats.Conn
	// JetStream tells which streams take a function's subjects, and by its connection the invokers speak to one another. It must not be nil; a
	// server need not have it.
	JetStream jetstream.JetStream
	// Interpreters has what runs scripts. Nil means that only modules can be deployed.
	Interpreters *interpreters.Store
	// Bodies has the modules that come as objects. Nil means that they are refused.
	Bodies *bodies.Store
	// MaxModule is the size of the largest module that can be deployed, in bytes. It must be positive.
	MaxModule int64
	// Version is polyvoke's own version, in SemVer. It must not be empty.
	Version string
	// Log takes what operators should know. It must not be nil.
	Log *slog.Logger

	open    context.Context // ends when nothing new is to be begun
	members members         // the other invokers
}

// Serve begins to answer, and returns what stops it. The endpoints of the queue group handle one request at a time,
// which is what their figures need; those that are for this invoker alone go on side by side. Nothing goes on after ctx has
// ended. Serve may be called once.
func (s *Service) Serve(ctx context.Context) (micro.Service, error) {
	ctx, end := context.WithCancel(ctx)
	s.open = ctx
	s.members.heard = map[string]*member{}
	m, err := micro.AddService(s.NC, micro.Config{
		Name: "polyvoke", Version: s.Version, Description: "control of polyvoke's functions",
	})
	if err != nil {
		end()
		return nil, err
	}
	d := &direct{s: s, self: s.myself(m.Info().ID), tasks: map[string]*task{}, confirming: make(chan struct{}, mostConfirms), verbs: map[protocol.APIVerb]handler{
		protocol.APIDeploy:     s.deploy,
		protocol.APIList:       s.list,
		protocol.APIInfo:       s.tell,
		protocol.APIRemove:     s.remove,
		protocol.APIRuntimes:   s.listRuntimes,
		protocol.APIRuntimeAdd: s.addRuntime,
		protocol.APIRuntimePin: s.pinRuntime,
	}}
	for verb, handle := range d.verbs {
		err := m.AddEndpoint(string(verb), micro.HandlerFunc(func(r micro.Request) { s.respond(r, handle) }),
			micro.WithEndpointSubject(verb.Subject()))
		if err != nil {
			end()
			return nil, errors.Join(err, m.Stop())
		}
	}
	leave, err := s.join(ctx, end, d)
	if err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	return serving{m, leave}, nil
}

// serving is a micro service whose end is that of what lies beside it too.
type serving struct {
	micro.Service
	leave func()
}

// Stop implements micro.Service. It returns when nothing goes on any more that was asked of this invoker alone.
func (s serving) Stop() error {
	err := s.Service.Stop()
	s.leave()
	return err
}

// respond answers a control request with what its handler returns.
func (s *Service) respond(r micro.Request, handle func(micro.Request) (any, error)) {
	out, err := handle(r)
	if err == nil {
		err = r.RespondJSON(out)
	} else {
		code, text := protocol.CodeOf(err), protocol.MessageOf(err)
		level := slog.LevelInfo // whoever asked is told what is wrong
		if code >= protocol.CodeFailed {
			level = slog.LevelError
		}
		s.Log.Log(s.open, level, "control request failed", "subject", r.Subject(), "code", code, "err", err)
		err = r.Error(strconv.Itoa(code), protocol.CleanValue(text, protocol.MaxErrorText), []byte(text+"\n"))
	}
	if err != nil {
		s.Log.Error("control request not answered", "subject", r.Subject(), "err", err)
	}
}
