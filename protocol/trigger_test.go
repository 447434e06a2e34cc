package protocol

import (
	"strings"
	"testing"
	"time"
)

// What is wrong with a trigger is told of with its key and what to do.
func TestTriggerProblems(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, test := range []struct {
		trigger   Trigger
		key, text string // empty: it is right
	}{
		{Trigger{Subject: "orders.*", Queue: "w", To: "done.{1}"}, "", ""},
		{Trigger{Stream: "ORDERS", Filter: "orders.eu.>", Batch: 50, Window: Duration(time.Second), To: "done"}, "", ""},
		{Trigger{Stream: "KV_prices", Filter: "$KV.prices.>", Ordered: true, Start: "all"}, "", ""},
		{Trigger{Stream: "ORDERS", Filter: "bestellungen.größe.*", Start: "42", To: "done.{1}"}, "", ""},
		{Trigger{Stream: "ORDERS", Start: "2026-12-01T08:00:00+01:00"}, "", ""},
		{Trigger{Schedule: "*/5 * * * *", Zone: "Asia/Seoul", Missed: "all", Overlap: "skip", To: "ticks"}, "", ""},
		{Trigger{KV: "prices"}, "", ""},
		{Trigger{KV: "prices.eu.*", Create: true, To: "done.{1}"}, "", ""},
		{Trigger{Object: "uploads", Start: "all", Create: true, To: "done"}, "", ""},

		{Trigger{}, "subject", "it has no source: give it one of subject, stream, schedule, kv, object"},
		{Trigger{Batch: 5}, "subject", "it has no source"},
		{Trigger{Subject: "a", KV: "b"}, "kv", "several sources, subject, kv: write a [[trigger]] for each"},
		{Trigger{Subject: "fn.x"}, "subject", "polyvoke needs itself"},
		{Trigger{Stream: "a b"}, "stream", "no blanks"},
		{Trigger{Stream: "a\x00b"}, "stream", "no blanks"},
		{Trigger{Stream: "a.b"}, "stream", "no blanks, dots"},
		{Trigger{Stream: "größe"}, "stream", "no blanks"},
		{Trigger{Stream: long}, "stream", "300 bytes; at most 255"},
		{Trigger{Stream: "FN_JOB_x"}, "stream", "polyvoke's own"},
		{Trigger{Stream: "KV_fn_marks"}, "stream", "polyvoke's own"},
		{Trigger{Stream: "OBJ_fn_modules"}, "stream", "polyvoke's own"},
		{Trigger{Stream: "S", Queue: "w"}, "queue", "queue belongs to a trigger with subject, not to one with stream"},
		{Trigger{Stream: "S", Zone: "UTC"}, "zone", "belongs to a trigger with schedule"},
		{Trigger{Stream: "S", Missed: "all"}, "missed", "belongs to a trigger with schedule"},
		{Trigger{Stream: "S", Overlap: "skip"}, "overlap", "belongs to a trigger with schedule"},
		{Trigger{Stream: "S", Filter: "a..b"}, "filter", "token 2"},
		{Trigger{Stream: "S", Filter: "a.>.b"}, "filter", "token 2"},
		{Trigger{Stream: "S", Filter: "a.b\x01"}, "filter", "control character"},
		{Trigger{Stream: "S", Filter: strings.Repeat("x.", 600)}, "filter", "1200 bytes; at most 1024"},
		{Trigger{Stream: "S", Batch: 1001}, "batch", "batch must be 1 to 1000"},
		{Trigger{Stream: "S", Batch: -1}, "batch", "batch must be 1 to 1000"},
		{Trigger{Stream: "S", Batch: 5, Window: Duration(time.Minute)}, "window", "at most 10s"},
		{Trigger{Stream: "S", Window: 1}, "window", "give the trigger batch = 50"},
		{Trigger{Stream: "S", Batch: 5, Ordered: true}, "batch", "take off batch, or ordered"},
		{Trigger{Stream: "S", Batch: 5, Events: true}, "batch", "take off batch, or events"},
		{Trigger{Stream: "S", Batch: 5, Filter: "a.*", To: "b.{1}"}, "to", "a batch has no wildcard 1"},
		{Trigger{Stream: "S", To: "b.{1}"}, "to", "stream S has no wildcard 1"},
		{Trigger{Stream: "S", To: "job.x"}, "to", "polyvoke needs itself"},
		{Trigger{Stream: "S", Create: true}, "create", "create makes a stream of the subjects in filter"},
		{Trigger{Stream: "S", Create: true, Filter: "fn.>"}, "create", "not reserved"},
		{Trigger{Stream: "S", Start: "yesterday"}, "start", `use "new", "all", the sequence`},
		{Trigger{Stream: "S", Start: "0"}, "start", "use"},
		{Trigger{Stream: "S", Start: "-1"}, "start", "use"},
		{Trigger{Stream: "S", Start: "0001-01-01T00:00:00Z"}, "start", "use"},
		{Trigger{Subject: "a", Start: "all"}, "start", "belongs to a trigger with stream or kv or object"},
		{Trigger{Schedule: long}, "schedule", "at most 256"},
		{Trigger{Schedule: "* * *"}, "schedule", "3 fields"},
		{Trigger{Schedule: "0 25 * * *"}, "schedule", "use 0 to 23"},
		{Trigger{Schedule: "@every 10ms"}, "schedule", "whole seconds"},
		{Trigger{Schedule: "@daily", Zone: strings.Repeat("z", 65)}, "zone", "Asia/Seoul"},
		{Trigger{Schedule: "@daily", Zone: "Mars/Olympus"}, "zone", "Asia/Seoul"},
		{Trigger{Schedule: "@every 10s", Zone: "Asia/Seoul"}, "zone", "take zone away"},
		{Trigger{Schedule: "@daily", Missed: "none"}, "missed", "use one of once, all, skip"},
		{Trigger{Schedule: "@daily", Overlap: "none"}, "overlap", "use one of queue, skip"},
		{Trigger{Schedule: "@daily", Create: true}, "create", "belongs to a trigger with stream"},
		{Trigger{KV: "pri ces"}, "kv", "letters, digits"},
		{Trigger{KV: "fn_results.x"}, "kv", "polyvoke's own"},
		{Trigger{KV: "prices."}, "kv", "write BUCKET, or BUCKET.KEYS"},
		{Trigger{KV: "prices.a..b"}, "kv", "token 2"},
		{Trigger{KV: ".a"}, "kv", "letters, digits"},
		{Trigger{Object: "a.b"}, "object", "letters, digits"},
		{Trigger{Object: long}, "object", "300 bytes; at most 251"},
	} {
		f := Function{Name: "f", Triggers: []Trigger{test.trigger}}
		all := f.Problems()
		if test.key == "" {
			if len(all) > 0 {
				t.Errorf("%+v: %v", test.trigger, all)
			}
			continue
		}
		if len(all) == 0 || all[0].Key != "trigger[0]."+test.key || !strings.Contains(all[0].Msg, test.text) ||
			len(all[0].Msg) > 400 {
			t.Errorf("%.80v: %v, want %s: %s", test.trigger, all, test.key, test.text)
		}
	}
}

