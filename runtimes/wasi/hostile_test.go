package wasi_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
)

// TestHostile runs what the engine alone would not stop, or not for long: each ends at its
// deadline, and the next run of the same program is as good as the first.
func TestHostile(t *testing.T) {
	const page, fill, copyUp = 1 << 16, "\xfc\x0b\x00", "\xfc\x0a\x00\x00"
	const size = 255 * page
	for name, m := range map[string]assembly{
		"endless loop":                  {code: "\x03\x40\x0c\x00\x0b"},
		"loop of host calls":            {imports: []string{"sched_yield"}, code: "\x03\x40\x10\x00\x1a\x0c\x00\x0b"},
		"filling memory without a loop": {pages: 256, code: strings.Repeat(i32(0)+i32(1)+i32(size)+fill, 2000)},
		"copying memory over itself":    {pages: 256, code: strings.Repeat(i32(1)+i32(0)+i32(size)+copyUp, 2000)},
		"br_table loop":                 {code: "\x03\x40" + i32(0) + "\x0e\x00\x00\x0b"},
	} {
		t.Run(name, func(t *testing.T) {
			g := compile(t, m.bytes(), runtimes.Options{})
			for range 2 {
				ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
				if err := g.Run(ctx, args()); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got the error %v", err)
				}
				cancel()
			}
		})
	}
}
