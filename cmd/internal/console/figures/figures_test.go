package figures_test

import (
	"context"
	"log/slog"
	"testing"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/cmd/internal/console/figures"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// poll starts a poller that is watched, and returns how to wait for figures of a function.
func poll(t *testing.T, nc *nats.Conn) func(name string, is func(figures.Figures) bool) figures.Figures {
	t.Helper()
	p := &figures.Poller{Conn: nc, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx) }()
	end := p.Watch()
	t.Cleanup(func() {
		end()
		stop()
		<-served
	})
	return func(name string, is func(figures.Figures) bool) figures.Figures {
		t.Helper()
		for end := time.Now().Add(60 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			all, _ := p.All()
			if f, ok := all[name]; ok && is(f) {
				return f
			}
			if time.Now().After(end) {
				t.Fatalf("never; %s has %+v", name, all[name])
			}
		}
	}
}

// TestSums checks that figures are those of all invokers, and stay when one of them has gone and another has come.
func TestSums(t *testing.T) {
	s := invokertest.Start(t)
	second := s.StartInvoker()
	s.Deploy("f", runtimestest.Wasm())
	until := poll(t, s.Conn)
	// A deployment makes calls of its own.
	before := until("f", func(f figures.Figures) bool { return f.Requests > 0 && f.Invokers == 2 }).Requests
	for range 20 {
		s.Call("fn.f", nil)
	}
	s.Call("fn.f.exit.65", nil)
	f := until("f", func(f figures.Figures) bool { return f.Requests == before+21 && f.Invokers == 2 })
	if f.Errors != 1 || f.LastError == "" || f.P99 <= 0 || f.Version != 1 || f.Start == "" {
		t.Errorf("%+v", f)
	}
	if err := second.Stop(); err != nil {
		t.Fatal(err)
	}
	s.StartInvoker()
	for range 10 {
		s.Call("fn.f", nil)
	}
	until("f", func(f figures.Figures) bool { return f.Requests == before+31 })
	// The one that has ended is known to be gone.
	f = until("f", func(f figures.Figures) bool {
		return f.Requests == before+31 && f.Invokers == 2 && len(f.History) > 0
	})
	last := f.History[len(f.History)-1]
	if last.Requests > before+31 {
		t.Errorf("the history has %+v", last)
	}
}

// TestStrangers checks that other services of NATS, and nonsense, are no functions.
func TestStrangers(t *testing.T) {
	s := invokertest.Start(t)
	s.Deploy("f", runtimestest.Wasm())
	other, err := micro.AddService(s.Conn, micro.Config{Name: "other", Version: "1.0.0"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = other.Stop() })
	nonsense := []string{"", "{}", "no JSON", `{"name":"a b","id":"1","metadata":{"abi":"x"}}`,
		`{"name":"evil","id":"1","metadata":{"abi":"x"},"endpoints":[null]}`,
		`{"name":"evil","id":"1","metadata":{"abi":"x"},"endpoints":[{"data":"no"}]}`}
	sub, err := s.Conn.Subscribe("$SRV.STATS", func(m *nats.Msg) {
		for _, text := range nonsense {
			_ = m.Respond([]byte(text))
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = sub.Unsubscribe() })
	p := &figures.Poller{Conn: s.Conn, Log: slog.New(slog.DiscardHandler)}
	ctx, stop := context.WithCancel(t.Context())
	served := make(chan error, 1)
	go func() { served <- p.Serve(ctx) }()
	defer func() { stop(); <-served }()
	defer p.Watch()()
	for end := time.Now().Add(30 * time.Second); ; time.Sleep(20 * time.Millisecond) {
		all, at := p.All()
		if len(all) == 1 && !at.IsZero() {
			break
		}
		if len(all) > 1 || time.Now().After(end) {
			t.Fatalf("%v", all)
		}
	}
}
