package exit_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol"
)

func TestOfProcess(t *testing.T) {
	for in, want := range map[int]int{0: 0, 1: 1, 255: 255, 256: 255, 1 << 30: 255} {
		if got := exit.OfProcess(in); got != want {
			t.Errorf("OfProcess(%d) = %d, want %d", in, got, want)
		}
	}
}

func TestOf(t *testing.T) {
	for _, c := range []struct {
		err  error
		want int
	}{
		{errors.New("any"), exit.Failed},
		{fmt.Errorf("call: %w", &exit.Error{Code: 3, Err: context.Canceled}), 3},
		{fmt.Errorf("call: %w", context.Canceled), exit.Interrupted},
		{context.DeadlineExceeded, exit.Timeout},
		{protocol.Errorf(protocol.CodeBadRequest, "", "no"), exit.Usage},
		{protocol.Errorf(protocol.CodeTooLarge, "", "no"), exit.Usage},
		{protocol.Errorf(protocol.CodeNotFound, "", "no"), exit.NotFound},
		{protocol.Errorf(protocol.CodeRefused, "", "no"), exit.NotRunnable},
		{protocol.Errorf(protocol.CodeTimeout, "", "no"), exit.Timeout},
		{protocol.Errorf(protocol.CodeMemory, "", "no"), exit.Platform},
	} {
		if got := exit.Of(c.err); got != c.want {
			t.Errorf("Of(%v) = %d, want %d", c.err, got, c.want)
		}
	}
}
