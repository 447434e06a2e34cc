package doctor

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/subjects"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// natsTime is how long all checks of NATS may take together.
	natsTime = 9 * time.Second
	// smallPayload is a max_payload below which most bodies go through the object store.
	smallPayload = 64 << 10
	// littleRoom is the share of JetStream's room that is worth a warning, in percent.
	littleRoom = 90
)

// checkNATS looks at the way to NATS and at what is there.
func (c *Config) checkNATS(ctx context.Context) (r results) {
	ctx, cancel := context.WithTimeout(ctx, natsTime)
	defer cancel()
	if c.Err != nil {
		r.add("settings", Problem, protocol.MessageOf(c.Err),
			"correct the flag, the variable or the context that it names")
		return r
	}
	url := connect.Redact(c.Settings.Server)
	r.ok("settings", "%s (%s), %s", url, c.Origin, credentials(c.Settings))
	s, err := c.Connect()
	if err != nil {
		r.problem("server", err)
		return r
	}
	defer s.Close()
	c.checkServer(&r, s)
	c.checkLine(ctx, &r, s)
	c.checkJetStream(ctx, &r, s)
	c.checkPermissions(ctx, &r, s)
	c.checkInvokers(ctx, &r, s, c.checkJobs(ctx, &r, s))
	return r
}

// checkServer looks at what the server says about itself.
func (c *Config) checkServer(r *results, s *connect.Session) {
	begun := time.Now()
	err := s.FlushTimeout(checkTime)
	rtt := time.Since(begun)
	if err != nil {
		r.add("server", Problem, "the connection broke: "+err.Error(), "look for a proxy or a firewall in between")
		return
	}
	tls := ""
	if _, err := s.TLSConnectionState(); err == nil {
		tls = ", TLS"
	}
	r.ok("server", "NATS %s, name %s, round trip %s%s", s.ConnectedServerVersion(), s.ConnectedServerName(),
		rtt.Round(10*time.Microsecond), tls)
	if !s.HeadersSupported() {
		r.add("headers", Problem, "the server does not support headers",
			"set no_header_support: false in the server's configuration")
	}
	most := s.MaxPayload()
	if most < smallPayload {
		r.add("max_payload", Warning, terminal.Bytes(most)+": most bodies will go through the object store",
			"raise max_payload in the server's configuration: 1MB is its default")
	} else {
		r.ok("max_payload", "%s; larger bodies go through the object store", terminal.Bytes(most))
	}
}

// checkLine looks for the longest protocol line.
func (c *Config) checkLine(ctx context.Context, r *results, s *connect.Session) {
	type answer struct {
		line int
		err  error
	}
	answers := make(chan answer, 1)
	go func() { // it ends with its probes, each of which has a time
		line, err := subjects.Line(s.Conn)
		answers <- answer{line, err}
	}()
	select {
	case a := <-answers:
		switch {
		case a.err != nil:
			r.add("control line", Note, "max_control_line could not be determined: "+a.err.Error(), "")
		case a.line < protocol.DefaultLine:
			r.add("control line", Warning,
				fmt.Sprintf("max_control_line is about %d bytes: subjects with many arguments are refused", a.line),
				"raise max_control_line in the server's configuration: 4KB is its default")
		default:
			r.ok("control line", "max_control_line is %d bytes or more", a.line)
		}
	case <-time.After(checkTime):
		r.add("control line", Note, "max_control_line could not be determined in time", "")
	case <-ctx.Done():
	}
}

// checkJetStream looks whether JetStream is there, and has room.
func (c *Config) checkJetStream(ctx context.Context, r *results, s *connect.Session) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	asking, permitted := s.Permitted(ctx, "")
	info, err := s.JS.AccountInfo(asking)
	err = permitted(err)
	switch {
	case errors.Is(err, jetstream.ErrJetStreamNotEnabled), errors.Is(err, nats.ErrNoResponders),
		errors.Is(err, jetstream.ErrJetStreamNotEnabledForAccount):
		r.add("JetStream", Problem, "it is off for this account",
			"start the server with jetstream {}, or enable it for the account; for one in another domain give --js-domain")
		return
	case protocol.CodeOf(err) == protocol.CodeForbidden:
		r.add("JetStream", Note, "this user may not ask about it, so recent logs and bodies over max_payload fail",
			"docs/permissions.md says what each user needs")
		return
	case err != nil:
		r.add("JetStream", Problem, "no answer: "+err.Error(),
			"check that its cluster has a leader and that the domain is right (--js-domain)")
		return
	}
	used, most := info.Store, info.Limits.MaxStore
	switch {
	case most > 0 && used*100 >= uint64(most)*littleRoom:
		r.add("JetStream", Warning,
			fmt.Sprintf("%s of %s are in use", terminal.Bytes(int64(used)), terminal.Bytes(most)),
			"raise the account's limit, or remove streams: nats stream ls")
	case most > 0:
		r.ok("JetStream", "on, %s of %s in use, %s", terminal.Bytes(int64(used)), terminal.Bytes(most),
			terminal.Plural(info.Streams, "stream"))
	default:
		r.ok("JetStream", "on, %s in use, no limit for this account, %s", terminal.Bytes(int64(used)),
			terminal.Plural(info.Streams, "stream"))
	}
	c.checkStore(ctx, r, s)
}

