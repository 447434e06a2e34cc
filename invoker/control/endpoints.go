package control

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/google/uuid"
	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/stats"
	"github.com/polyvoke/polyvoke/protocol"
)

// Endpoints are the verbs on NATS, as a service of ADR-32 that tools find. nats.go's own services answer whoever asks
// about them on whatever subject the question names: {"name":"polyvoke",...} as a request to remove, for one. These
// answer nothing that protocol.CheckReply refuses.
type Endpoints struct {
	service *Service
	info    micro.Info
	started time.Time
	stats   []*stats.Endpoint // of each of info's

	mu   sync.Mutex
	subs []*nats.Subscription
}

// describe begins to answer discovery.
func (s *Service) describe() (*Endpoints, error) {
	id, err := uuid.NewV7()
	if err != nil {
		return nil, err
	}
	e := &Endpoints{service: s, started: time.Now().UTC()}
	e.info = micro.Info{Type: micro.InfoResponseType, Description: "control of polyvoke's functions",
		Endpoints: []micro.EndpointInfo{},
		ServiceIdentity: micro.ServiceIdentity{Name: "polyvoke", ID: id.String(), Version: s.Version,
			Metadata: map[string]string{}}}
	for verb, answer := range map[micro.Verb]func() any{micro.PingVerb: e.ping,
		micro.InfoVerb: func() any { return e.Info() }, micro.StatsVerb: e.figures} {
		subject := micro.APIPrefix + "." + verb.String()
		for _, subject := range []string{subject, subject + ".polyvoke", subject + ".polyvoke." + e.info.ID} {
			err := e.listen(subject, "", func(r *request) { s.failed(r, r.RespondJSON(answer())) })
			if err != nil {
				return nil, errors.Join(err, e.Stop())
			}
		}
	}
	return e, nil
}

// add begins to answer a verb.
func (e *Endpoints) add(verb protocol.APIVerb, handle func(micro.Request)) error {
	n := new(stats.Endpoint)
	e.mu.Lock()
	e.stats = append(e.stats, n)
	e.info.Endpoints = append(e.info.Endpoints, micro.EndpointInfo{Name: string(verb), Subject: verb.Subject(),
		QueueGroup: protocol.QueueGroup, Metadata: map[string]string{}})
	e.mu.Unlock()
	return e.listen(verb.Subject(), protocol.QueueGroup, func(r *request) {
		r.began, r.stats = time.Now(), n
		handle(r)
		r.count() // if it was not answered
	})
}

// listen hands what comes on a subject to a handler, one message at a time, but for what must not be answered.
func (e *Endpoints) listen(subject, queue string, handle func(*request)) error {
	sub, err := e.service.NC.QueueSubscribe(subject, queue, func(m *nats.Msg) {
		if e.service.answers(m) {
			handle(&request{msg: m})
		}
	})
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs = append(e.subs, sub)
	return nil
}

// answers reports whether a request may be answered, and logs it if not. Nothing may be done then.
func (s *Service) answers(m *nats.Msg) bool {
	err := protocol.CheckReply(m.Reply, s.Line)
	if err != nil {
		id := protocol.CleanValue(protocol.Header(m.Header).Get(protocol.HeaderID), protocol.MaxID)
		s.Log.Warn("control request refused, and not answered", "subject", m.Subject, "id", id, "err", err)
	}
	return err == nil
}

// Stop takes no new request. Those that have come in are still answered.
func (e *Endpoints) Stop() error {
	e.mu.Lock()
	defer e.mu.Unlock()
	var errs []error
	for _, sub := range e.subs {
		if err := sub.Drain(); !errors.Is(err, nats.ErrConnectionClosed) {
			errs = append(errs, err)
		}
	}
	e.subs = nil
	return errors.Join(errs...)
}

func (e *Endpoints) ping() any {
	return micro.Ping{ServiceIdentity: e.info.ServiceIdentity, Type: micro.PingResponseType}
}

// Info returns what the service says about itself.
func (e *Endpoints) Info() micro.Info {
	e.mu.Lock()
	defer e.mu.Unlock()
	info := e.info
	info.Endpoints = slices.Clone(info.Endpoints)
	return info
}

func (e *Endpoints) figures() any {
	e.mu.Lock()
	defer e.mu.Unlock()
	out := micro.Stats{ServiceIdentity: e.info.ServiceIdentity, Type: micro.StatsResponseType, Started: e.started,
		Endpoints: []*micro.EndpointStats{}}
	for i, info := range e.info.Endpoints {
		n := e.stats[i].Figures()
		one := &micro.EndpointStats{Name: info.Name, Subject: info.Subject, QueueGroup: info.QueueGroup,
			NumRequests: int(n.Requests), NumErrors: int(n.Errors), LastError: n.LastError, ProcessingTime: n.Time}
		if one.NumRequests > 0 {
			one.AverageProcessingTime = one.ProcessingTime / time.Duration(one.NumRequests)
		}
		out.Endpoints = append(out.Endpoints, one)
	}
	return out
}

// request is a message as verbs see it.
type request struct {
	msg     *nats.Msg
	began   time.Time
	stats   *stats.Endpoint // that it is still to be counted in
	failure string          // what it is answered with, CODE:TEXT
}

var _ micro.Request = (*request)(nil)

// count counts the request, once, before it is answered: whoever has the answer finds it counted.
func (r *request) count() {
	if r.stats != nil {
		r.stats.Count(time.Since(r.began), r.failure)
		r.stats = nil
	}
}

// Respond implements micro.Request.
func (r *request) Respond(body []byte, more ...micro.RespondOpt) error {
	m := &nats.Msg{Data: body}
	for _, change := range more {
		change(m)
	}
	r.count()
	return r.msg.RespondMsg(m)
}

// RespondJSON implements micro.Request.
func (r *request) RespondJSON(v any, more ...micro.RespondOpt) error {
	body, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("%w: %w", micro.ErrMarshalResponse, err)
	}
	return r.Respond(body, more...)
}

// Error implements micro.Request.
func (r *request) Error(code, text string, body []byte, more ...micro.RespondOpt) error {
	r.failure = code + ":" + text
	return r.Respond(body, append([]micro.RespondOpt{func(m *nats.Msg) {
		m.Header = nats.Header{protocol.HeaderError: {text}, protocol.HeaderErrorCode: {code}}
	}}, more...)...)
}

// Data implements micro.Request.
func (r *request) Data() []byte { return r.msg.Data }

// Headers implements micro.Request.
func (r *request) Headers() micro.Headers { return micro.Headers(r.msg.Header) }

// Subject implements micro.Request.
func (r *request) Subject() string { return r.msg.Subject }

// Reply implements micro.Request.
func (r *request) Reply() string { return r.msg.Reply }
