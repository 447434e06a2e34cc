// Package audit keeps who has asked for which change, and what came of it.
//
// In go entries, one before a change and one after it; they are messages of the stream protocol.StreamAudit. Each is
// stored once, however often and by however many invokers it is put there: the server knows the ids of the last while.
// The stream is made when the first entry is stored, and made again by the next one after it was deleted.
package audit

import (
	"context"
	"encoding/json"
	"errors"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/denials"
	"github.com/polyvoke/polyvoke/protocol"
)

// What the stream keeps.
const (
	MaxAge   = 400 * 24 * time.Hour
	MaxBytes = 256 << 20

	// Window is for how long the server knows the ids of entries. A client asks again for minutes.
	Window = 10 * time.Minute

	fewBytes = 16 << 20 // if the server has no room for MaxBytes
	maxEntry = 16 << 10 // size of the largest message
)

const (
	keepTime  = 10 * time.Second       // how long an entry may take
	tryTime   = 2 * time.Second        // how long one try may take
	tryPause  = 100 * time.Millisecond // between two
	readTime  = 2 * time.Second        // how long the look at who has deployed a version may take
	noRoom    = 10047                  // with which a server says that it has no room (JSStorageResourcesExceededErr)
	noMessage = "the audit stream " + protocol.StreamAudit + " does not take an entry: "
)

// Config configures a Log.
type Config struct {
	Replicas int          // copies that a cluster keeps; 0: 1
	Required bool         // what cannot be audited is not done
	Log      *slog.Logger // nil: nothing is logged
}

// Log is the audit. Its methods may be called from several goroutines.
type Log struct {
	js      jetstream.JetStream
	config  Config
	denials *denials.Watch
}

// New returns the audit on js. It makes nothing. The connection's ErrorHandler must not be set again afterwards.
func New(js jetstream.JetStream, c Config) *Log {
	if c.Replicas == 0 {
		c.Replicas = 1
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	return &Log{js: js, config: c, denials: denials.On(js.Conn(), nil)}
}

// Put stores an entry. known reports that it was stored before. If it cannot be stored, that is logged, and is an error
// with code 503 if the audit is required.
func (l *Log) Put(ctx context.Context, e *protocol.AuditEntry) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, keepTime)
	defer cancel()
	data, err := json.Marshal(e)
	if err != nil {
		return false, err
	}
	known, err = l.publish(ctx, &nats.Msg{Subject: e.Subject(), Data: data}, e.MessageID())
	if err == nil {
		return known, nil
	}
	l.config.Log.Error("a change is missing in the audit", "verb", e.Verb, "function", e.Function, "phase", e.Phase,
		"id", e.ID, "err", err)
	if !l.config.Required {
		return false, nil
	}
	text := noMessage + "%w: nothing is changed until it does (polyvoke serve --audit required)"
	if e.Phase != protocol.AuditBegin {
		text = noMessage + "%w: the change itself may have been made; ask again"
	}
	return false, protocol.Errorf(protocol.CodeUnavailable, "audit", text, err)
}

// publish stores a message, and tries again as long as it may be of use.
func (l *Log) publish(ctx context.Context, m *nats.Msg, id string) (known bool, err error) {
	ctx, refused := l.denials.During(ctx, func(d denials.Denial) bool {
		return d.Subject == m.Subject || strings.HasPrefix(d.Subject, "$JS.API.STREAM.CREATE."+protocol.StreamAudit)
	})
	defer func() { err = refused(err) }()
	for {
		known, err = l.once(ctx, m, id)
		if err == nil || ctx.Err() != nil || !passing(err) {
			return known, err
		}
		select {
		case <-ctx.Done():
			return false, err
		case <-time.After(tryPause):
		}
	}
}

// once tries to store a message, in a stream that it makes if there is none.
func (l *Log) once(ctx context.Context, m *nats.Msg, id string) (known bool, err error) {
	ctx, cancel := context.WithTimeout(ctx, tryTime)
	defer cancel()
	put := func() error {
		ack, err := l.js.PublishMsg(ctx, m, jetstream.WithMsgID(id), jetstream.WithRetryAttempts(0),
			jetstream.WithExpectStream(protocol.StreamAudit))
		known = err == nil && ack.Duplicate
		return err
	}
	if err = put(); errors.Is(err, jetstream.ErrNoStreamResponse) {
		if err = l.create(ctx); err == nil {
			err = put()
		}
	}
	return known, err
}

// passing reports whether an error is one that another try may not have.
func passing(err error) bool {
	var socket *net.OpError
	if errors.As(err, &socket) {
		return true
	}
	for _, e := range []error{
		nats.ErrTimeout, context.DeadlineExceeded, nats.ErrDisconnected, nats.ErrConnectionReconnecting,
		nats.ErrConnectionClosed, jetstream.ErrNoStreamResponse,
	} {
		if errors.Is(err, e) {
			return true
		}
	}
	return false
}

// create makes the stream if it is missing. One that exists keeps its settings.
func (l *Log) create(ctx context.Context) (err error) {
	for _, size := range []int64{MaxBytes, fewBytes} {
		_, err = l.js.CreateStream(ctx, jetstream.StreamConfig{Name: protocol.StreamAudit,
			Description: "polyvoke: who has asked for which change, and what came of it",
			Subjects:    []string{protocol.RootAudit + ".>"},
			MaxAge:      MaxAge, MaxBytes: size, MaxMsgSize: maxEntry, Discard: jetstream.DiscardOld, Duplicates: Window,
			DenyDelete: true, DenyPurge: true, AllowDirect: true, Compression: jetstream.S2Compression,
			Replicas: l.config.Replicas})
		if errors.Is(err, jetstream.ErrStreamNameAlreadyInUse) {
			return nil
		}
		var api *jetstream.APIError
		if !errors.As(err, &api) || api.ErrorCode != noRoom {
			return err
		}
	}
	return err
}

// Deployed returns the entry of the deployment that has made a version, or nil if the audit does not have it.
func (l *Log) Deployed(ctx context.Context, f *protocol.Function) *protocol.AuditEntry {
	ctx, cancel := context.WithTimeout(ctx, readTime)
	defer cancel()
	s, err := l.js.Stream(ctx, protocol.StreamAudit)
	if err != nil {
		return nil // there is none yet, or it says nothing now
	}
	m, err := s.GetLastMsgForSubject(ctx,
		protocol.AuditSubject(string(protocol.APIDeploy), f.Name, string(protocol.AuditDone)))
	if err != nil {
		return nil
	}
	e, err := protocol.ParseAuditEntry(m.Data)
	if err != nil || e.Version != f.Version || e.Digest != f.Digest {
		return nil // of a version before, or of a function that was removed
	}
	return &e
}
