package main

import (
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
)

// readenvScript is the command readenv: it sets a variable to what a file says.
func readenvScript(ts *testscript.TestScript, args []string) {
	ts.Setenv(args[0], strings.TrimSpace(ts.ReadFile(args[1])))
}

// TestParseExpiry reads times in each way that one writes them.
func TestParseExpiry(t *testing.T) {
	now := time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC)
	for s, want := range map[string]time.Time{
		"": {}, "90d": now.AddDate(0, 0, 90), "12h": now.Add(12 * time.Hour), "1h30m": now.Add(90 * time.Minute),
		"2027-01-31":           time.Date(2027, 1, 31, 0, 0, 0, 0, time.UTC),
		"2027-01-31T12:00:00Z": time.Date(2027, 1, 31, 12, 0, 0, 0, time.UTC),
	} {
		if got, err := parseExpiry(s, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %s, %v; want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"d", "-1d", "0d", "70000d", "40000d", "soon", "0s", "-5h", "2026-11-30", "2026-13-01", "9999-01-01", "1"} {
		if got, err := parseExpiry(s, now); err == nil {
			t.Errorf("%q is %s", s, got)
		}
	}
}
