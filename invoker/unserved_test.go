package invoker_test

import (
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/backend/backendtest"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// TestUnserved starts an invoker anew when what a function is granted is not there any more. Whoever asks about the
// function, or calls it, hears why it is not served; when it is there again, so is the function.
func TestUnserved(t *testing.T) {
	s := &shelf{}
	server := startServer(t)
	with := func(v *invoker.Invoker) { v.Backend = s.backend() }
	v := startInvoker(t, server, with)
	nc := connect(t, server)
	deploy(t, nc, protocol.Function{Name: "clerk", Grants: []protocol.Grant{{KV: "shelf"}}}, backendtest.Clerk())
	v.end(t)
	refuse := func(yes bool) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.refuse = yes
	}
	refuse(true)
	startInvoker(t, server, with)
	const why = "there is no bucket shelf any more"
	c := &client.Client{Conn: nc}
	if i, err := c.Info(t.Context(), "clerk"); err != nil || !strings.Contains(i.Unserved, why) {
		t.Errorf("info says %q, %v", i.Unserved, err)
	}
	all, err := c.ListAll(t.Context())
	if err != nil || len(all.Unserved) != 1 || all.Unserved[0].Name != "clerk" ||
		!strings.Contains(all.Unserved[0].Reason, why) {
		t.Errorf("list says %v, %v", all.Unserved, err)
	}
	call := &protocol.Request{Function: protocol.Ref{Name: "clerk"}, Timeout: time.Second, Body: []byte("say hi\n")}
	_, err = c.Call(t.Context(), call)
	if protocol.CodeOf(err) != protocol.CodeUnavailable || !strings.Contains(err.Error(), why) {
		t.Errorf("a call says %v", err)
	}
	refuse(false)
	for limit := time.Now().Add(patience); ; {
		r, err := c.Call(t.Context(), call)
		if err == nil && strings.HasPrefix(string(r.Body), "hi") {
			break
		}
		if time.Now().After(limit) {
			t.Fatalf("it is not served again: %v, %q, %v", err, r.Body, r.Err)
		}
	}
	if i, err := c.Info(t.Context(), "clerk"); err != nil || i.Unserved != "" {
		t.Errorf("info says %q, %v", i.Unserved, err)
	}
}
