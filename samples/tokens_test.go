package samples_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
)

// words is a Writer that keeps what each Write brings, and when.
type words struct {
	all []string
	at  []time.Time
}

func (w *words) Write(b []byte) (int, error) {
	w.all, w.at = append(w.all, string(b)), append(w.at, time.Now())
	return len(b), nil
}

// TestTokens streams the tokens of the Go sample over NATS: they come one by one, and as they are written.
func TestTokens(t *testing.T) {
	module := filepath.Join(t.TempDir(), "tokens.wasm")
	build := exec.Command("go", "build", "-o", module, ".")
	build.Dir, build.Env = "tokens/go", append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wasm, err := os.ReadFile(module)
	if err != nil {
		t.Fatal(err)
	}
	s := invokertest.Start(t)
	s.Deploy("tokens", wasm, func(f *protocol.Function) { f.Limits.Timeout = protocol.Duration(time.Minute) })
	const text = "one by one they come"
	for _, c := range []struct {
		args []string
		want string
	}{{nil, "one by one they come "},
		{[]string{"events"}, "data: one\n\ndata: by\n\ndata: one\n\ndata: they\n\ndata: come\n\n"}} {
		ask := &protocol.Request{Function: protocol.Ref{Name: "tokens"}, Args: c.args}
		var got words
		err := protocol.Failure(s.Client.Stream(t.Context(), ask, strings.NewReader(text), &got))
		if err != nil || strings.Join(got.all, "") != c.want {
			t.Fatalf("got %q, %v", got.all, err)
		}
		if took := got.at[len(got.at)-1].Sub(got.at[0]); len(got.all) < 2 || took < 20*time.Millisecond {
			t.Errorf("%d parts came within %v", len(got.all), took)
		}
	}
}
