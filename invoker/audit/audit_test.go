package audit_test

import (
	"context"
	"strings"
	"testing"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/audit"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// entry returns one of a deployment.
func entry(id string, phase protocol.AuditPhase) *protocol.AuditEntry {
	return &protocol.AuditEntry{ID: id, Verb: protocol.APIDeploy, Phase: phase, Function: "greet", Version: 3,
		Digest: "sha256:1", Sum: "s"}
}

// messages returns how many messages the audit has.
func messages(t *testing.T, js jetstream.JetStream) uint64 {
	t.Helper()
	s, err := js.Stream(t.Context(), protocol.StreamAudit)
	if err != nil {
		t.Fatal(err)
	}
	i, err := s.Info(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return i.State.Msgs
}

// An entry is stored once, whoever stores it, in a stream that comes by itself, and comes again when it was deleted.
func TestPut(t *testing.T) {
	nc := registrytest.Connect(t, registrytest.StartNATS(t, t.TempDir(), 0))
	js := registrytest.JetStream(t, nc)
	one, other := audit.New(js, audit.Config{Required: true}), audit.New(js, audit.Config{Required: true})
	if e := one.Deployed(t.Context(), &protocol.Function{Name: "greet", Version: 3, Digest: "sha256:1"}); e != nil {
		t.Errorf("without a stream: %+v", e)
	}
	for i, put := range []struct {
		log   *audit.Log
		e     *protocol.AuditEntry
		known bool
	}{
		{one, entry("1", protocol.AuditBegin), false}, {other, entry("1", protocol.AuditBegin), true},
		{one, entry("1", protocol.AuditDone), false}, {other, entry("1", protocol.AuditFailed), true},
		{one, entry("2", protocol.AuditBegin), false}, {other, entry("2", protocol.AuditFailed), false},
	} {
		if known, err := put.log.Put(t.Context(), put.e); err != nil || known != put.known {
			t.Errorf("entry %d: known %t, %v", i, known, err)
		}
	}
	if n := messages(t, js); n != 4 {
		t.Errorf("%d messages", n)
	}
	for version, want := range map[int]bool{3: true, 4: false} {
		e := one.Deployed(t.Context(), &protocol.Function{Name: "greet", Version: version, Digest: "sha256:1"})
		if (e != nil) != want || want && e.Phase != protocol.AuditDone {
			t.Errorf("version %d: %+v", version, e)
		}
	}
	s, err := js.Stream(t.Context(), protocol.StreamAudit)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Purge(t.Context()); err == nil {
		t.Error("the audit can be purged")
	}
	if err := s.DeleteMsg(t.Context(), 1); err == nil {
		t.Error("an entry can be deleted")
	}
	if err := js.DeleteStream(t.Context(), protocol.StreamAudit); err != nil {
		t.Fatal(err)
	}
	if _, err := one.Put(t.Context(), entry("3", protocol.AuditBegin)); err != nil {
		t.Error(err)
	}
	if n := messages(t, js); n != 1 {
		t.Errorf("%d messages in the stream that was made again", n)
	}
}

// What cannot be stored is an error if the audit is required, at once if NATS says why.
func TestPutFails(t *testing.T) {
	denied := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"polyvoke.audit.>"}}}
	o, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true,
		JetStream: true, StoreDir: t.TempDir(),
		Users: []*server.User{{Username: "u", Password: "p", Permissions: denied}}})
	if err != nil {
		t.Fatal(err)
	}
	o.Start()
	t.Cleanup(func() { o.Shutdown(); o.WaitForShutdown() })
	without, err := server.NewServer(&server.Options{Host: "127.0.0.1", Port: -1, NoLog: true, NoSigs: true})
	if err != nil {
		t.Fatal(err)
	}
	without.Start()
	t.Cleanup(func() { without.Shutdown(); without.WaitForShutdown() })
	for what, url := range map[string]string{
		"denied": "nats://u:p@" + o.Addr().String(), "no JetStream": without.ClientURL(),
	} {
		nc, err := nats.Connect(url)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(nc.Close)
		js, err := jetstream.New(nc)
		if err != nil {
			t.Fatal(err)
		}
		_, err = audit.New(js, audit.Config{Required: true}).Put(context.Background(), entry("1", protocol.AuditBegin))
		if protocol.CodeOf(err) != protocol.CodeUnavailable || !strings.Contains(err.Error(), "nothing is changed until") {
			t.Errorf("%s: %v", what, err)
		}
		if _, err = audit.New(js, audit.Config{}).Put(context.Background(), entry("1", protocol.AuditBegin)); err != nil {
			t.Errorf("%s, if it is not required: %v", what, err)
		}
	}
}
