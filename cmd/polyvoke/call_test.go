package main

import (
	"bytes"
	"context"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/protocol"
)

// startNATS starts NATS without polyvoke, and a connection to it.
func startNATS(t *testing.T) (*natsd.Server, *nats.Conn) {
	t.Helper()
	s, err := natsd.Start(natsd.Config{Listen: "127.0.0.1:0", Store: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	nc, err := nats.Connect(s.URL(), nats.Timeout(patience))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(nc.Close)
	return s, nc
}

// callResult is how a call ended.
type callResult struct {
	code   int
	stderr string
}

// callAsync calls fn.slow, which somebody has subscribed to.
func callAsync(ctx context.Context, url string, args ...string) <-chan callResult {
	done := make(chan callResult, 1)
	go func() {
		var stdout, stderr bytes.Buffer
		env := map[string]string{"NATS_URL": url}
		code := run(ctx, append([]string{"call", "slow"}, args...), strings.NewReader(""), &stdout, &stderr,
			func(k string) string { return env[k] })
		done <- callResult{code, stderr.String()}
	}()
	return done
}

// TestCallEnds ends calls that get no answer in every other way there is.
func TestCallEnds(t *testing.T) {
	for _, tt := range []struct {
		name string
		args []string
		end  func(s *natsd.Server, m *nats.Msg, cancel func())
		code int
		want string
	}{
		{"NATS goes away", nil, func(s *natsd.Server, _ *nats.Msg, _ func()) { s.Close() }, exit.Platform,
			"broke while slow was called"},
		{"Ctrl-C", nil, func(_ *natsd.Server, _ *nats.Msg, cancel func()) { cancel() }, exit.Interrupted, "interrupted"},
		{"nothing", []string{"--timeout", "50ms"}, func(*natsd.Server, *nats.Msg, func()) {}, exit.Timeout, "did not answer"},
		{"half an error", nil, func(_ *natsd.Server, m *nats.Msg, _ func()) {
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"nats-service-error": {"oh dear"}}})
		}, exit.Platform, "500: oh dear"},
		{"a claim for nothing", nil, func(_ *natsd.Server, m *nats.Msg, _ func()) {
			claim := &protocol.Claim{Object: "x", Size: 1, Digest: protocol.Digest(nil)}
			h := protocol.Header{}
			claim.Put(h)
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header(h)})
		}, exit.Platform, "no invoker answers"},
		{"another client's 422", nil, func(_ *natsd.Server, m *nats.Msg, _ func()) {
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Nats-Service-Error": {"no"}, "Nats-Service-Error-Code": {"422"}}})
		}, exit.NotRunnable, "422: no"},
		{"an exit code that is none", nil, func(_ *natsd.Server, m *nats.Msg, _ func()) {
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Fn-Exit": {"-1"}}})
		}, exit.Platform, "is not an exit code"},
		{"a claim that is none", nil, func(_ *natsd.Server, m *nats.Msg, _ func()) {
			_ = m.RespondMsg(&nats.Msg{Header: nats.Header{"Fn-Body-Object": {"x"}, "Fn-Body-Size": {"many"}}})
		}, exit.Platform, "Fn-Body-Size"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			s, nc := startNATS(t)
			got := make(chan *nats.Msg, 1)
			if _, err := nc.ChanSubscribe("fn.slow", got); err != nil {
				t.Fatal(err)
			}
			if err := nc.Flush(); err != nil {
				t.Fatal(err)
			}
			ctx, cancel := context.WithTimeout(t.Context(), patience)
			defer cancel()
			done := callAsync(ctx, s.URL(), tt.args...)
			var m *nats.Msg
			select {
			case m = <-got:
			case <-ctx.Done():
				t.Fatal("the call does not arrive")
			}
			begin := time.Now()
			tt.end(s, m, cancel)
			r := <-done
			if r.code != tt.code || !strings.Contains(r.stderr, tt.want) {
				t.Errorf("exit code %d, want %d; stderr %q, want %q in it", r.code, tt.code, r.stderr, tt.want)
			}
			if d := time.Since(begin); d > patience/2 {
				t.Errorf("it took %s", d)
			}
		})
	}
}
