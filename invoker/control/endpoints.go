package control

import (
	"errors"
	"slices"
	"strconv"
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
	leave   func()            // ends what is for this invoker alone; nil before that has begun

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
		ServiceIdentity: micro.ServiceIdentity{Name: protocol.Service, ID: id.String(), Version: s.Version,
			Metadata: map[string]string{protocol.MetadataMaxModule: strconv.FormatInt(s.MaxModule, 10)}}}
	if s.Durability != "" {
		e.info.Metadata[protocol.MetadataDurability] = s.Durability
	}
	for verb, answer := range map[micro.Verb]func() any{micro.PingVerb: e.ping,
		micro.InfoVerb: func() any { return e.Info() }, micro.StatsVerb: e.figures} {
		subject := micro.APIPrefix + "." + verb.String()
		service := subject + "." + protocol.Service
		for _, subject := range []string{subject, service, service + "." + e.info.ID} {
			err := e.listen(subject, "", func(r *request) {
				s.failed(r, r.RespondJSON(answer()))
				s.send(r.msg, r.answer)
			})
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
		answer := func() {
			began := time.Now()
			handle(r)
			n.Count(time.Since(began), r.failure) // whoever has the answer finds it counted
			e.service.send(r.msg, r.answer)
		}
		e.service.begin(verb, r, answer)
	})
}

// begin has a request of the queue group answered: at once, or beside those that come next.
func (s *Service) begin(verb protocol.APIVerb, r *request, answer func()) {
	other, beside := s.Verbs[verb]
	switch {
	case verb == protocol.APIDeploy, verb == protocol.APIAliasSet, verb == protocol.APIRollback: // they may compile
		s.deploys.do(answer)
	case !beside:
		answer()
	case !other.Waits:
		s.others.do(answer)
	case !s.waits.offer(answer):
		s.respond(r, tooMany(mostWaits))
		s.send(r.msg, r.answer)
	}
}

// tooMany returns what refuses a request.
func tooMany(most int) handler {
	return func(micro.Request) (any, error) {
		return nil, protocol.Errorf(protocol.CodeTooMany, "",
			"this invoker works on %d control requests already; try again", most)
	}
}

// listen hands what comes on a subject to a handler, one message at a time, but for what must not be answered.
func (e *Endpoints) listen(subject, queue string, handle func(*request)) error {
	guarded := e.service.guard(func(m *nats.Msg) { handle(&request{msg: m}) })
	sub, err := e.service.NC.QueueSubscribe(subject, queue, guarded)
	if err != nil {
		return err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	e.subs = append(e.subs, sub)
	return nil
}

// Stop takes no new request, and returns when no deployment goes on. Requests that have come in are still answered.
func (e *Endpoints) Stop() error {
	err := e.drain()
	if e.leave != nil {
		e.leave()
	}
	for _, b := range []*beside{&e.service.deploys, &e.service.others, &e.service.waits} {
		b.end()
	}
	return err
}

// drain takes no new request.
func (e *Endpoints) drain() error {
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
