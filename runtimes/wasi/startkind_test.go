package wasi

import (
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// TestStartKind checks which kind is the best, and that the reason says what has decided it.
func TestStartKind(t *testing.T) {
	const slow = slowStart
	for _, c := range []struct {
		p    startFacts
		kind string
		why  string // is part of the reason
	}{
		{startFacts{}, runtimes.StartReset, "only 0 units"},
		{startFacts{fuel: slow - 1}, runtimes.StartReset, "only 999999 units"},
		{startFacts{fuel: slow}, runtimes.StartCheckpoint, "1000000 units of fuel, and needs neither"},
		{startFacts{fuel: slow, renews: true}, runtimes.StartCheckpoint, "and needs neither"},
		{startFacts{fuel: slow, draws: true, renews: true}, runtimes.StartCheckpoint, "and it renews"},
		{startFacts{fuel: slow, draws: true}, runtimes.StartPrefork, "takes 1000000 units of fuel"},
		{startFacts{obstacles: obstacles{park: "it sleeps"}, fuel: slow}, runtimes.StartReset, "it sleeps"},
		{startFacts{obstacles: obstacles{reuse: "it has many tables"}, fuel: slow},
			runtimes.StartPrefork, "takes 1000000 units of fuel"},
		{startFacts{obstacles: obstacles{reuse: "it has many tables"}}, runtimes.StartFresh, "it has many tables"},
		{startFacts{obstacles: obstacles{reuse: "it has many tables", park: "it sleeps"}, fuel: slow},
			runtimes.StartFresh, "it has many tables"},
	} {
		for _, want := range []string{"", runtimes.StartAuto} {
			if kind, why, err := c.p.choose(want); kind != c.kind || !strings.Contains(why, c.why) || err != nil {
				t.Errorf("%+v: got %q because %q, and the error %v", c.p, kind, why, err)
			}
		}
	}
}

// TestStartKindWanted checks what is refused if it is asked for.
func TestStartKindWanted(t *testing.T) {
	const reuse, park = "it has many tables", "it sleeps"
	for _, c := range []struct {
		o    obstacles
		want string
		says string // is part of the error; empty: there is none
	}{
		{obstacles{reuse, park}, runtimes.StartFresh, ""},
		{obstacles{"", park}, runtimes.StartReset, ""},
		{obstacles{reuse, ""}, runtimes.StartReset, reuse},
		{obstacles{reuse, ""}, runtimes.StartPrefork, ""},
		{obstacles{"", park}, runtimes.StartPrefork, park},
		{obstacles{}, runtimes.StartCheckpoint, ""},
		{obstacles{reuse, ""}, runtimes.StartCheckpoint, reuse},
		{obstacles{"", park}, runtimes.StartCheckpoint, park},
		{obstacles{}, "slowly", `no start kind "slowly"`},
	} {
		kind, why, err := startFacts{obstacles: c.o}.choose(c.want)
		if kind != c.want || why != "it was asked for" {
			t.Errorf("%+v: got %q because %q", c, kind, why)
		}
		var refused *runtimes.ModuleError
		if c.says == "" && err != nil ||
			c.says != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Reason, c.says)) {
			t.Errorf("%+v: got the error %v", c, err)
		}
	}
}

// TestObstacles checks what a module is in the way of.
func TestObstacles(t *testing.T) {
	for _, c := range []struct {
		name        string
		r           rewrite.Report
		reuse, park string // are part of the obstacles; empty: there is none
	}{
		{"nothing", rewrite.Report{Module: &module.Module{}, Folded: true}, "", ""},
		{"data", rewrite.Report{Module: &module.Module{}}, "depends on a global", ""},
		{"start section", rewrite.Report{Module: &module.Module{Start: true}, Folded: true}, "", ""},
		{"exceptions",
			rewrite.Report{Module: &module.Module{Analysis: module.Analysis{Exceptions: true}}, Exceptions: "they are odd",
				Folded: true}, "", "they are odd"},
		{"several", rewrite.Report{Module: &module.Module{Analysis: module.Analysis{Drops: true, TableWrites: true}}},
			"tables, it drops segments, where its data goes depends on a global", ""},
	} {
		o := obstaclesOf(&c.r)
		if (o.reuse == "") != (c.reuse == "") || !strings.Contains(o.reuse, c.reuse) || (o.park == "") != (c.park == "") ||
			!strings.Contains(o.park, c.park) {
			t.Errorf("%s: got %+v", c.name, o)
		}
	}
}
