package compiler

import (
	"testing"
	"time"
)

func TestVerdictHolds(t *testing.T) {
	now := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	v := verdict{Time: now, Timeout: time.Minute, Memory: 1 << 30}
	for _, c := range []struct {
		name    string
		age     time.Duration
		timeout time.Duration
		memory  uint64
		want    bool
	}{
		{"at once", 0, time.Minute, 1 << 30, true},
		{"lower limits", time.Hour, time.Second, 1 << 20, true},
		{"more time", 0, time.Minute + 1, 1 << 30, false},
		{"more memory", 0, time.Minute, 1<<30 + 1, false},
		{"the next day", 24*time.Hour - 1, time.Minute, 1 << 30, true},
		{"after a day", 24 * time.Hour, time.Minute, 1 << 30, false},
		{"from the future", -time.Hour, time.Minute, 1 << 30, false},
	} {
		if got := v.holds(c.timeout, c.memory, now.Add(c.age)); got != c.want {
			t.Errorf("%s: got %t", c.name, got)
		}
	}
}
