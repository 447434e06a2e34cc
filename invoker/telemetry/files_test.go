package telemetry

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway"
	"github.com/polyvoke/polyvoke/invoker/jobs"
	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// everything returns the page of metrics on which all has been counted once.
func everything(t *testing.T) string {
	m := New(Config{Version: "1", Served: func() int { return 1 }, Connected: func() bool { return true },
		Spans: func() (uint64, uint64) { return 1, 1 },
		Queues: func(context.Context) (map[string]protocol.QueueInfo, error) {
			return map[string]protocol.QueueInfo{"f": {}}, nil
		}})
	once(m, stats.Call{Function: protocol.Ref{Name: "f"}, Code: 504, Cold: true, Memory: 1})
	once(m, stats.Call{Function: protocol.Ref{Name: "f"}, Reads: 1, Writes: 1})
	a := &jobs.Attempt{Function: "f", Number: 1, Request: new(protocol.Request), Began: time.Now(), Outcome: jobs.OutcomeDone}
	m.Jobs().Begin(a)
	m.Jobs().End(a)
	m.Jobs().Dead("f", protocol.ReasonAge)
	e := &gateway.Exchange{Method: "GET", Status: 200}
	m.HTTP().Begin(e)
	m.HTTP().End(e)
	m.Aborted("idle")
	return scrape(t, m, "")
}

var metricName = regexp.MustCompile(`\b(?:faas|polyvoke|http_server|process|go)_[a-z0-9_]+`)

// labels are names that look like those of metrics.
var labels = map[string]bool{"faas_name": true, "faas_trigger": true}

// names returns the names of metrics in a text.
func names(text string) map[string]bool {
	all := map[string]bool{}
	for _, n := range metricName.FindAllString(text, -1) {
		if !labels[n] {
			all[n] = true
		}
	}
	return all
}

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// TestFiles sees to it that each metric of the dashboard and of the alerts exists, and that the dashboard can be read.
func TestFiles(t *testing.T) {
	there := map[string]bool{}
	for l := range strings.Lines(everything(t)) {
		if family, ok := strings.CutPrefix(l, "# TYPE "); ok {
			l = family
		}
		if !strings.HasPrefix(l, "#") {
			there[l[:strings.IndexAny(l, "{ ")]] = true
		}
	}
	for _, path := range []string{"deploy/grafana/polyvoke.json", "deploy/prometheus/alerts.yml",
		"deploy/prometheus/alerts_test.yml"} {
		found := names(read(t, path))
		if len(found) < 10 {
			t.Errorf("%s names only %d metrics", path, len(found))
		}
		for n := range found {
			if !there[n] {
				t.Errorf("%s names %s, which does not exist", path, n)
			}
		}
	}
	var board struct {
		Panels []struct {
			ID      int
			Title   string
			Targets []struct{ Expr string }
		}
	}
	if err := json.Unmarshal([]byte(read(t, "deploy/grafana/polyvoke.json")), &board); err != nil {
		t.Fatal(err)
	}
	seen := map[int]bool{}
	for _, p := range board.Panels {
		if seen[p.ID] || p.Title == "" {
			t.Errorf("panel %d %q", p.ID, p.Title)
		}
		seen[p.ID] = true
	}
}

// TestPage sees to it that docs/telemetry.md has a row for each metric, and no other.
func TestPage(t *testing.T) {
	rows := map[string]bool{}
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(read(t, "docs/telemetry.md"), -1) {
		rows[m[1]] = true
	}
	families := map[string]bool{}
	for _, m := range regexp.MustCompile(`(?m)^# TYPE (\S+)`).FindAllStringSubmatch(everything(t), -1) {
		if n := m[1]; !strings.HasPrefix(n, "go_") && !strings.HasPrefix(n, "process_") && !strings.HasPrefix(n, "promhttp_") {
			families[n] = true
		}
	}
	if !maps.Equal(rows, families) {
		t.Errorf("the page has  %v\nthere are     %v", slices.Sorted(maps.Keys(rows)), slices.Sorted(maps.Keys(families)))
	}
}
