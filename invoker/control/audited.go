package control

import (
	"cmp"
	"context"
	"crypto/rand"
	"errors"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/trust"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/exhausted"
)

// Audit keeps what was asked for, and what came of it. Its methods may be called by several goroutines.
type Audit interface {
	// Put stores an entry once, and reports whether it was there before. An error means that nothing may be done
	// without the entry, and is what whoever asked is told.
	Put(ctx context.Context, e *protocol.AuditEntry) (known bool, err error)
	// Deployed returns the entry of the deployment that has made a version, or nil.
	Deployed(ctx context.Context, f *protocol.Function) *protocol.AuditEntry
}

// audited returns the handler of a verb with an entry of the audit before it and one after it, if the verb changes
// anything. A client that gets 503 or 429 asks again, with the same id: that is no outcome yet.
func (s *Service) audited(verb protocol.APIVerb, self protocol.Member, handle handler) handler {
	if s.Audit == nil || !verb.Audited() {
		return handle
	}
	return func(r micro.Request) (any, error) {
		e := protocol.NewAuditEntry(verb, protocol.Header(r.Headers()), r.Data())
		e.ID, e.Invoker, e.Time = cmp.Or(e.ID, rand.Text()), self, time.Now().UTC()
		again, err := s.Audit.Put(s.context(r), &e)
		if err != nil {
			return nil, err
		}
		out, err := handle(r)
		if code := answered(err, e.ID).Code; code == protocol.CodeUnavailable || code == protocol.CodeTooMany {
			return out, err
		}
		e.Again, e.Time = again, time.Now().UTC()
		conclude(&e, out, err)
		if err := s.outcome(context.WithoutCancel(s.context(r)), &e, out); err != nil {
			return nil, err
		}
		return out, err
	}
}

// outcome stores what came of a request. A request that has changed something, and whose outcome was there before, is
// not the one that was sent again but another one that looks the same.
func (s *Service) outcome(ctx context.Context, e *protocol.AuditEntry, out any) error {
	known, err := s.Audit.Put(ctx, e)
	if err == nil && known && changed(out) {
		e.Sum += "." + rand.Text()
		_, err = s.Audit.Put(ctx, e)
	}
	return err
}

// changed reports whether an answer is one that a request which is only sent again never gets.
func changed(out any) bool {
	switch out := out.(type) {
	case protocol.DeployReply:
		return out.Created
	case protocol.RemoveReply:
		return out.Versions > 0
	}
	return false
}

// conclude makes the entry of a request that of its outcome.
func conclude(e *protocol.AuditEntry, out any, err error) {
	e.Phase = protocol.AuditDone
	if err != nil {
		told := answered(err, e.ID)
		if e.Again && e.Verb == protocol.APIRemove && told.Code == protocol.CodeNotFound {
			return // the invoker that had begun has removed it
		}
		e.Phase, e.Code, e.Error = protocol.AuditFailed, told.Code, protocol.CleanValue(told.Error(), protocol.MaxErrorText)
		return
	}
	d, ok := out.(protocol.DeployReply)
	if !ok {
		return
	}
	if !d.Created && !e.Again {
		e.Phase = protocol.AuditSame
	}
	e.Function, e.Version, e.Digest = d.Function.Name, d.Function.Version, d.Function.Digest
	if d.Function.Signature != nil && trust.Verify(&d.Function) == nil {
		e.Signer = d.Function.Signature.Signer
	}
}

// answered returns what whoever asked is told of an error, which may be nil.
func answered(err error, id string) *protocol.Error {
	if err == nil {
		return &protocol.Error{}
	}
	e := protocol.ErrorOf(err, id)
	var used *exhausted.Error
	if e.Code == protocol.CodeFailed && errors.As(exhausted.Of(err), &used) {
		return &protocol.Error{Code: protocol.CodeUnavailable, Msg: used.Error(), Err: err}
	}
	return e
}
