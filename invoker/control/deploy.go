package control

import (
	"context"
	"errors"
	"slices"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
)

// deployTimeout bounds one deployment, compilation included.
const deployTimeout = 4 * time.Minute

// warningTime is how long a deployment, which is done, waits for what its author should know beside.
const warningTime = 3 * time.Second

// deploy checks a module, stores it as a function's next version, and answers when the
// next call will work.
func (s *Service) deploy(r micro.Request) (any, error) {
	begun := time.Now()
	ctx, cancel := context.WithTimeout(s.context(r), deployTimeout)
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
	if err := s.settle(ctx, &f); err != nil {
		return nil, err
	}
	var bytes []byte
	err = again(ctx, func() (err error) {
		bytes, err = s.upload(ctx, header, r.Data(), s.MaxModule)
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Digest = protocol.Digest(bytes)
	if f.Runtime == "" {
		if err := s.look(&f, bytes); err != nil {
			return nil, err
		}
	}
	release, err := s.Host.Try(ctx, &f, bytes, header.Get(protocol.HeaderEdit) == "1")
	if err != nil {
		return nil, deployError(f.Name, err)
	}
	defer release()
	e, created, err := s.put(ctx, f, bytes)
	if err != nil {
		return nil, err
	}
	if err := s.Host.Await(ctx, e.Latest()); err != nil {
		return nil, err
	}
	warnings := append(subjects.Confirm(ctx, s.NC, f.Name), s.confirmed(ctx, e.Latest(), time.Since(begun))...)
	warnings = append(warnings, s.warnings(ctx, e)...)
	return protocol.DeployReply{Function: *e.Latest(), Created: created, Warnings: warnings}, nil
}

// look sees what language a module is made of, and refuses one that is too large: those of interpreters may be larger.
func (s *Service) look(f *protocol.Function, bytes []byte) error {
	m, err := module.Limits{Size: int(s.MaxModule)}.Parse(bytes)
	if err == nil && f.Language == "" {
		f.Language = m.Language()
	}
	if int64(len(bytes)) > s.MaxModule {
		return protocol.Errorf(protocol.CodeRefused, "deploy "+f.Name, "%w", err)
	}
	return nil // whatever else is wrong, the runtime says better
}

// upload returns what comes with a request, which is its body or an object, up to a size.
func (s *Service) upload(ctx context.Context, header protocol.Header, body []byte, most int64) ([]byte, error) {
	claim, err := protocol.ParseClaim(header)
	if err != nil || claim == nil {
		return body, err
	}
	if s.Bodies == nil {
		return nil, protocol.Errorf(protocol.CodeUnavailable, "deploy", "a module as an object needs JetStream on the NATS server")
	}
	return s.Bodies.Get(ctx, claim, most)
}

// deployError turns the reason why a module cannot be run into the answer for its author.
func deployError(name string, err error) error {
	var m *runtimes.ModuleError
	if errors.As(err, &m) {
		return &protocol.Error{Code: protocol.CodeRefused, Op: "deploy " + name, Msg: m.Reason, Err: m.Err}
	}
	return err
}

// warnings tells what the author of a deployed function should know about its subjects. What cannot be
// found out is left out.
func (s *Service) warnings(ctx context.Context, e registry.Entry) []string {
	ctx, cancel := context.WithTimeout(ctx, warningTime) // an answer that was lost never comes
	defer cancel()
	out := subjects.Loops(e.Latest())
	for _, subject := range subjects.Of(e) {
		out = append(out, subjects.Captured(ctx, s.JetStream, subject)...)
	}
	all, err := s.Registry.List(ctx)
	if err != nil {
		s.Log.Warn("routes not compared", "function", e.Name, "err", err)
	}
	for _, other := range all {
		if other.Name != e.Name {
			out = append(out, subjects.Overlaps(e.Latest(), other.Latest())...)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
