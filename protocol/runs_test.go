package protocol

import (
	"fmt"
	"testing"
	"time"
	_ "time/tzdata"
)

func TestNextRuns(t *testing.T) {
	after := time.Date(2026, 3, 28, 22, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		trigger Trigger
		want    string
	}{
		{Trigger{Schedule: "30 2 * * *", Zone: "Europe/Berlin"},
			"[2026-03-29 03:00:00 +0200 CEST 2026-03-30 02:30:00 +0200 CEST 2026-03-31 02:30:00 +0200 CEST]"},
		{Trigger{Subject: "orders.*"}, "[]"},
		{Trigger{Schedule: "nonsense"}, "[]"},
	} {
		if got := fmt.Sprint(c.trigger.NextRuns(after, 3)); got != c.want {
			t.Errorf("%s: %s, not %s", c.trigger, got, c.want)
		}
	}
	one, other := Trigger{Schedule: "@daily"}, Trigger{Schedule: "@daily", Zone: "Asia/Seoul"}
	if a, b := one.RunID(after), other.RunID(after); a == b || a != one.RunID(after.Local()) || len(a) > MaxJobID {
		t.Errorf("ids of runs are %s and %s", a, b)
	}
}
