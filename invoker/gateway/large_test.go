package gateway_test

import (
	"io"
	"net/http"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// What a function may write that never stops, and how much memory of this process may be in use meanwhile, by invoker,
// NATS server, gateway and client together.
const (
	large   = 1 << 30
	mostUse = 64 << 20
)

// raceDetector is whether the tests run under the race detector.
var raceDetector bool

// inUse returns how many bytes of the heap are in use.
func inUse() int64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int64(m.HeapAlloc)
}

// TestLargeStream reads a GiB from a function that writes for ever. However much has come, what is kept of it stays
// the same.
func TestLargeStream(t *testing.T) {
	b := newBed(t)
	f := protocol.Function{Name: "flood", Args: []string{"flood"}, HTTP: []protocol.HTTPRoute{{Route: "/flood", Stream: true}},
		Limits: protocol.Limits{Timeout: protocol.Duration(15 * time.Minute)}}
	b.deploy(t, f, probe)
	total := int64(large)
	if raceDetector || testing.Short() {
		total /= 8 // it takes ten times as long
	}
	for _, d := range b.both {
		t.Run(d.name, func(t *testing.T) {
			before := inUse()
			r, err := http.NewRequestWithContext(t.Context(), "GET", d.url+"/flood", nil)
			if err != nil {
				t.Fatal(err)
			}
			resp, err := (&http.Client{Transport: d.client.Transport}).Do(r) // without a bound of time
			if err != nil {
				t.Fatal(err)
			}
			defer resp.Body.Close()
			most := int64(0)
			for got := int64(0); got < total; {
				n, err := io.CopyN(io.Discard, resp.Body, total/16)
				if got += n; err != nil {
					t.Fatalf("after %d bytes: %v", got, err)
				}
				most = max(most, inUse()-before)
			}
			t.Logf("%d MiB were in use at most while %d MiB came", most>>20, total>>20)
			if most > mostUse {
				t.Errorf("%d MiB were in use while %d MiB came", most>>20, total>>20)
			}
		})
	}
}

// TestLargeReply calls a function that writes for ever, without a stream: it ends with its limit, and little more than
// that is ever kept.
func TestLargeReply(t *testing.T) {
	b := newBed(t)
	f := protocol.Function{Name: "flood", Args: []string{"flood"}, Limits: protocol.Limits{Output: 4 << 20,
		Timeout: protocol.Duration(patience)}}
	b.deploy(t, f, probe)
	for _, d := range b.both {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		a := d.ask(t, "GET", "/fn/flood", "")
		runtime.ReadMemStats(&after)
		if a.status != http.StatusBadGateway || !strings.Contains(a.body, "limits.output") {
			t.Errorf("%s: %d %s", d.name, a.status, a.body)
		}
		if n := after.TotalAlloc - before.TotalAlloc; n > mostUse { // of all that was ever kept
			t.Errorf("%s: %d MiB were taken for a reply of at most 4", d.name, n>>20)
		}
	}
}
