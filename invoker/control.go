package invoker

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strconv"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/module"
)

// deployTimeout bounds one deployment, compilation included.
const deployTimeout = 4 * time.Minute

// controlTimeout bounds every other verb.
const controlTimeout = 10 * time.Second

// serveControl answers the control verbs as the NATS service polyvoke. Its endpoints handle
// one request at a time, which is what their figures need and what verbs can bear.
func (v *Invoker) serveControl() (micro.Service, error) {
	s, err := micro.AddService(v.nc, micro.Config{
		Name: "polyvoke", Version: v.Version, Description: "control of polyvoke's functions",
	})
	if err != nil {
		return nil, err
	}
	for verb, handle := range map[protocol.APIVerb]func(micro.Request) (any, error){
		protocol.APIDeploy:     v.deploy,
		protocol.APIList:       v.list,
		protocol.APIInfo:       v.tell,
		protocol.APIRemove:     v.remove,
		protocol.APIRuntimes:   v.listRuntimes,
		protocol.APIRuntimeAdd: v.addRuntime,
		protocol.APIRuntimePin: v.pinRuntime,
	} {
		err := s.AddEndpoint(string(verb), micro.HandlerFunc(func(r micro.Request) { v.respond(r, handle) }),
			micro.WithEndpointSubject(verb.Subject()))
		if err != nil {
			return nil, errors.Join(err, s.Stop())
		}
	}
	return s, v.roundTrip()
}

// respond answers a control request with what its handler returns.
func (v *Invoker) respond(r micro.Request, handle func(micro.Request) (any, error)) {
	out, err := handle(r)
	if err == nil {
		err = r.RespondJSON(out)
	} else {
		known := asError(err)
		level := slog.LevelInfo // whoever asked is told what is wrong
		if known.Code >= protocol.CodeFailed {
			level = slog.LevelError
		}
		v.Log.Log(v.open, level, "control request failed", "subject", r.Subject(), "code", known.Code, "err", err)
		text := protocol.CleanValue(known.Error(), protocol.MaxErrorText)
		err = r.Error(strconv.Itoa(known.Code), text, []byte(known.Error()+"\n"))
	}
	if err != nil {
		v.Log.Error("control request not answered", "subject", r.Subject(), "err", err)
	}
}

// deploy checks a module, stores it as a function's next version, and answers when the
// next call will work.
func (v *Invoker) deploy(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(v.open, deployTimeout)
	defer cancel()
	header := protocol.Header(r.Headers())
	manifest := header.Get(protocol.HeaderManifest)
	if manifest == "" {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "deploy", `header %s is missing: it has the manifest, such as {"name":"greet"}`, protocol.HeaderManifest)
	}
	f, err := protocol.ParseFunction([]byte(manifest))
	if err != nil {
		return nil, err
	}
	if err := v.settle(ctx, &f); err != nil {
		return nil, err
	}
	bytes, err := v.upload(ctx, header, r.Data(), v.MaxModule)
	if err != nil {
		return nil, err
	}
	f.Digest = protocol.Digest(bytes)
	if f.Runtime == "" {
		if err := v.look(&f, bytes); err != nil {
			return nil, err
		}
	}
	v.Journal.Pardon(f.Digest)
	p, err := v.program(ctx, &f, bytes)
	if err != nil {
		return nil, deployError(f.Name, err)
	}
	defer v.programs.Release(p)
	e, created, err := v.Registry.Put(ctx, f, bytes)
	if err != nil {
		return nil, err
	}
	if err := v.await(ctx, e.Latest()); err != nil {
		return nil, err
	}
	warnings := append(subjects.Confirm(ctx, v.nc, f.Name), v.warnings(ctx, e)...)
	return protocol.DeployReply{Function: *e.Latest(), Created: created, Warnings: warnings}, nil
}

// look sees what language a module is made of, and refuses one that is too large: those of interpreters may be larger.
func (v *Invoker) look(f *protocol.Function, bytes []byte) error {
	m, err := module.Limits{Size: int(v.MaxModule)}.Parse(bytes)
	if err == nil && f.Language == "" {
		f.Language = m.Language()
	}
	if int64(len(bytes)) > v.MaxModule {
		return protocol.Errorf(protocol.CodeRefused, "deploy "+f.Name, "%w", err)
	}
	return nil // whatever else is wrong, the runtime says better
}

// upload returns what comes with a request, which is its body or an object, up to a size.
func (v *Invoker) upload(ctx context.Context, header protocol.Header, body []byte, most int64) ([]byte, error) {
	claim, err := protocol.ParseClaim(header)
	if err != nil || claim == nil {
		return body, err
	}
	if v.bodies == nil {
		return nil, protocol.Errorf(protocol.CodeUnavailable, "deploy", "a module as an object needs JetStream on the NATS server")
	}
	return v.bodies.Get(ctx, claim, most)
}

// deployError turns the reason why a module cannot be run into the answer for its author.
func deployError(name string, err error) error {
	if m := refused(err); m != nil {
		return &protocol.Error{Code: protocol.CodeRefused, Op: "deploy " + name, Msg: m.Reason, Err: m.Err}
	}
	return err
}

// warnings tells what the author of a deployed function should know about its subjects. What cannot be
// found out is left out.
func (v *Invoker) warnings(ctx context.Context, e registry.Entry) []string {
	out := subjects.Loops(e.Latest())
	for _, s := range subjects.Of(e) {
		out = append(out, subjects.Captured(ctx, v.js, s)...)
	}
	all, err := v.Registry.List(ctx)
	if err != nil {
		v.Log.Warn("routes not compared", "function", e.Name, "err", err)
	}
	for _, other := range all {
		if other.Name != e.Name {
			out = append(out, subjects.Overlaps(e.Latest(), other.Latest())...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// list answers with the latest version of every function.
func (v *Invoker) list(micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(v.open, controlTimeout)
	defer cancel()
	all, err := v.Registry.List(ctx)
	if err != nil {
		return nil, err
	}
	out := protocol.ListReply{Functions: []protocol.Function{}}
	for _, e := range all {
		out.Functions = append(out.Functions, *e.Latest())
	}
	return out, nil
}

// tell answers with everything about one function.
func (v *Invoker) tell(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(v.open, controlTimeout)
	defer cancel()
	q, err := protocol.ParseNameRequest(r.Data())
	if err != nil {
		return nil, err
	}
	e, err := v.Registry.Find(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	out := protocol.InfoReply{Function: *e.Latest(), Versions: e.Versions}
	if f := v.function(q.Name); f != nil {
		out.Stats = f.figures(f.calls.Figures())
	}
	return out, nil
}

// remove deletes a function, and answers when this invoker serves it no more.
func (v *Invoker) remove(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(v.open, controlTimeout)
	defer cancel()
	q, err := protocol.ParseNameRequest(r.Data())
	if err != nil {
		return nil, err
	}
	e, err := v.Registry.Delete(ctx, q.Name)
	if err != nil {
		return nil, err
	}
	if len(e.Versions) > 0 { // otherwise its record could not be read, and it was never served
		err = v.awaitGone(ctx, e.Latest())
	}
	return protocol.RemoveReply{Removed: q.Name, Versions: len(e.Versions)}, err
}

// awaitGone waits until a deleted version is not served here any more. Calls of it that still
// run may hold that up; then it is enough that no new one comes.
func (v *Invoker) awaitGone(ctx context.Context, m *protocol.Function) error {
	for {
		changed := v.applied.next()
		if served, _ := v.serves(m); !served {
			return nil
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return protocol.Errorf(protocol.CodeUnavailable, "", "%s is deleted, but calls of it still run", m.Name)
		}
	}
}