// Two triggers must not make two jobs of an event.
func TestTwinTriggers(t *testing.T) {
	for _, test := range []struct {
		a, b Trigger
		twin bool
	}{
		{Trigger{Stream: "S"}, Trigger{Stream: "S", Batch: 5}, true},
		{Trigger{Stream: "S"}, Trigger{Stream: "S", Filter: "a.>"}, false},
		{Trigger{KV: "b.x"}, Trigger{KV: "b.x", Start: "all"}, true},
		{Trigger{KV: "b"}, Trigger{Object: "b"}, false},
		{Trigger{Schedule: "@daily"}, Trigger{Schedule: "@daily", Zone: "Asia/Seoul"}, false},
		{Trigger{Schedule: "@daily"}, Trigger{Schedule: "@daily", Missed: "all"}, true},
	} {
		f := Function{Name: "f", Triggers: []Trigger{test.a, test.b}}
		all := f.Problems()
		if twin := len(all) == 1 && strings.Contains(all[0].Msg, "that of trigger 1 too"); twin != test.twin ||
			len(all) > 1 {
			t.Errorf("%v and %v: %v", test.a, test.b, all)
		}
		if same := test.a.SourceID() == test.b.SourceID(); same != test.twin {
			t.Errorf("%v and %v: the ids of sources are the same: %t", test.a, test.b, same)
		}
	}
}

