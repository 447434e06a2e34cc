package control

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// heartbeat is the time between two signs of life of an invoker.
	heartbeat = 5 * time.Second
	// memory is how long an invoker that says nothing more is still thought of as one: by then the server has dropped
	// it.
	memory = 30 * time.Second
	// mostMembers bounds what is kept of others.
	mostMembers = 1000
	// confirmTime is how long a deployment waits for the other invokers, beside what it has taken until then.
	confirmTime = 2 * time.Second
	// mostConfirms is how many confirmations wait at a time.
	mostConfirms = 64
)

// members are the other invokers on this NATS, as far as they have been heard. Its methods may be called from several
// goroutines.
type members struct {
	mu    sync.Mutex
	heard map[string]*member
}

// member is another invoker.
type member struct {
	protocol.Member
	at     time.Time // when it was heard last
	silent bool      // it has not confirmed something since: nobody waits for it again until it is heard
}

// hear takes note of a sign of life.
func (l *members) hear(m protocol.Member) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m.Gone {
		delete(l.heard, m.ID)
		return
	}
	if l.heard[m.ID] == nil && len(l.heard) >= mostMembers {
		return
	}
	l.heard[m.ID] = &member{Member: m, at: time.Now()}
}

// present returns the invokers that are there, or were until a short while ago, and those worth waiting for.
func (l *members) present() (all map[string]protocol.Member, awaited map[string]bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	all, awaited = map[string]protocol.Member{}, map[string]bool{}
	for id, m := range l.heard {
		switch {
		case time.Since(m.at) > memory:
			delete(l.heard, id)
			continue
		case !m.silent:
			awaited[id] = true
		}
		all[id] = m.Member
	}
	return all, awaited
}

// missed takes note that an invoker has not confirmed something.
func (l *members) missed(id string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if m := l.heard[id]; m != nil {
		m.silent = true
	}
}

// myself returns this invoker as others know it.
func (s *Service) myself(id string) protocol.Member {
	host, _ := os.Hostname() // without a name it is known by its id
	return protocol.Member{ID: id, Host: host, PID: os.Getpid(), Version: s.Version}
}

// join makes this invoker known to the others and the others to it, until leave is called: that ends ctx by end,
// waits for what is still being done, and says that this one goes.
func (s *Service) join(ctx context.Context, end func(), d *direct) (leave func(), err error) {
	var subs []*nats.Subscription
	leave = func() {
		for _, sub := range subs {
			_ = sub.Unsubscribe() // an error means that the connection is gone
		}
		end()
		d.work.Wait()
		gone := d.self
		gone.Gone = true
		s.say(gone)
	}
	for subject, take := range map[string]nats.MsgHandler{
		protocol.APIAlive.Subject():          s.hear(d.self.ID),
		protocol.APIPing.Subject():           func(m *nats.Msg) { d.pong(m, "") },
		protocol.RootAPI + ".*." + d.self.ID: d.take,
	} {
		sub, err := s.NC.Subscribe(subject, s.guard(take))
		if err != nil {
			leave()
			return nil, err
		}
		subs = append(subs, sub)
	}
	d.work.Go(func() { s.beat(ctx, d.self) })
	if s.Aliases != nil {
		d.work.Go(func() { (&judge{s: s, id: d.self.ID, leases: map[string]uint64{}}).run(ctx) })
	}
	return leave, nil
}

// beat says that this invoker is there, and asks once which others are.
func (s *Service) beat(ctx context.Context, self protocol.Member) {
	nc := s.JetStream.Conn()
	inbox := confirmInbox(nc)
	sub, err := nc.Subscribe(inbox, s.hear(self.ID))
	if err == nil {
		err = nc.PublishRequest(protocol.APIPing.Subject(), inbox, nil)
		defer func() { _ = sub.Unsubscribe() }()
	}
	if err != nil {
		s.Log.Warn("asking for other invokers failed", "err", err)
	}
	t := time.NewTicker(heartbeat)
	defer t.Stop()
	for {
		s.say(self)
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
	}
}

// confirmInbox returns where other invokers answer on a connection. It is apart from the inboxes for JetStream's
// answers, so that the user who answers callers can be let publish here and not there.
func confirmInbox(nc *nats.Conn) string {
	return cmp.Or(nc.Opts.InboxPrefix, "_INBOX") + "." + string(protocol.APIConfirm) + "." + rand.Text()
}

// say publishes a sign of life. Like all that is no answer, it goes by the connection that JetStream has.
func (s *Service) say(m protocol.Member) {
	b, _ := json.Marshal(m) // strings and numbers
	_ = s.JetStream.Conn().Publish(protocol.APIAlive.Subject(),
		b) // without a connection nobody hears it; the next one may be heard
}

// hear returns what takes signs of life of others.
func (s *Service) hear(self string) nats.MsgHandler {
	return func(msg *nats.Msg) {
		var m protocol.Member
		if json.Unmarshal(msg.Data, &m) == nil && m.ID != self && plainID(m.ID) && len(m.Host) <= protocol.MaxID {
			m.Host = protocol.CleanValue(m.Host, protocol.MaxID)
			s.members.hear(m)
		}
	}
}

