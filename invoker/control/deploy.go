package control

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/nats-io/nats.go"
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
		return nil, protocol.Errorf(protocol.CodeBadRequest, "deploy",
			`header %s is missing: set it to the manifest, such as {"name":"greet"}`, protocol.HeaderManifest)
	}
	f, err := protocol.ParseFunction([]byte(manifest))
	if err != nil {
		return nil, err
	}
	if err := Check(&f, s.Line); err != nil {
		return nil, err
	}
	if err := s.safe(ctx, &f); err != nil {
		return nil, err
	}
	if err := s.settle(ctx, &f); err != nil {
		return nil, err
	}
	var bytes []byte
	err = again(ctx, func() (err error) {
		bytes, err = s.module(ctx, f.Name, header, r.Data())
		return err
	})
	if err != nil {
		return nil, err
	}
	f.Digest = protocol.Digest(bytes)
	if f.Runtime == "" {
		s.look(&f, bytes)
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
	warnings := slices.Concat(dropped(e), Advice(e.Latest(), bytes), subjects.Confirm(ctx, s.JetStream.Conn(), f.Name),
		s.confirmed(ctx, confirmOf(e.Latest()), time.Since(begun)), s.warnings(ctx, e, created))
	reply := protocol.DeployReply{Function: *e.Latest(), Created: created, Warnings: warnings}
	if reply.Held = s.heldBack(ctx, e); reply.Held != "" {
		reply.Warnings = append([]string{reply.Held}, reply.Warnings...)
	}
	return reply, nil
}

// confirmOf asks about a version.
func confirmOf(f *protocol.Function) protocol.ConfirmRequest {
	return protocol.ConfirmRequest{Name: f.Name, Version: f.Version, Created: f.Created}
}

// look sees what language a module is made of.
func (s *Service) look(f *protocol.Function, bytes []byte) {
	m, err := module.Limits{Size: int(s.MaxModule)}.Parse(bytes)
	if err == nil && f.Language == "" { // whatever is wrong, the runtime says better
		f.Language = m.Language()
	}
}

// module returns the module or the script of a function, which comes with a request. The error is 422 if it is too
// large.
func (s *Service) module(ctx context.Context, name string, header protocol.Header, body []byte) ([]byte, error) {
	claim, err := protocol.ParseClaim(header)
	if err != nil {
		return nil, err
	}
	size := int64(len(body))
	if claim != nil {
		size = claim.Size
	}
	if err := CheckSize(name, size, s.MaxModule); err != nil {
		return nil, err
	}
	bytes, err := s.upload(ctx, header, body, s.MaxModule)
	if protocol.CodeOf(err) == protocol.CodeTooLarge { // it is larger than the claim says
		return nil, CheckSize(name, s.MaxModule+1, s.MaxModule)
	}
	return bytes, err
}

// upload returns what comes with a request, which is its body or an object, up to a size.
func (s *Service) upload(ctx context.Context, header protocol.Header, body []byte, most int64) ([]byte, error) {
	claim, err := protocol.ParseClaim(header)
	if err != nil || claim == nil {
		return body, err
	}
	if s.Bodies == nil {
		return nil, protocol.Errorf(protocol.CodeUnavailable, "deploy",
			"a module as an object needs JetStream on the NATS server")
	}
	return s.Bodies.Get(ctx, claim, most)
}

// deployError turns the reason why a module cannot be run into the answer for its author.
func deployError(name string, err error) error {
	var m *runtimes.ModuleError
	if errors.As(err, &m) {
		return &protocol.Error{Code: protocol.CodeRefused, Op: "deploy " + name, Msg: m.Reason, Err: m.Err}
	}
	var busy *runtimes.BusyError
	if errors.As(err, &busy) {
		return &protocol.Error{Code: protocol.CodeUnavailable, Op: "deploy " + name, Msg: busy.Reason}
	}
	return err
}

// dropped says which versions the deployment of an entry has dropped.
func dropped(e registry.Entry) []string {
	if len(e.Dropped) == 0 {
		return nil
	}
	which := fmt.Sprintf("version %d is", e.Dropped[0])
	switch n, last := len(e.Dropped), e.Dropped[len(e.Dropped)-1]; {
	case n > 1 && last-e.Dropped[0] == n-1:
		which = fmt.Sprintf("versions %d to %d are", e.Dropped[0], last)
	case n > 1:
		which = fmt.Sprintf("%d versions from %d to %d are", n, e.Dropped[0], last)
	}
	why := fmt.Sprintf("the newest %d are", registry.KeepVersions)
	if len(e.Versions) < registry.KeepVersions {
		why = fmt.Sprintf("the manifests of the newest %d take up all the room that the server's max_payload leaves, "+
			"so only these are", len(e.Versions))
	}
	return []string{fmt.Sprintf("%s %s gone: %s kept", e.Name, which, why)}
}

// warnings returns what the author of a deployed function should know about it and its subjects. What cannot be found
// out is left out. The owners of functions that a new version overlaps get a warning too.
func (s *Service) warnings(ctx context.Context, e registry.Entry, created bool) []string {
	ctx, cancel := context.WithTimeout(ctx, warningTime) // an answer that was lost never comes
	defer cancel()
	out := slices.Concat(s.loops(ctx, e.Latest()), s.empty(ctx, e.Latest()), s.missing(ctx, e.Latest()))
	if created && s.Host.Idle(ctx, e.Latest()) {
		out = append(out, idle(e.Latest()))
	}
	for _, subject := range subjects.Of(e) {
		out = append(out, subjects.Captured(ctx, s.JetStream, subject)...)
	}
	for _, other := range s.Host.Overlapping(e.Latest()) {
		overlaps := subjects.Overlaps(e.Latest(), other)
		out = append(out, overlaps...)
		if created {
			s.tellOwner(other, e.Latest(), overlaps)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// idle is the warning for a program that reads no request and writes no reply.
func idle(f *protocol.Function) string {
	return fmt.Sprintf("%s neither reads its stdin nor writes to its stdout, so each call gets an empty reply: "+
		"a function is a program that reads its request from stdin and writes its reply to stdout; "+
		"docs/coming-from-lambda.md shows how to turn a handler into one", f.Name)
}

// tellOwner says in the log of a function which routes of a new version overlap its own: its owner has not asked for
// it.
func (s *Service) tellOwner(owner, f *protocol.Function, overlaps []string) {
	const most = 10 // of up to MaxTriggers by MaxTriggers
	for _, text := range overlaps[:min(len(overlaps), most)] {
		line := protocol.LogLine{Function: owner.Ref(), Platform: true,
			Text: fmt.Sprintf("%s was deployed: %s", f.Ref(), text)}
		h, body := line.Message()
		_ = s.JetStream.Conn().PublishMsg(&nats.Msg{Subject: protocol.LogSubject(owner.Name), Header: nats.Header(h),
			Data: body}) // as other lines
	}
}
