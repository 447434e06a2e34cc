package standard_test

import (
	"fmt"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// leakCalls is how many calls TestGrantsLeak makes for each start kind; GRANT_LEAK_CALLS changes it.
const leakCalls = 160

// TestGrantsLeak has two functions of one module, which share its sandboxes, and are granted different keys of one
// bucket, different secrets, and room in memory. Whatever calls before have read and written, and however they have
// ended, none finds anything that is not its own.
func TestGrantsLeak(t *testing.T) {
	calls := leakCalls
	if text := os.Getenv("GRANT_LEAK_CALLS"); text != "" {
		var err error
		if calls, err = strconv.Atoi(text); err != nil {
			t.Fatal(err)
		}
	}
	o := serve(t)
	for _, name := range []string{"a", "b"} {
		o.secret("KEY_"+name, value+" of "+name)
	}
	for _, kind := range []string{protocol.StartFresh, protocol.StartReset, protocol.StartPrefork, protocol.StartCheckpoint} {
		t.Run(kind, func(t *testing.T) {
			for _, name := range []string{"a", "b"} {
				o.clerk(name+"-"+kind, protocol.Function{Start: kind, Grants: []protocol.Grant{
					{KV: "shared", Keys: name + "/*", Access: protocol.AccessWrite, Create: true, Consistent: true},
					{Secret: "KEY_" + name}, {Tmp: 1 << 20}},
					Limits: protocol.Limits{Timeout: protocol.Duration(time.Minute), Queue: 100}})
			}
			o.leak(t, kind, calls)
		})
	}
}

// leakEndings are how calls end, and with which code.
var leakEndings = []struct {
	order string
	code  int
}{{"say end", 0}, {"exit 65", 400}, {"say end", 0}, {"trap", 500}, {"flood 3", 0}, {"exit 3", 500}}

// leak makes calls of both functions of one start kind, four at a time.
func (o *outside) leak(t *testing.T, kind string, calls int) {
	var next atomic.Int64
	var mu sync.Mutex
	served := map[string]int{}
	var all sync.WaitGroup
	for range 4 {
		all.Go(func() {
			for i := int(next.Add(1)); i <= calls && !t.Failed(); i = int(next.Add(1)) {
				mine, other := "a", "b"
				if i%2 == 0 {
					mine, other = other, mine
				}
				ending := leakEndings[i%len(leakEndings)]
				orders := fmt.Sprintf("get /kv/shared/%[2]s/x\nget /secret/KEY_%[2]s\nget /tmp/x\nls /secret\nget /secret/KEY_%[1]s\n"+
					"put /kv/shared/%[1]s/x %[1]s\nput /tmp/x %[1]s\nget /kv/shared/%[1]s/x\n%[3]s\n", mine, other, ending.order)
				r := o.invoker.Invoke(t.Context(), &protocol.Request{Function: protocol.Ref{Name: mine + "-" + kind},
					Body: []byte(orders), Report: true})
				want := fmt.Sprintf("-\n-\n-\nKEY_%[1]s\n%[2]s of %[1]s\n%[1]s\n", mine, value)
				code := 0
				if r.Err != nil {
					code = r.Err.Code
				}
				if code != ending.code || code == 0 && !strings.HasPrefix(string(r.Body), want) {
					t.Errorf("call %d of %s, %s: %q, %v; want %q", i, mine, ending.order, r.Body, r.Err, want)
				}
				mu.Lock()
				served[r.Report.Start]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	t.Logf("%d calls, served by %v", calls, served)
	if served[kind] == 0 {
		t.Errorf("none was served by %s", kind)
	}
}
