// Package control is how functions and interpreters come and go: the NATS service polyvoke, whose verbs
// deploy, list, describe and remove them.
//
// One file is one thing that verbs are about: deploy.go takes modules and scripts, functions.go describes and removes
// functions, languages.go has the interpreters. What a service needs of the invoker beside it is a [Host].
package control

import (
	"cmp"
	"context"
	"crypto/rand"
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
	// Try compiles a module as the function's calls would have it, whatever the module has done before, and keeps it
	// loaded until release is called. edit reports whether it is one of many edits, and must be there soon. The error is a
	// *runtimes.ModuleError if the module cannot be run.
	Try(ctx context.Context, f *protocol.Function, module []byte, edit bool) (release func(), err error)
	// Await waits until the host serves a stored version, and returns why it does not if it has failed to.
	Await(ctx context.Context, f *protocol.Function) error
	// Load compiles or loads a stored version, and keeps it loaded until release is called.
	Load(ctx context.Context, f *protocol.Function) (release func(), err error)
	// Canaries returns the aliases that the host's calls follow, and that have a canary.
	Canaries() []protocol.AliasState
	// AwaitAlias waits until the host's calls follow an alias as it is in a state, or in a later one, and returns why
	// they do not.
	AwaitAlias(ctx context.Context, s protocol.AliasState) error
	// AwaitGone waits until the host does not serve a deleted version any more.
	AwaitGone(ctx context.Context, f *protocol.Function) error
	// Idle reports whether a process of a version that the host serves ends with neither reading its stdin nor
	// writing to its stdout. It is false if that cannot be found out soon.
	Idle(ctx context.Context, f *protocol.Function) bool
	// Stats returns what a function has done here, and nothing of one that is not served.
	Stats(name string) protocol.Stats
	// Damage returns the records that cannot be read, sorted by name.
	Damage() []protocol.Damage
	// Unserved returns the functions that the host has failed to make ready, and why, sorted by name.
	Unserved() []protocol.Damage
	// Taking returns the functions with a trigger that can have a message of a pattern.
	Taking(pattern string) []*protocol.Function
	// Routes returns an error, with code 409, if another function has a route of HTTP that conflicts with one of f.
	Routes(f *protocol.Function) error
	// Overlapping returns the other functions with a trigger that overlaps one of f.
	Overlapping(f *protocol.Function) []*protocol.Function
}

// Queues knows the queues of functions. Its methods may be called by several goroutines.
type Queues interface {
	// Queues returns the state of the queues that functions have, by name. A function without one is left out.
	Queues(ctx context.Context, functions []string) (map[string]protocol.QueueInfo, error)
}

// Service answers the control verbs. Its fields are set before Serve and not changed afterwards.
type Service struct {
	// Host serves what is deployed. It must not be nil.
	Host Host
	// Registry has the functions. It must not be nil, and the host must serve those it has.
	Registry registry.Registry
	// Aliases has what names mean. Nil means that there are none.
	Aliases registry.Aliases
	// NC is where requests come from. It must not be nil.
	NC *nats.Conn
	// JetStream says which streams take a function's subjects. The invokers speak to one another by its connection. It
	// must not be nil; a server need not have it.
	JetStream jetstream.JetStream
	// Interpreters has what runs scripts. Nil means that only modules can be deployed.
	Interpreters *interpreters.Store
	// Bodies has the modules that come as objects. Nil means that they are refused.
	Bodies *bodies.Store
	// Line is the length of the longest protocol line that the server takes, in bytes. 0 means
	// protocol.DefaultLine.
	Line int
	// MaxModule is the size of the largest module that can be deployed, in bytes. It must be positive.
	MaxModule int64
	// Verbs are answered besides the service's own: those of what stands beside the invoker.
	Verbs map[protocol.APIVerb]protocol.APIHandler
	// Queues has the figures of queues. Nil means that nothing is said of any.
	Queues Queues
	// CheckTrigger returns why the source of a trigger is none, with code 422, and makes one that is missing if the
	// trigger says so. Nil means that sources must exist, unless their triggers say create.
	CheckTrigger func(ctx context.Context, t protocol.Trigger) error
	// Audit keeps what changes something. Nil means that nothing is kept.
	Audit Audit
	// Durability says what messages outlive on a NATS server of this process, see protocol.MetadataDurability. Empty
	// means that the process has none.
	Durability string
	// Version is polyvoke's own version, in SemVer. It must not be empty.
	Version string
	// Log takes what operators should know. It must not be nil.
	Log *slog.Logger

	open    context.Context // ends when nothing new is to be begun
	members members         // the other invokers
	deploys beside          // deployments that go on
	others  beside          // requests of Verbs that go on
	waits   beside          // those of them that wait

	functions, languages listing
}

