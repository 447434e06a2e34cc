package control

import (
	"cmp"
	"context"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

// maxRuntime is the size of the largest bundle of an interpreter, in bytes.
const maxRuntime = 128 << 20

// errNoScripts is what an invoker without interpreters says.
func errNoScripts() error {
	return protocol.Errorf(protocol.CodeUnavailable, "",
		"this invoker runs no scripts: deploy a module, or ask another invoker")
}

// settle makes a script's manifest say which version of its interpreter runs it, for good, and takes from that the
// language and the memory that the manifest does not name.
func (s *Service) settle(ctx context.Context, f *protocol.Function) error {
	if f.Runtime == "" {
		return nil
	}
	if s.Interpreters == nil {
		return errNoScripts()
	}
	i, err := s.Interpreters.Find(ctx, f.Runtime)
	if err != nil {
		return err
	}
	f.Runtime, f.Language = i.Ref().String(), cmp.Or(f.Language, i.Language)
	f.Limits.Memory = cmp.Or(f.Limits.Memory, i.Limits.Memory)
	return nil
}

// addRuntime stores an interpreter, for all invokers.
func (s *Service) addRuntime(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), deployTimeout)
	defer cancel()
	if s.Interpreters == nil {
		return nil, errNoScripts()
	}
	bundle, err := s.upload(ctx, protocol.Header(r.Headers()), r.Data(), maxRuntime)
	if err != nil {
		return nil, err
	}
	f, created, err := s.Interpreters.Add(ctx, bundle)
	return protocol.DeployReply{Function: f, Created: created}, err
}

// pinRuntime makes a version of an interpreter the one for what is deployed from now on.
func (s *Service) pinRuntime(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), deployTimeout)
	defer cancel()
	if s.Interpreters == nil {
		return nil, errNoScripts()
	}
	ref, err := protocol.ParseRefRequest(r.Data())
	if err != nil {
		return nil, err
	}
	f, created, err := s.Interpreters.Pin(ctx, ref.String())
	return protocol.DeployReply{Function: f, Created: created}, err
}

// listRuntimes answers with the newest version of each interpreter, page by page.
func (s *Service) listRuntimes(r micro.Request) (any, error) {
	ctx, cancel := context.WithTimeout(s.context(r), controlTimeout)
	defer cancel()
	if s.Interpreters == nil {
		return protocol.ListReply{Functions: []protocol.Function{}}, nil
	}
	q, err := protocol.ParseListRequest(r.Data())
	if err != nil {
		return nil, err
	}
	return s.pageOf(ctx, &s.languages, q, s.room(), s.Interpreters.List)
}
