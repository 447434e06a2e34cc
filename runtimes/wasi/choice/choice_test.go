package choice

import (
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/module/rewrite"
)

// TestChoose checks which kind is the best, and that the reason says what has decided it.
func TestChoose(t *testing.T) {
	const slow = slowStart
	for _, c := range []struct {
		p    Program
		kind string
		why  string // is part of the reason
	}{
		{Program{}, runtimes.StartReset, "only 0 units"},
		{Program{Fuel: slow - 1}, runtimes.StartReset, "only 999999 units"},
		{Program{Fuel: slow}, runtimes.StartCheckpoint, "1000000 units of fuel, and needs neither"},
		{Program{Fuel: slow, Renews: true}, runtimes.StartCheckpoint, "and needs neither"},
		{Program{Fuel: slow, Draws: true, Renews: true}, runtimes.StartCheckpoint, "and it renews"},
		{Program{Fuel: slow, Draws: true}, runtimes.StartPrefork, "takes 1000000 units of fuel"},
		{Program{Obstacles: Obstacles{Park: "it sleeps"}, Fuel: slow}, runtimes.StartReset, "it sleeps"},
		{Program{Obstacles: Obstacles{Reuse: "it has many tables"}, Fuel: slow}, runtimes.StartPrefork, "takes 1000000 units of fuel"},
		{Program{Obstacles: Obstacles{Reuse: "it has many tables"}}, runtimes.StartFresh, "it has many tables"},
		{Program{Obstacles: Obstacles{Reuse: "it has many tables", Park: "it sleeps"}, Fuel: slow}, runtimes.StartFresh, "it has many tables"},
	} {
		for _, want := range []string{"", runtimes.StartAuto} {
			if kind, why, err := c.p.Choose(want); kind != c.kind || !strings.Contains(why, c.why) || err != nil {
				t.Errorf("%+v: got %q because %q, and the error %v", c.p, kind, why, err)
			}
		}
	}
}

// TestChooseWanted checks what is refused if it is asked for.
func TestChooseWanted(t *testing.T) {
	const reuse, park = "it has many tables", "it sleeps"
	for _, c := range []struct {
		o    Obstacles
		want string
		says string // is part of the error; empty: there is none
	}{
		{Obstacles{reuse, park}, runtimes.StartFresh, ""},
		{Obstacles{"", park}, runtimes.StartReset, ""},
		{Obstacles{reuse, ""}, runtimes.StartReset, reuse},
		{Obstacles{reuse, ""}, runtimes.StartPrefork, ""},
		{Obstacles{"", park}, runtimes.StartPrefork, park},
		{Obstacles{}, runtimes.StartCheckpoint, ""},
		{Obstacles{reuse, ""}, runtimes.StartCheckpoint, reuse},
		{Obstacles{"", park}, runtimes.StartCheckpoint, park},
		{Obstacles{}, "slowly", `no start kind "slowly"`},
	} {
		kind, why, err := Program{Obstacles: c.o}.Choose(c.want)
		if kind != c.want || why != "it was asked for" {
			t.Errorf("%+v: got %q because %q", c, kind, why)
		}
		var refused *runtimes.ModuleError
		if c.says == "" && err != nil || c.says != "" && (!errors.As(err, &refused) || !strings.Contains(refused.Reason, c.says)) {
			t.Errorf("%+v: got the error %v", c, err)
		}
	}
}

// TestJudge checks what a module is in the way of.
func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name        string
		r           rewrite.Report
		reuse, park string // are part of the obstacles; empty: there is none
	}{
		{"nothing", rewrite.Report{Module: &module.Module{}, Folded: true}, "", ""},
		{"data", rewrite.Report{Module: &module.Module{}}, "depends on a global", ""},
		{"start section", rewrite.Report{Module: &module.Module{Start: true}, Folded: true}, "", ""},
		{"exceptions", rewrite.Report{Module: &module.Module{Analysis: module.Analysis{Exceptions: true}}, Exceptions: "they are odd", Folded: true}, "", "they are odd"},
		{"several", rewrite.Report{Module: &module.Module{Analysis: module.Analysis{Drops: true, TableWrites: true}}}, "tables, it drops segments, where its data goes depends on a global", ""},
	} {
		o := Judge(&c.r)
		if (o.Reuse == "") != (c.reuse == "") || !strings.Contains(o.Reuse, c.reuse) || (o.Park == "") != (c.park == "") || !strings.Contains(o.Park, c.park) {
			t.Errorf("%s: got %+v", c.name, o)
		}
	}
}
