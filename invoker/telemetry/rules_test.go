//go:build frontdoor

package telemetry

import (
	"os/exec"
	"testing"
)

// TestRules has promtool (of Prometheus) check the alerts, and run their tests.
func TestRules(t *testing.T) {
	for _, args := range [][]string{{"check", "rules", "alerts.yml"}, {"test", "rules", "alerts_test.yml"}} {
		c := exec.Command("promtool", args...)
		c.Dir = "../../deploy/prometheus"
		if out, err := c.CombinedOutput(); err != nil {
			t.Errorf("promtool %v: %v\n%s", args, err, out)
		}
	}
}

// TestLint has promtool check the names, types and help of all metrics.
func TestLint(t *testing.T) {
	c := exec.Command("promtool", "check", "metrics")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	page := everything(t)
	go func() { _, _ = in.Write([]byte(page)); _ = in.Close() }()
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}