// plainID reports whether an id can be a token of a subject.
func plainID(id string) bool {
	return id != "" && len(id) <= protocol.MaxID && !strings.ContainsFunc(id, func(r rune) bool {
		return (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') && r != '-'
	})
}

// confirm answers when this invoker serves a version, or when it is sure that it cannot. It says nothing if that
// takes longer than whoever asks waits.
func (d *direct) confirm(m *nats.Msg) {
	var q protocol.ConfirmRequest
	timeout, err := protocol.ParseDuration(m.Header.Get(protocol.HeaderTimeout))
	if json.Unmarshal(m.Data, &q) != nil || err != nil || protocol.CheckName(q.Name) != nil {
		return
	}
	select {
	case d.confirming <- struct{}{}:
	default:
		return
	}
	d.work.Go(func() {
		defer func() { <-d.confirming }()
		ctx, cancel := context.WithTimeout(d.s.open, min(time.Duration(timeout), deployTimeout))
		defer cancel()
		var c protocol.Confirmation
		err := d.s.served(ctx, q)
		if ctx.Err() != nil {
			return
		}
		if err != nil {
			c.Error = protocol.MessageOf(err)
			c.Needs, _ = registry.UnknownNeeds(err)
		}
		b, _ := json.Marshal(c) // a string
		d.s.send(m, &nats.Msg{Data: b})
	})
}

// served waits until the host does what a request asks about.
func (s *Service) served(ctx context.Context, q protocol.ConfirmRequest) error {
	if q.Alias == "" {
		return s.Host.Await(ctx, &protocol.Function{Name: q.Name, Version: q.Version, Created: q.Created})
	}
	return s.Host.AwaitAlias(ctx, protocol.AliasState{Function: q.Name, Alias: q.Alias, Revision: q.Revision,
		Removed: q.Removed})
}

// elsewhere is how a problem ends that costs no caller anything: the invoker has no subscription of the function.
const elsewhere = ", which the function needs, and leaves its calls to other invokers: update it"

// confirmed waits until the other invokers serve a version too, for a bounded time, and says which of them do not.
func (s *Service) confirmed(ctx context.Context, q protocol.ConfirmRequest, taken time.Duration) (unsure []string) {
	all, awaited := s.members.present()
	if len(all) == 0 {
		return nil
	}
	wait := confirmTime + taken
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	problems, err := s.collect(ctx, q, wait, all, awaited)
	if err != nil {
		return []string{fmt.Sprintf("the other invokers could not be asked whether they serve %v: %v", q, err)}
	}
	for id, m := range all {
		text := problems[id]
		switch {
		case text == "" && awaited[id]:
			text = fmt.Sprintf("has not confirmed within %v that it serves %v", wait.Round(time.Millisecond), q)
			s.members.missed(id)
		case text == "":
			text = "has said nothing for a while, so it may not serve " + q.String()
		}
		if !strings.HasSuffix(text, elsewhere) {
			text += ": calls that reach it may be answered late or by another version"
		}
		unsure = append(unsure, fmt.Sprintf("%v %s", m, text))
	}
	slices.Sort(unsure)
	return unsure
}

// collect asks invokers and takes their answers until all that are awaited have come, or ctx ends. One that
// serves the version, or has gone, is removed from all; what the others say is returned.
func (s *Service) collect(ctx context.Context, q protocol.ConfirmRequest, wait time.Duration, all map[string]protocol.Member,
	awaited map[string]bool) (map[string]string, error) {
	nc := s.JetStream.Conn()
	inbox := confirmInbox(nc) + "."
	answers := make(chan *nats.Msg, len(all))
	sub, err := nc.ChanSubscribe(inbox+"*", answers)
	if err != nil {
		return nil, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	b, err := json.Marshal(q)
	if err != nil {
		return nil, err
	}
	header := nats.Header{protocol.HeaderTimeout: {wait.String()}}
	for id := range all {
		if err := nc.PublishMsg(&nats.Msg{Subject: protocol.APIConfirm.At(id), Reply: inbox + id, Data: b,
			Header: header}); err != nil {
			return nil, err
		}
	}
	problems := map[string]string{}
	for missing := len(awaited); missing > 0; {
		var m *nats.Msg
		select {
		case m = <-answers:
		case <-ctx.Done():
			return problems, nil
		}
		id := m.Subject[len(inbox):]
		if awaited[id] {
			missing--
		}
		var c protocol.Confirmation
		switch {
		case len(m.Data) == 0: // the server says that it is not there
			s.members.hear(protocol.Member{ID: id, Gone: true})
			delete(all, id)
		case json.Unmarshal(m.Data, &c) == nil && c.Error == "":
			delete(all, id)
		case len(c.Needs) > 0 && protocol.CheckNeeds(c.Needs) == nil:
			problems[id] = "does not know " + strings.Join(c.Needs, ", ") + elsewhere
		default:
			problems[id] = "cannot serve " + q.String() + ": " + protocol.CleanValue(c.Error,
				protocol.MaxErrorText)
		}
	}
	return problems, nil
}
