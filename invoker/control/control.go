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
	// JetStream tells which streams take a function's subjects. It must not be nil; a server need not have it.
	JetStream jetstream.JetStream
	// Interpreters has what runs scripts. Nil means that only modules can be deployed.
	Interpreters *interpreters.Store
	// Bodies has the modules that come as objects. Nil means that they are refused.
	Bodies *bodies.Store
	// Line is the length of the longest protocol line that the server takes, in bytes, such as protocol.DefaultLine. It
	// must be positive.
	Line int
	// MaxModule is the size of the largest module that can be deployed, in bytes. It must be positive.
	MaxModule int64
	// Version is polyvoke's own version, in SemVer. It must not be empty.
	Version string
	// Log takes what operators should know. It must not be nil.
	Log *slog.Logger

	open context.Context // ends when nothing new is to be begun
}

// Serve begins to answer, and returns what stops it. Its endpoints handle one request at a time. Nothing goes on after
// ctx has ended. Serve may be called once.
func (s *Service) Serve(ctx context.Context) (*Endpoints, error) {
	s.open = ctx
	m, err := s.describe()
	if err != nil {
		return nil, err
	}
	for verb, handle := range map[protocol.APIVerb]func(micro.Request) (any, error){
		protocol.APIDeploy:     s.deploy,
		protocol.APIList:       s.list,
		protocol.APIInfo:       s.tell,
		protocol.APIRemove:     s.remove,
		protocol.APIRuntimes:   s.listRuntimes,
		protocol.APIRuntimeAdd: s.addRuntime,
		protocol.APIRuntimePin: s.pinRuntime,
	} {
		err := m.add(verb, func(r micro.Request) { s.respond(r, handle) })
		if err != nil {
			return nil, errors.Join(err, m.Stop())
		}
	}
	return m, nil
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
	s.failed(r, err)
}

// failed logs why a request was not answered, if it was not.
func (s *Service) failed(r micro.Request, err error) {
	if err != nil {
		s.Log.Error("control request not answered", "subject", r.Subject(), "err", err)
	}
}
