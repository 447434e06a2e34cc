package subjects

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/polyvoke/polyvoke/protocol"
)

// streamsOf says which subjects the streams of the tests take.
func streamsOf(name string) []string {
	return map[string][]string{"ORDERS": {"orders.>", "refunds.*"}}[name]
}

func TestLoops(t *testing.T) {
	onSubject := func(subject, to string) protocol.Trigger { return protocol.Trigger{Subject: subject, To: to} }
	onStream := func(filter, to string) protocol.Trigger {
		return protocol.Trigger{Stream: "ORDERS", Filter: filter, To: to}
	}
	job := func(onFailure string) *protocol.Job { return &protocol.Job{OnFailure: onFailure} }
	for _, test := range []struct {
		name string
		f    protocol.Function
		want []string
	}{
		{"by another trigger", protocol.Function{Triggers: []protocol.Trigger{onSubject("a.*", "b.{1}"),
			onSubject("b.c", "z"), onSubject("c", "d"), onSubject("e", "")}},
			[]string{"a.* passes on to b.{1}, which calls f again by b.c"}},
		{"by itself", protocol.Function{Triggers: []protocol.Trigger{onSubject("ring.>", "ring.{1}")}},
			[]string{"ring.> passes on to ring.{1}, which calls f again by ring.>"}},
		{"by the filter of a stream", protocol.Function{Triggers: []protocol.Trigger{onStream("orders.*", "orders.x")}},
			[]string{"stream ORDERS, orders.* passes on to orders.x, which calls f again by stream ORDERS, orders.*"}},
		{"by a subject of a stream", protocol.Function{Triggers: []protocol.Trigger{onStream("", "refunds.x")}},
			[]string{"stream ORDERS passes on to refunds.x, which calls f again by stream ORDERS"}},
		{"of a schedule", protocol.Function{Triggers: []protocol.Trigger{{Schedule: "* * * * *", To: "ring"},
			onSubject("ring", "")}}, []string{"schedule * * * * * passes on to ring, which calls f again by ring"}},
		{"of dead letters", protocol.Function{Job: job("failed.f"), Triggers: []protocol.Trigger{onSubject("failed.>", "")}},
			[]string{"job.on_failure passes dead letters to failed.f, which calls f again by failed.>"}},
		{"none beside the filter", protocol.Function{Triggers: []protocol.Trigger{onStream("orders.eu", "orders.us")}}, nil},
		{"none of a stream that is not known", protocol.Function{Triggers: []protocol.Trigger{
			{Stream: "OTHERS", To: "orders.x"}}}, nil},
		{"none", protocol.Function{Job: job("failed.f"), Triggers: []protocol.Trigger{onSubject("a", "b")}}, nil},
	} {
		test.f.Name = "f"
		if diff := cmp.Diff(test.want, Loops(&test.f, streamsOf)); diff != "" {
			t.Errorf("%s: -want +got\n%s", test.name, diff)
		}
	}
}

func TestLoopsOver(t *testing.T) {
	f := &protocol.Function{Name: "f", Triggers: []protocol.Trigger{{Subject: "a", To: "b"}}}
	g := &protocol.Function{Name: "g", Triggers: []protocol.Trigger{{Subject: "*", To: "a"}}}
	want := []string{"f: a passes on to b, which calls g; g: * passes on to a, which calls f: " +
		"a loop, which ends after 16 hops"}
	if got := LoopsOver(f, g, nil); !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	g.Triggers[0].To = "c"
	if got := LoopsOver(f, g, nil); got != nil {
		t.Errorf("one way is a loop: %q", got)
	}
	var r Routes
	r.Set(f)
	r.Set(g)
	for pattern, want := range map[string]string{"a": "f g", "b": "g", "a.b": "", ">": "f g"} {
		var names []string
		for _, f := range r.Taking(pattern) {
			names = append(names, f.Name)
		}
		if slices.Sort(names); strings.Join(names, " ") != want {
			t.Errorf("%s is taken by %q, want %s", pattern, names, want)
		}
	}
}
