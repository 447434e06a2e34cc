package invoker

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// Every function is a NATS service (ADR-32), so that nats micro ls, info and stats show it with
// no tool of ours. The answers are built here, from the types of nats.go/micro: its own
// services run an endpoint's handlers one at a time, count wrongly what is handed to a
// goroutine, and cannot take an endpoint away (see RATIONALE.md beside this file).

// discovery answers for all functions, however many come and go. It has a subject for each, so that
// the server itself answers, at once, a client that asks for a service that does not exist.
type discovery struct {
	svc  *service
	list func() []*function
	subs []*nats.Subscription // of the subjects that mean every service
	done chan struct{}
}

// serveDiscovery begins to answer for the functions that list returns.
func serveDiscovery(s *service, list func() []*function) (*discovery, error) {
	d := &discovery{svc: s, list: list, done: make(chan struct{})}
	for _, verb := range []micro.Verb{micro.PingVerb, micro.InfoVerb, micro.StatsVerb} {
		sub, err := s.nc.ChanSubscribe(micro.APIPrefix+"."+verb.String(), s.asked)
		if err != nil {
			return nil, err
		}
		d.subs = append(d.subs, sub)
	}
	go d.run()
	return d, s.flushes.roundTrip()
}

// run answers until a nil message comes.
func (d *discovery) run() {
	defer close(d.done)
	for m := range d.svc.asked {
		if m == nil {
			return
		}
		d.answer(m)
	}
}

// end answers what has come in and returns. The functions' own subjects must be gone by then.
func (d *discovery) end() {
	for _, s := range d.subs {
		_ = s.Drain() // an error means that the connection is gone, and with it all who ask
	}
	d.svc.asked <- nil
	<-d.done
}

// answer answers for every function that a subject $SRV.VERB[.NAME[.ID]] means.
func (d *discovery) answer(m *nats.Msg) {
	if err := protocol.CheckReply(m.Reply, d.svc.line); err != nil {
		d.svc.log.Warn("discovery not answered", "subject", m.Subject, "err", err)
		return
	}
	part := append(strings.Split(m.Subject, "."), "", "")
	verb, name, id := part[1], part[2], part[3]
	for _, f := range d.list() {
		if name != "" && name != f.name || id != "" && id != f.id {
			continue
		}
		answer := f.describe(verb)
		if answer == nil {
			return
		}
		b, err := within(answer, int(d.svc.nc.MaxPayload()))
		if err == nil {
			err = m.Respond(b)
		}
		if err != nil {
			d.svc.log.Warn("discovery not answered", "function", f.name, "err", err)
		}
	}
}

// within returns an answer in JSON, of at most that many bytes. One that would be longer, as of a function with many
// triggers, has fewer endpoints, and says in its metadata how many are left out.
func within(answer any, most int) ([]byte, error) {
	for {
		b, err := json.Marshal(answer)
		if err != nil || len(b) <= most {
			return b, err
		}
		switch a := answer.(type) {
		case micro.Info:
			a.Endpoints, err = fewer(a.Endpoints, a.Metadata)
			answer = a
		case micro.Stats:
			a.Endpoints, err = fewer(a.Endpoints, a.Metadata)
			answer = a
		default:
			err = errTooLong
		}
		if err != nil {
			return nil, err
		}
	}
}

var errTooLong = errors.New("the answer is longer than a NATS message may be (max_payload)")

// fewer leaves out the second half of an answer's endpoints: the last ones are triggers.
func fewer[T any](endpoints []T, metadata map[string]string) ([]T, error) {
	n := len(endpoints) / 2
	if n == 0 {
		return nil, errTooLong
	}
	before, _ := strconv.Atoi(metadata["endpoints_left_out"])
	metadata["endpoints_left_out"] = strconv.Itoa(before + len(endpoints) - n)
	return endpoints[:n], nil
}

// describe returns the answer to a verb, or nil if it is none.
func (f *function) describe(verb string) any {
	switch verb {
	case micro.PingVerb.String():
		return f.ping()
	case micro.InfoVerb.String():
		return f.info()
	case micro.StatsVerb.String():
		return f.serviceStats()
	}
	return nil
}

// identity is the part that all answers have in common.
func (f *function) identity() micro.ServiceIdentity {
	m := f.manifest()
	return micro.ServiceIdentity{
		Name: f.name, ID: f.id, Version: fmt.Sprintf("%d.0.0", m.Version),
		Metadata: map[string]string{
			"abi": "wasi_snapshot_preview1", "language": m.Language, "digest": m.Digest,
			"size": fmt.Sprint(m.Size), "version": fmt.Sprint(m.Version), "invoker": f.svc.version,
		},
	}
}

func (f *function) ping() micro.Ping {
	return micro.Ping{ServiceIdentity: f.identity(), Type: micro.PingResponseType}
}

func (f *function) info() micro.Info {
	info := micro.Info{ServiceIdentity: f.identity(), Type: micro.InfoResponseType,
		Description: "a function of polyvoke", Endpoints: []micro.EndpointInfo{}}
	for _, e := range f.endpoints() {
		info.Endpoints = append(info.Endpoints, micro.EndpointInfo{
			Name: e.name, Subject: e.subject, QueueGroup: e.queue, Metadata: map[string]string{}})
	}
	return info
}

func (f *function) serviceStats() micro.Stats {
	out := micro.Stats{ServiceIdentity: f.identity(), Type: micro.StatsResponseType,
		Started: f.began, Endpoints: []*micro.EndpointStats{}}
	for i, e := range f.endpoints() {
		n := e.stats.Figures()
		figures := f.figures(n)
		if i == 0 {
			figures.Versions, figures.Aliases = f.versions.counted()
		}
		data, _ := json.Marshal(figures) // numbers and strings only: it cannot fail
		s := &micro.EndpointStats{
			Name: e.name, Subject: e.subject, QueueGroup: e.queue, Data: data,
			NumRequests: int(n.Requests), NumErrors: int(n.Errors), LastError: n.LastError, ProcessingTime: n.Time,
		}
		if s.NumRequests > 0 {
			s.AverageProcessingTime = s.ProcessingTime / time.Duration(s.NumRequests)
		}
		out.Endpoints = append(out.Endpoints, s)
	}
	return out
}

// figures adds to what an endpoint has counted what the function is doing.
func (f *function) figures(n stats.Figures) protocol.Stats {
	out := protocol.Stats{Requests: n.Requests, Errors: n.Errors, Cold: n.Cold, P50: n.P50, P99: n.P99,
		Memory: n.Memory}
	out.InFlight, out.Waiting = f.queue.Counts()
	m := f.manifest()
	out.Digest, out.Language, out.Version = m.Digest, m.Language, m.Version
	out.Start, out.StartReason = f.versions.start()
	return out
}

// listed is a subject of a function with its figures.
type listed struct {
	name, subject, queue string
	stats                *stats.Endpoint
}

// endpoints returns fn.NAME and the triggers.
func (f *function) endpoints() []listed {
	m := f.manifest()
	all := []listed{{"call", protocol.RootCall + "." + f.name, protocol.QueueGroup, f.calls}}
	for i, t := range m.SubjectTriggers() {
		all = append(all, listed{fmt.Sprintf("trigger-%d", i+1), t.Subject, t.QueueOf(f.name), f.endpoint(t.Subject)})
	}
	return all
}
