package client

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

func TestSum(t *testing.T) {
	one := protocol.Stats{Requests: 3, Errors: 1, InFlight: 2, Waiting: 1, Cold: 1, P50: 2, P99: 9, Version: 1,
		Digest: "a", Start: "fresh", Versions: []protocol.VersionStats{{Version: 1, Requests: 3, Errors: 1}},
		Aliases: []protocol.AliasStats{{Alias: "live", Revision: 7, Version: 1, Requests: 2, P99: 9}}}
	two := protocol.Stats{Requests: 4, P50: 5, P99: 6, Version: 2, Digest: "b", Start: "reset", StartReason: "quick",
		Versions: []protocol.VersionStats{{Version: 1, Requests: 3}, {Version: 2, Requests: 1}},
		Aliases:  []protocol.AliasStats{{Alias: "live", Revision: 7, Version: 1, Requests: 1, P99: 6}}}
	want := protocol.Stats{Requests: 7, Errors: 1, InFlight: 2, Waiting: 1, Cold: 1, P50: 5, P99: 9, Version: 2,
		Digest: "b", Start: "reset", StartReason: "quick",
		Versions: []protocol.VersionStats{{Version: 1, Requests: 6, Errors: 1}, {Version: 2, Requests: 1}},
		Aliases:  []protocol.AliasStats{{Alias: "live", Revision: 7, Version: 1, Requests: 3, P99: 9}}}
	for _, all := range [][]MemberStats{{{Stats: one}, {Stats: two}}, {{Stats: two}, {Stats: one}}} {
		if got := Sum(all); !reflect.DeepEqual(got, want) {
			t.Errorf("Sum(%+v) = %+v, want %+v", all, got, want)
		}
	}
	if got := Sum(nil); !reflect.DeepEqual(got, protocol.Stats{}) {
		t.Errorf("nothing sums up to %+v", got)
	}
}

// TestFiguresOfStrangers lets somebody answer for invokers who is none: what it says of itself is no subject to ask,
// and what it answers is no reply.
func TestFiguresOfStrangers(t *testing.T) {
	c := startNATS(t, 0)
	c.Timeout = patience
	respond := func(subject string, answers ...string) {
		_, err := c.Conn.Subscribe(subject, func(m *nats.Msg) {
			for _, a := range answers {
				_ = m.Respond([]byte(a))
			}
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	pong := func(id string) string {
		b, err := json.Marshal(protocol.Pong{Member: protocol.Member{ID: id, Host: "h", Version: "1"}})
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	respond(protocol.APIPing.Subject(), pong("good"), pong("bad"), pong("a.b"), pong(">"), pong("x y"), pong(""),
		pong(strings.Repeat("x", 200)), "{", pong("silent"))
	respond(protocol.APIInfo.At("good"), `{"stats":{"requests":5}}`)
	respond(protocol.APIInfo.At("bad"), `{"stats":"none"}`)
	respond(protocol.APIInfo.At("silent"))
	if err := c.Conn.Flush(); err != nil {
		t.Fatal(err)
	}
	begun := time.Now()
	all, err := c.Figures(t.Context(), "f")
	if err != nil || len(all) != 1 || all[0].ID != "good" || all[0].Stats.Requests != 5 {
		t.Errorf("got %+v, error %v", all, err)
	}
	if took := time.Since(begun); took > patience {
		t.Errorf("one that says nothing was waited for %s", took)
	}
	if _, err := c.Figures(t.Context(), "no name"); protocol.CodeOf(err) != protocol.CodeBadRequest {
		t.Errorf("a name that is none: %v", err)
	}
}
