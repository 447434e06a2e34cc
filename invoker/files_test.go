package invoker_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/files/filestest"
)

// withFiles is a runtime whose processes have other files, if they ask for them by an argument.
type withFiles struct {
	runtimes.Runtime
	tree files.Tree
}

func (r withFiles) Compile(ctx context.Context, module []byte, o runtimes.Options) (runtimes.Program, error) {
	g, err := r.Runtime.Compile(ctx, module, o)
	return programWithFiles{g, r.tree}, err
}

type programWithFiles struct {
	runtimes.Program
	tree files.Tree
}

func (g programWithFiles) Run(ctx context.Context, p *runtimes.Process) error {
	if slices.Contains(p.Args, "/request/id") {
		p.Files = g.tree
	}
	return g.Program.Run(ctx, p)
}

// TestFileThatBlocks has a call read a file that does not come. It holds neither the only slot nor the receiver of
// its function: others go on, and it is answered when its time is up, by a tree that knows of the time and by one that
// is deaf to it.
func TestFileThatBlocks(t *testing.T) {
	for op, deaf := range map[string]bool{"open": false, "read": true, "close": true} {
		t.Run(op, func(t *testing.T) {
			tree := filestest.Block(t, files.Static(files.Map{"id": []byte("42")}), op, deaf)
			s := startServer(t)
			startInvoker(t, s, func(v *invoker.Invoker) {
				v.Slots, v.Runtime = 1, withFiles{sandbox, tree}
			})
			nc := connect(t, s)
			deployProbe(t, nc, "probe", protocol.Limits{Concurrency: 2, Timeout: protocol.Duration(patience)})
			stuck := make(chan protocol.Reply, 1)
			go func() {
				r, err := tryCall(nc, "fn.probe.cat./request/id", nil, "Fn-Timeout", "3s")
				if err != nil {
					t.Error(err)
				}
				stuck <- r
			}()
			select {
			case <-tree.Entered():
			case <-time.After(patience):
				t.Fatalf("%s: nothing was asked of the file", op)
			}
			for range 3 { // these are answered while it waits, or it would be answered first
				if r := call(t, nc, "fn.probe.drip.3000", nil); len(r.Body) != 3000 {
					t.Errorf("%s, deaf %t: %d bytes of another call", op, deaf, len(r.Body))
				}
			}
			select {
			case r := <-stuck:
				t.Fatalf("%s, deaf %t: %+v came before the others", op, deaf, r)
			default:
			}
			wantError(t, <-stuck, 504, "3s")
			if got := call(t, nc, "fn.probe", []byte("body")); string(got.Body) != "body" {
				t.Errorf("%s, deaf %t: afterwards %q", op, deaf, got.Body)
			}
		})
	}
}