// Serve begins to answer, and returns what stops it. The endpoints of the queue group handle one request at a time,
// but for deployments; those that are for this invoker alone go on side by side. Nothing goes on after ctx has ended
// and the service has stopped. Serve may be called once.
func (s *Service) Serve(ctx context.Context) (*Endpoints, error) {
	s.Line = cmp.Or(s.Line, protocol.DefaultLine)
	ctx, end := context.WithCancel(ctx)
	s.open, s.deploys.places = ctx, make(chan struct{}, mostAtOnce)
	s.others.places, s.waits.places = make(chan struct{}, mostAtOnce), make(chan struct{}, mostWaits)
	s.members.heard = map[string]*member{}
	m, err := s.describe()
	if err != nil {
		end()
		return nil, err
	}
	verbs := map[protocol.APIVerb]handler{
		protocol.APIDeploy:   s.deploy,
		protocol.APIList:     s.list,
		protocol.APIInfo:     s.tell,
		protocol.APIRemove:   s.remove,
		protocol.APIRuntimes: s.listRuntimes,
		protocol.APIAliasSet: s.setAlias, protocol.APIAliasRemove: s.removeAlias, protocol.APIAliasList: s.listAliases,
		protocol.APIHistory: s.history, protocol.APIRollback: s.rollback,
		protocol.APIRuntimeAdd: s.addRuntime,
		protocol.APIRuntimePin: s.pinRuntime,
	}
	for verb, h := range s.Verbs {
		verbs[verb] = s.handler(h)
	}
	self := s.myself(m.info.ID)
	for verb, h := range verbs {
		verbs[verb] = s.audited(verb, self, h)
	}
	d := &direct{
		s: s, self: self, verbs: verbs,
		tasks: map[string]*task{}, confirming: make(chan struct{}, mostConfirms),
	}
	for verb, handle := range verbs {
		err := m.add(verb, func(r micro.Request) { s.respond(r, handle) })
		if err != nil {
			end()
			return nil, errors.Join(err, m.Stop())
		}
	}
	if m.leave, err = s.join(ctx, end, d); err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	return m, nil
}

// respond answers a control request with what its handler returns.
func (s *Service) respond(r micro.Request, handle func(micro.Request) (any, error)) {
	out, err := handle(r)
	switch raw, ready := out.(*protocol.APIReply); {
	case err != nil:
		err = s.refuse(r, err)
	case ready:
		err = r.Respond(raw.Body, micro.WithHeaders(micro.Headers(raw.Header)))
	default:
		err = r.RespondJSON(s.fit(out))
	}
	s.failed(r, err)
}

// handler returns what answers a verb of Verbs.
func (s *Service) handler(h protocol.APIHandler) handler {
	return func(r micro.Request) (any, error) {
		return h.Answer(s.context(r), &protocol.APIRequest{Header: protocol.Header(r.Headers()), Body: r.Data(),
			Room: s.room()})
	}
}

// failed logs why a request was not answered, if it was not.
func (s *Service) failed(r micro.Request, err error) {
	if err != nil {
		s.Log.Error("control request not answered", "subject", r.Subject(), "err", err)
	}
}

// refuse answers a control request with an error, and logs it.
func (s *Service) refuse(r micro.Request, err error) error {
	id := cmp.Or(protocol.CleanValue(r.Headers().Get(protocol.HeaderID), protocol.MaxID), rand.Text())
	e := answered(err, id)
	level := slog.LevelInfo // whoever asked is told what is wrong
	if e.Code >= protocol.CodeFailed {
		level = slog.LevelError
	}
	s.Log.Log(s.open, level, "control request failed", "subject", r.Subject(), "id", id, "code", e.Code, "err", err)
	return r.Error(strconv.Itoa(e.Code), protocol.CleanValue(e.Error(), protocol.MaxErrorText), []byte(e.Error()+"\n"))
}