// checkStore looks at what polyvoke keeps on JetStream.
func (c *Config) checkStore(ctx context.Context, r *results, s *connect.Session) {
	asking, permitted := s.Permitted(ctx, "")
	kv, err := s.JS.KeyValue(asking, registry.BucketFunctions)
	var functions jetstream.KeyValueStatus
	if err == nil {
		functions, err = kv.Status(asking)
	}
	if err = permitted(err); errors.Is(err, jetstream.ErrBucketNotFound) {
		r.add("store", Note, "polyvoke has stored nothing on JetStream yet", "the first polyvoke serve creates its streams")
		return
	}
	if err != nil {
		r.add("store", Note, "it cannot be read: "+protocol.MessageOf(err), "")
		return
	}
	replicas := ""
	if status, ok := functions.(*jetstream.KeyValueBucketStatus); ok {
		replicas = ", " + terminal.Plural(status.StreamInfo().Config.Replicas, "replica")
	}
	asking, permitted = s.Permitted(ctx, "")
	modules := ""
	if store, err := s.JS.ObjectStore(asking, registry.BucketModules); permitted(err) == nil {
		if status, err := store.Status(ctx); err == nil {
			modules = ", modules " + terminal.Bytes(int64(status.Size()))
		}
	}
	r.ok("store", "records %s%s%s", terminal.Bytes(int64(functions.Bytes())), modules, replicas)
}

// checkPermissions tries what every client needs.
func (c *Config) checkPermissions(ctx context.Context, r *results, s *connect.Session) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	var denied []string
	for _, try := range []struct{ what, subject string }{
		{"call functions (publish on fn.>)", protocol.RootCall + ".polyvoke-doctor." +
			nats.NewInbox()[len(nats.InboxPrefix):]},
		{"deploy and list (publish on polyvoke.api.>)", protocol.APIPing.Subject()},
	} {
		asking, permitted := s.Permitted(ctx, try.subject)
		_, err := s.RequestWithContext(asking, try.subject, nil)
		if protocol.CodeOf(permitted(err)) == protocol.CodeForbidden {
			denied = append(denied, try.what)
		}
	}
	subject := protocol.RootLog + ".>"
	sub, err := s.SubscribeSync(subject)
	if err == nil {
		err = s.Listening(ctx, subject)
		_ = sub.Unsubscribe()
	}
	if protocol.CodeOf(err) == protocol.CodeForbidden {
		denied = append(denied, "read logs (subscribe to log.>)")
	}
	if denied != nil {
		r.add("permissions", Warning, "this user may not "+strings.Join(denied, ", nor "),
			"use other credentials, or change its permissions: docs/permissions.md")
		return
	}
	r.ok("permissions", "this user may call, deploy and read logs")
}

// checkInvokers asks which invokers are there.
func (c *Config) checkInvokers(ctx context.Context, r *results, s *connect.Session, jobs streams) {
	ctx, cancel := context.WithTimeout(ctx, 2*checkTime) // where none is, the client waits for one to start
	defer cancel()
	members, err := s.Invokers(ctx)
	switch code := protocol.CodeOf(err); {
	case code == protocol.CodeUnavailable, code == protocol.CodeTimeout:
		r.add("invokers", Problem, "no invoker answers on "+s.URL, "start one with polyvoke serve --server "+s.URL)
		return
	case err != nil:
		r.problem("invokers", err)
		return
	}
	by := map[string]int{}
	var names []string
	for _, m := range members {
		by[m.Version]++
		names = append(names, m.String()+", "+m.Version)
	}
	found := terminal.Plural(len(members), "invoker") + ": " + strings.Join(names[:min(len(names), 5)], ", ")
	if len(names) > 5 {
		found += ", ..."
	}
	switch {
	case len(by) > 1:
		r.add("invokers", Warning, found,
			"their versions differ: update the older ones, or functions that need the newer are served by those alone")
	case by[c.Version] == 0:
		r.add("invokers", Note, found,
			"this command is of version "+c.Version+": use the invokers' version if they disagree")
	default:
		r.ok("invokers", "%s", found)
	}
	c.checkDurability(ctx, r, s)
	c.checkFunctions(ctx, r, s, jobs)
}

// checkFunctions looks for records that are damaged, and for queues without a function.
func (c *Config) checkFunctions(ctx context.Context, r *results, s *connect.Session, jobs streams) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	all, err := s.ListAll(ctx)
	if err != nil {
		r.add("functions", Problem, "they cannot be listed: "+protocol.MessageOf(err), "polyvoke serve logs why")
		return
	}
	jobs.checkOrphans(r, all)
	checkSchedules(r, all.Functions, time.Now())
	for i, d := range all.Damaged {
		if i == 5 {
			r.add("functions", Problem, fmt.Sprintf("%d more records are damaged", len(all.Damaged)-i),
				"polyvoke ls lists all")
			break
		}
		name := protocol.CleanValue(d.Name, protocol.MaxErrorText)
		r.add("functions", Problem,
			"the record of "+name+" is damaged: "+protocol.CleanValue(d.Reason, protocol.MaxErrorText),
			"remove it with polyvoke rm "+name+", and deploy it again")
	}
	checkUnserved(r, all.Unserved)
	if len(all.Damaged) == 0 && len(all.Unserved) == 0 {
		r.ok("functions", "%s", terminal.Plural(len(all.Functions), "function"))
	}
}

// checkUnserved reports functions that the invoker that was asked has failed to make ready.
func checkUnserved(r *results, all []protocol.Damage) {
	for i, d := range all {
		if i == 5 {
			r.add("functions", Problem, fmt.Sprintf("%d more functions are not served", len(all)-i), "polyvoke ls lists all")
			return
		}
		name := protocol.CleanValue(d.Name, protocol.MaxErrorText)
		r.add("functions", Problem, name+" is not served: "+protocol.CleanValue(d.Reason, protocol.MaxErrorText),
			"put back what is missing: the invoker tries again within a minute")
	}
}
