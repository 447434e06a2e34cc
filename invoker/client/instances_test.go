package client

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/protocol"
)

// TestMeter has invokers that start anew, answers that are lost, and numbers that go back.
func TestMeter(t *testing.T) {
	start := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	one := func(id string, began, requests, errors int) Instance {
		return Instance{Name: "f", ID: id, Started: start.Add(time.Duration(began) * time.Second),
			Time:  time.Duration(requests) * time.Millisecond,
			Stats: protocol.Stats{Requests: int64(requests), Errors: int64(errors), InFlight: 1, Memory: uint64(requests)}}
	}
	var m Meter
	for i, row := range []struct {
		at       int
		all      []Instance
		rate     float64
		failures float64
		mean     time.Duration
		invokers int
	}{
		{0, []Instance{one("a", -100, 1000, 10), one("b", -100, 1000, 10)}, 0, 0, 0, 2},
		{2, []Instance{one("a", -100, 1020, 12), one("b", -100, 1000, 10)}, 10, 1, time.Millisecond, 2},
		{4, []Instance{one("a", -100, 1040, 12), one("c", 3, 20, 0)}, 20, 0, time.Millisecond, 2}, // b has started anew, as c
		{6, []Instance{one("c", 3, 40, 0)}, 10, 0, time.Millisecond, 1},                           // the answer of a is lost
		{8, []Instance{one("a", -100, 1120, 12), one("c", 3, 60, 0)}, 30, 0, time.Millisecond, 2}, // 80 calls in 4 s
		{10, []Instance{one("a", -100, 4, 0), one("c", 3, 60, 0)}, 2, 0, time.Millisecond, 2},     // the numbers went back
		{12, []Instance{one("a", -100, 4, 0), one("c", 3, 60, 0), one("d", -100, 5000, 0)}, 0, 0, 0, 3},
		{14, nil, 0, 0, 0, 0},
	} {
		loads := m.Add(row.all, start.Add(time.Duration(row.at)*time.Second))
		if len(row.all) == 0 {
			if len(loads) != 0 {
				t.Errorf("%d: %v", i, loads)
			}
			continue
		}
		l := loads[0]
		if l.Rate != row.rate || l.Failures != row.failures || l.Mean != row.mean || l.Invokers != row.invokers ||
			l.Running != row.invokers {
			t.Errorf("%d: %+v, want %+v", i, l, row)
		}
	}
}

// TestParseInstance reads answers that anybody may have sent.
func TestParseInstance(t *testing.T) {
	answer := func(change func(*micro.Stats)) []byte {
		s := micro.Stats{Type: micro.StatsResponseType, ServiceIdentity: micro.ServiceIdentity{Name: "f", ID: "i",
			Metadata: map[string]string{"abi": "wasi_snapshot_preview1"}}}
		for n := range 2 {
			data := fmt.Sprintf(`{"requests":%d,"errors":1,"in_flight":3,"waiting":4,"p99":%d,"memory":5}`, n+1, n)
			s.Endpoints = append(s.Endpoints, &micro.EndpointStats{Data: json.RawMessage(data), ProcessingTime: time.Second})
		}
		change(&s)
		b, err := json.Marshal(s)
		if err != nil {
			t.Fatal(err)
		}
		return b
	}
	i, ok := parseInstance(answer(func(*micro.Stats) {}))
	if s := i.Stats; !ok || s.Requests != 3 || s.Errors != 2 || s.InFlight != 3 || s.Waiting != 4 || s.P99 != 1 ||
		s.Memory != 5 || i.Time != 2*time.Second {
		t.Errorf("the figures are %+v, %t", i, ok)
	}
	for name, b := range map[string][]byte{
		"no document":  []byte("x"),
		"another type": answer(func(s *micro.Stats) { s.Type = "x" }),
		"no function":  answer(func(s *micro.Stats) { s.Metadata = nil }),
		"a bad name":   answer(func(s *micro.Stats) { s.Name = "a\x1b[31m" }),
		"a bad id":     answer(func(s *micro.Stats) { s.ID = strings.Repeat("x", 1000) }),
	} {
		if i, ok := parseInstance(b); ok {
			t.Errorf("%s: %+v", name, i)
		}
	}
	if i, ok := parseInstance(answer(func(s *micro.Stats) {
		s.Endpoints = []*micro.EndpointStats{nil, {Data: json.RawMessage(`{"requests":-5,"in_flight":-1}`)}, {Data: json.RawMessage(`7`)}}
	})); !ok || i.Stats.Requests != 0 || i.Stats.InFlight != 0 {
		t.Errorf("hostile figures are %+v, %t", i, ok)
	}
}
