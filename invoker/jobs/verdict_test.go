package jobs

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestVerdicts says what each reply means for a job.
func TestVerdicts(t *testing.T) {
	refused := func(code int) *protocol.Reply { // by an invoker, before anything ran
		return &protocol.Reply{Exit: -1, Err: protocol.Errorf(code, "", "no")}
	}
	with := func(r *protocol.Reply, report *protocol.Report) *protocol.Reply {
		r.Report = report
		return r
	}
	idle, begun := &protocol.Report{}, &protocol.Report{Duration: time.Second}
	for _, c := range []struct {
		what   string
		reply  *protocol.Reply
		err    error
		want   judgement
		reason string
	}{
		{"exit 0", success("x"), nil, succeeded, ""},
		{"an exit code that is a reply", &protocol.Reply{Exit: 3}, nil, succeeded, ""},
		{"exit 1", failure(1), nil, again, ""},
		{"exit 64", failure(64), nil, failed, protocol.ReasonVerdict},
		{"exit 65", failure(65), nil, failed, protocol.ReasonVerdict},
		{"exit 66", failure(66), nil, failed, protocol.ReasonVerdict},
		{"exit 69", failure(69), nil, again, ""},
		{"exit 75", failure(75), nil, again, ""},
		{"exit 77", failure(77), nil, failed, protocol.ReasonVerdict},
		{"exit 255", failure(255), nil, again, ""},
		{"a trap", with(refused(500), begun), nil, again, ""},
		{"the deadline", with(refused(504), begun), nil, again, ""},
		{"the deadline, before it began", with(refused(504), idle), nil, nothing, ""},
		{"the deadline in the queue", refused(504), nil, nothing, ""},
		{"out of memory", with(&protocol.Reply{Exit: 1, Err: protocol.Errorf(507, "", "no")}, begun), nil, failed,
			protocol.ReasonVerdict},
		{"too much output", with(refused(502), begun), nil, failed, protocol.ReasonVerdict},
		{"too large", refused(413), nil, failed, protocol.ReasonVerdict},
		{"quarantine", with(refused(422), idle), nil, failed, protocol.ReasonVerdict},
		{"no function", refused(404), nil, failed, protocol.ReasonFunction},
		{"no body", with(refused(404), idle), nil, failed, protocol.ReasonVerdict},
		{"an invoker that ends", refused(503), nil, nothing, ""},
		{"given up while it ran", with(refused(503), begun), nil, nothing, ""},
		{"too many", refused(429), nil, nothing, ""},
		{"no reply: no function", nil, protocol.Errorf(404, "", "no"), failed, protocol.ReasonFunction},
		{"no reply: cannot be", nil, protocol.Errorf(400, "", "no"), failed, protocol.ReasonVerdict},
		{"no reply in time", nil, protocol.Errorf(504, "", "no"), nothing, ""},
		{"no reply", nil, errors.New("?"), nothing, ""},
	} {
		got, reason := verdictOf(c.reply, c.err)
		if got != c.want || reason != c.reason {
			t.Errorf("%s: %d %q, want %d %q", c.what, got, reason, c.want, c.reason)
		}
	}
}

func TestPlace(t *testing.T) {
	for _, c := range []struct {
		reply string
		want  string
	}{
		{"$JS.ACK.FN_JOB_f.run.3.42.7.1700000000000000001.9", "42 3 1700000000000000001 true"},
		{"$JS.ACK.hub.ABCDEF.FN_JOB_f.run.3.42.7.1700000000000000001.9", "42 3 1700000000000000001 true"},
		{"$JS.ACK._.ABCDEF.FN_JOB_f.run.3.42.7.1700000000000000001.9.rnd", "42 3 1700000000000000001 true"},
		{"$JS.ACK.FN_JOB_f.run.3.x.7.1.9", "0 0 0 false"},
		{"$JS.ACK.", "0 0 0 false"},
		{"", "0 0 0 false"},
		{"_INBOX.x", "0 0 0 false"},
		{"$JS.NAK.FN_JOB_f.run.3.42.7.1700000000000000001.9", "0 0 0 false"},
	} {
		p, ok := parsePlace(c.reply)
		at := int64(0)
		if ok {
			at = p.stored.UnixNano()
		}
		if got := fmt.Sprint(p.sequence, p.delivered, at, ok); got != c.want {
			t.Errorf("%s: %s, want %s", c.reply, got, c.want)
		}
	}
}

// FuzzPlace reads reply subjects that anybody can have published.
func FuzzPlace(f *testing.F) {
	f.Add("$JS.ACK.FN_JOB_f.run.3.42.7.1700000000000000001.9")
	f.Add("$JS.ACK.hub.ABCDEF.FN_JOB_f.run.3.42.7.1700000000000000001.9.x")
	f.Fuzz(func(t *testing.T, reply string) {
		if p, ok := parsePlace(reply); !ok && p != (place{}) {
			t.Errorf("%q is no place, and gives %v", reply, p)
		} else if p.delivered < 0 {
			t.Errorf("%q was delivered %d times", reply, p.delivered)
		}
	})
}

// FuzzPubAck reads answers.
func FuzzPubAck(f *testing.F) {
	f.Add(`{"stream":"KV_fn_results","seq":12}`)
	f.Add(`{"stream":"x","seq": 7,"domain":"hub","duplicate":true}`)
	f.Add(`{"error":{"code":400,"err_code":10071,"description":"wrong last sequence: 3"},"stream":"","seq":0}`)
	f.Fuzz(func(t *testing.T, answer string) {
		if sequence, code := parsePubAck([]byte(answer)); sequence > 0 && code > 0 {
			t.Errorf("%q is stored at %d, and the error %d", answer, sequence, code)
		}
	})
}

// TestPace finds how many jobs to have in hand.
func TestPace(t *testing.T) {
	after := func(most, n int, took, waited, gap time.Duration) *pace {
		p := &pace{most: most}
		p.begin()
		now := time.Now()
		for range n {
			now = now.Add(gap)
			p.add(took, waited, now, true)
		}
		return p
	}
	const us, ms = time.Microsecond, time.Millisecond
	for _, c := range []struct {
		what      string
		p         *pace
		room, few int
		inline    bool
	}{
		{"nothing is known", after(64, 0, 0, 0, 0), 8, 1, false},
		{"few may run", after(3, 0, 0, 0, 0), 3, 1, false},
		{"quick jobs", after(64, 100, 5*us, 0, 5*us), 512, 256, true},
		{"quick jobs of which one may run", after(1, 100, 5*us, 0, 5*us), 512, 256, true},
		{"jobs that compute", after(64, 100, ms, 0, ms), 100, 20, false},
		{"jobs that sleep", after(64, 100, time.Second, 0, 15*ms), 64, 1, false},
		{"jobs that wait for one another", after(64, 100, time.Second, 900*ms, 900*ms), 1, 1, false},
	} {
		if got := c.p.few(); got != c.few {
			t.Errorf("%s: %d are worth a request, want %d", c.what, got, c.few)
		}
		if got := c.p.room(); got != c.room || c.p.inline() != c.inline {
			t.Errorf("%s: room for %d, inline %v; want %d, %v", c.what, got, c.p.inline(), c.room, c.inline)
		}
	}
}
