package wasi

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/tetratelabs/wazero/sys"
)

// TestRunError checks what errors mean while the context holds and when it has ended.
func TestRunError(t *testing.T) {
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	panicked := errors.New("the engine failed: index out of range")
	for _, c := range []struct {
		name     string
		err      error
		want     error
		over     error // the same when the context has ended
		broken   bool
		byItself bool
	}{
		{name: "return"},
		{name: "exit 0", err: sys.NewExitError(0)},
		{"exit 7", fmt.Errorf("in main: %w", sys.NewExitError(7)),
			&runtimes.ExitError{Code: 7}, &runtimes.ExitError{Code: 7}, false, true},
		{"exit with the code for a context", sys.NewExitError(sys.ExitCodeContextCanceled),
			&runtimes.ExitError{Code: sys.ExitCodeContextCanceled}, context.Canceled, false, true},
		{"exit with the code for a deadline", sys.NewExitError(sys.ExitCodeDeadlineExceeded),
			&runtimes.ExitError{Code: sys.ExitCodeDeadlineExceeded}, context.Canceled, false, true},
		{"trap", errors.New("wasm error: unreachable\nwasm stack trace:\n\t.a()\n\t.b()"),
			&runtimes.TrapError{Reason: "unreachable", Stack: ".a()\n.b()"},
			&runtimes.TrapError{Reason: "unreachable", Stack: ".a()\n.b()"}, false, true},
		{"panic of the host",
			errors.New("nil map (recovered by wazero)\nwasm stack trace:\n\t.a()\n\nGo runtime stack trace:\ngoroutine 1"),
			&runtimes.TrapError{Reason: "nil map (recovered by wazero)", Stack: ".a()"},
			&runtimes.TrapError{Reason: "nil map (recovered by wazero)", Stack: ".a()"}, true, true},
		{"panic of the engine",
			panicked, &runtimes.TrapError{Reason: panicked.Error()}, &runtimes.TrapError{Reason: panicked.Error()}, true, true},
		{"too late", context.DeadlineExceeded, context.DeadlineExceeded, context.DeadlineExceeded, true, false},
	} {
		if got := runError(t.Context(), c.err); !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s: got %#v, want %#v", c.name, got, c.want)
		}
		if got := runError(ended, c.err); !reflect.DeepEqual(got, c.over) {
			t.Errorf("%s, when the context has ended: got %#v, want %#v", c.name, got, c.over)
		}
		if leavesBroken(c.err) != c.broken || failedByItself(c.want) != c.byItself {
			t.Errorf("%s: broken %t, by itself %t", c.name, leavesBroken(c.err), failedByItself(c.want))
		}
	}
}