func TestTriggerSource(t *testing.T) {
	for _, test := range []struct {
		trigger                               Trigger
		source, text, stream, filter, pattern string
	}{
		{Trigger{Subject: "a.*"}, "subject", "a.*", "", "", "a.*"},
		{Trigger{Stream: "S"}, "stream", "stream S", "S", "", ""},
		{Trigger{Stream: "S", Filter: "a.*"}, "stream", "stream S, a.*", "S", "a.*", "a.*"},
		{Trigger{Stream: "S", Filter: "a.*", Batch: 5}, "stream", "stream S, a.*", "S", "a.*", ""},
		{Trigger{Schedule: "@daily"}, "schedule", "schedule @daily", "", "", ""},
		{Trigger{Schedule: "@daily", Zone: "Asia/Seoul"}, "schedule", "schedule @daily, Asia/Seoul", "", "", ""},
		{Trigger{KV: "b"}, "kv", "kv b", "KV_b", "$KV.b.>", "$KV.b.>"},
		{Trigger{KV: "b.eu.*"}, "kv", "kv b.eu.*", "KV_b", "$KV.b.eu.*", "$KV.b.eu.*"},
		{Trigger{Object: "b"}, "object", "object b", "OBJ_b", "$O.b.M.>", ""},
	} {
		stream, filter := test.trigger.SourceStream()
		if got := test.trigger; got.Source() != test.source || got.String() != test.text || stream != test.stream ||
			filter != test.filter || got.Pattern() != test.pattern || got.Durable() == (test.source == "subject") {
			t.Errorf("%+v: %s, %s, %s, %s, %s", got, got.Source(), got, stream, filter, got.Pattern())
		}
	}
	id := Trigger{Stream: "S"}.EventID(1<<63, time.UnixMicro(1<<62))
	if err := checkJobID(id); err != nil || CheckJobID(id) == nil {
		t.Errorf("the id %q of an event: %v", id, err)
	}
}

// A function's needs name the sources of its triggers, and a subject names none.
func TestTriggerNeeds(t *testing.T) {
	f := Function{Name: "f", Triggers: []Trigger{{Subject: "a"}, {KV: "b"}, {Stream: "S"}}}
	if got := strings.Join(f.Needed(), " "); got != "kv stream" || !f.HasQueue() {
		t.Errorf("it needs %q, queue %t", got, f.HasQueue())
	}
	f.Triggers = f.Triggers[:1]
	if got := f.Needed(); got != nil || f.HasQueue() {
		t.Errorf("it needs %q, queue %t", got, f.HasQueue())
	}
	if _, ok := f.Trigger(TriggerKey{}); ok {
		t.Error("the key of nothing names a trigger")
	}
}

func TestParseStart(t *testing.T) {
	for _, test := range []struct {
		text string
		want Start
	}{
		{"", Start{}}, {"new", Start{}}, {"all", Start{All: true}}, {"42", Start{Sequence: 42}},
		{"2026-12-01T08:00:00Z", Start{Time: time.Date(2026, 12, 1, 8, 0, 0, 0, time.UTC)}},
	} {
		if got, err := ParseStart(test.text); err != nil || got != test.want {
			t.Errorf("%q: %+v, %v", test.text, got, err)
		}
	}
}
