package client

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// shelf is a host that runs nothing.
type shelf struct{}

func (shelf) Try(context.Context, *protocol.Function, []byte, bool) (func(), error) {
	return func() {}, nil
}
func (shelf) Await(context.Context, *protocol.Function) error     { return nil }
func (shelf) AwaitGone(context.Context, *protocol.Function) error { return nil }
func (shelf) Stats(string) protocol.Stats {
	return protocol.Stats{Requests: 1, StartReason: strings.Repeat("because ", 1000)}
}

func (shelf) Damage() []protocol.Damage          { return nil }
func (shelf) Unserved() []protocol.Damage        { return nil }
func (shelf) Taking(string) []*protocol.Function { return nil }

func (shelf) Overlapping(*protocol.Function) []*protocol.Function { return nil }

func (shelf) Load(context.Context, *protocol.Function) (func(), error) { return func() {}, nil }
func (shelf) AwaitAlias(context.Context, protocol.AliasState) error    { return nil }
func (shelf) Canaries() []protocol.AliasState                          { return nil }

func (shelf) Routes(*protocol.Function) error               { return nil }
func (shelf) Idle(context.Context, *protocol.Function) bool { return false }

// startControl controls a registry through a NATS server that takes messages of so many bytes, and returns a client.
func startControl(t *testing.T, r registry.Registry, maxPayload int) *Client {
	t.Helper()
	c := startNATS(t, maxPayload)
	url := c.Conn.ConnectedUrl()
	nc, err := nats.Connect(url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	js, err := jetstream.New(nc)
	if err != nil {
		t.Fatal(err)
	}
	service := &control.Service{Host: shelf{}, Registry: r, NC: nc, JetStream: js, MaxModule: 1 << 20, Version: "0.0.0",
		Log: slog.New(slog.DiscardHandler)}
	m, err := service.Serve(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = m.Stop() })
	if err := nc.Flush(); err != nil { // from now on it is served
		t.Fatal(err)
	}
	return c
}

// long returns an environment that takes about so many bytes: each < takes six in JSON.
func long(n int) map[string]string { return map[string]string{"LONG": strings.Repeat("<", n/6)} }

// TestPages lists thousands of functions, some with long manifests, and tells of one with 20 long versions, whatever
// NATS takes.
func TestPages(t *testing.T) {
	r := &registry.Memory{}
	const n = 3000
	for i := range n {
		f := protocol.Function{Name: fmt.Sprintf("f%04d", i), Args: []string{fmt.Sprint(i)}}
		if i%100 == 0 {
			f.Env = long(i * 30) // up to 90 KB
		}
		if _, _, err := r.Put(t.Context(), f, []byte("module")); err != nil {
			t.Fatal(err)
		}
	}
	for i := range registry.KeepVersions + 5 {
		many := protocol.Function{Name: "many", Args: []string{fmt.Sprint(i)}, Env: long(60 << 10 * (i % 3) / 2)}
		if _, _, err := r.Put(t.Context(), many, []byte("module")); err != nil {
			t.Fatal(err)
		}
	}
	for _, maxPayload := range []int{4 << 10, 64 << 10, 1 << 20} {
		c := startControl(t, r, maxPayload)
		list, err := c.ListAll(t.Context())
		if err != nil || len(list.Functions) != n+1 || list.Next != "" {
			t.Fatalf("max_payload %d: %d functions, next %q, %v", maxPayload, len(list.Functions), list.Next, err)
		}
		abridged := map[string]bool{}
		for _, name := range list.Abridged {
			abridged[name] = true
		}
		for i, f := range list.Functions[:n] {
			if f.Name != fmt.Sprintf("f%04d", i) || f.Version != 1 || abridged[f.Name] != (f.Args == nil) ||
				abridged[f.Name] && i%100 != 0 {
				t.Errorf("max_payload %d: function %d is %s with %v, abridged %t",
					maxPayload, i, f.Ref(), f.Args, abridged[f.Name])
			}
		}
		if (len(abridged) > 0) != (maxPayload < 1<<20) {
			t.Errorf("max_payload %d: %d functions are abridged", maxPayload, len(abridged))
		}
		info, err := c.Info(t.Context(), "many")
		if err != nil || len(info.Versions) != registry.KeepVersions ||
			info.Function.Version != registry.KeepVersions+5 || info.Stats.Requests != 1 {
			t.Errorf("max_payload %d: %d versions, the latest is %d, %v",
				maxPayload, len(info.Versions), info.Function.Version, err)
		}
		for i, v := range info.Versions {
			if v.Version != i+6 || v.Args == nil && len(info.Abridged) == 0 {
				t.Errorf("max_payload %d: version %d is %s with %v", maxPayload, i, v.Ref(), v.Args)
			}
		}
		_, err = c.Info(t.Context(), "absent")
		if protocol.CodeOf(err) != protocol.CodeNotFound || !strings.Contains(err.Error(), "polyvoke ls") {
			t.Errorf("max_payload %d: %v", maxPayload, err)
		}
	}
}

// TestOldClient checks what a client sees that knows of no pages: as much as fits.
func TestOldClient(t *testing.T) {
	r := &registry.Memory{}
	for i := range 100 {
		if _, _, err := r.Put(t.Context(), protocol.Function{Name: fmt.Sprintf("f%d", i)}, []byte("module")); err != nil {
			t.Fatal(err)
		}
	}
	c := startControl(t, r, 4<<10)
	var first, second protocol.ListReply
	err := c.ask(t.Context(), protocol.APIList, nil, &first)
	if err != nil || len(first.Functions) == 0 || first.Next != first.Functions[len(first.Functions)-1].Name {
		t.Errorf("%+v, %v", first, err)
	}
	err = c.ask(t.Context(), protocol.APIList, protocol.ListRequest{After: "f99"}, &second)
	if err != nil || len(second.Functions) != 0 || second.Next != "" {
		t.Errorf("behind the last one: %+v, %v", second, err)
	}
	err = c.ask(t.Context(), protocol.APIList, []int{1}, &second)
	if protocol.CodeOf(err) != protocol.CodeBadRequest {
		t.Errorf("a request that is none: %v", err)
	}
}

// TestLongManifest deploys what does not fit a header.
func TestLongManifest(t *testing.T) {
	c := startControl(t, &registry.Memory{}, 4<<10)
	js, err := c.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	bodies := jetstream.ObjectStoreConfig{Bucket: protocol.BucketBodies}
	if _, err := js.CreateObjectStore(t.Context(), bodies); err != nil {
		t.Fatal(err)
	}
	_, err = c.Deploy(t.Context(), protocol.Function{Name: "long", Env: long(30 << 10)}, []byte("module"))
	var e *protocol.Error
	if !errors.As(err, &e) || e.Code != protocol.CodeTooLarge || !strings.Contains(e.Msg, "max_payload") ||
		!strings.Contains(e.Msg, "manifest") {
		t.Errorf("%v", err)
	}
}
