package registry_test

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// A record whose bytes on the server's disk are damaged is named in the log and lost; all others are there, and the
// server goes on answering whatever is written afterwards, which a server that removes what it cannot read does not.
func TestDamagedOnDisk(t *testing.T) {
	for n := range 5 {
		t.Run(fmt.Sprint("record ", n), func(t *testing.T) {
			dir := t.TempDir()
			s := registrytest.StartNATS(t, dir, 0)
			x := connect(t, registrytest.Connect(t, s))
			for i := range 5 {
				put(t, x.r, fmt.Sprint("f", i), fmt.Sprint("module", i))
			}
			x.nc.Close()
			s.Shutdown()
			s.WaitForShutdown()
			spoil(t, dir, fmt.Sprintf(`"name":"f%d"`, n))

			x = connect(t, registrytest.Connect(t, registrytest.StartNATS(t, dir, 0)))
			name := fmt.Sprint("f", n)
			changes, err := x.r.Watch(t.Context())
			must(t, err)
			found := 0
			for c := registrytest.Next(t, changes); !c.Synced; c = registrytest.Next(t, changes) {
				if found++; (c.Err != nil) != (c.Name == name) {
					t.Errorf("%s: %v", c.Name, c.Err)
				}
			}
			if found != 5 || !strings.Contains(x.log.String(), "function="+name) {
				t.Errorf("%d changes before the watch is synced; log:\n%s", found, x.log)
			}
			_, err = x.r.Find(t.Context(), name)
			wantError(t, "Find", err, protocol.CodeConflict, "disk are damaged")
			if n%2 == 0 {
				_, err = x.r.Delete(t.Context(), name)
				must(t, err)
			}
			for range 3 {
				for i := range 5 {
					put(t, x.r, fmt.Sprint("f", i), fmt.Sprint("module", i))
					_, err := x.r.Delete(t.Context(), fmt.Sprint("f", i))
					must(t, err)
					put(t, x.r, fmt.Sprint("f", i), "other")
				}
			}
			if list, err := x.r.List(t.Context()); err != nil || len(list) != 5 {
				t.Errorf("%d functions, %v", len(list), err)
			}
		})
	}
}

// spoil changes a bit of the stored record that has this text.
func spoil(t *testing.T, dir, text string) {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "jetstream/*/streams/KV_"+registry.BucketFunctions+"/msgs/*.blk"))
	must(t, err)
	for _, f := range files {
		b, err := os.ReadFile(f)
		must(t, err)
		if at := bytes.Index(b, []byte(text)); at > 0 {
			b[at] ^= 1
			must(t, os.WriteFile(f, b, 0o600))
			return
		}
	}
	t.Fatalf("%s is in none of %q", text, files)
}
