package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/nats-io/nats.go/jetstream"
	"github.com/nats-io/nats.go/micro"

	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// BucketLeases is the KV bucket of what one invoker does for all: NAME.ALIAS -> the id of the one that judges a canary.
	// It is made with the first canary, and what is in it lives for leaseTime.
	BucketLeases = "fn_leases"

	leaseTime = 10 * time.Second
	judgeTime = time.Second // between two looks at a canary
	// fewCalls is how many calls of the newer version are too few to say anything.
	fewCalls = 20
	// gatherTime bounds the wait for the figures of all invokers.
	gatherTime = 700 * time.Millisecond
)

// judge looks after the canaries of this NATS, of which it holds the leases. One invoker does for each canary: it compares
// the figures of all invokers with the canary's conditions, and writes what becomes of the alias by compare-and-set. If it
// dies, its lease expires, and another one goes on. The lease saves work and is no lock: a change of the alias by
// whomever ends the canary, and two judges cannot both change one revision.
type judge struct {
	s      *Service
	id     string
	kv     jetstream.KeyValue
	leases map[string]uint64 // by key: the revision of the lease that this invoker holds
}

// run looks after canaries until ctx ends. Without a canary it asks nobody anything.
func (j *judge) run(ctx context.Context) {
	t := time.NewTicker(judgeTime)
	defer t.Stop()
	for {
		select {
		case <-t.C:
		case <-ctx.Done():
			return
		}
		for _, is := range j.s.Host.Canaries() {
			if j.holds(ctx, is.Function+"."+is.Alias) {
				j.look(ctx, is)
			}
		}
	}
}

// holds takes or renews a lease, and reports whether it is this invoker's.
func (j *judge) holds(ctx context.Context, key string) bool {
	ctx, cancel := context.WithTimeout(ctx, objects.RoundTrip)
	defer cancel()
	if j.kv == nil {
		kv, err := j.s.JetStream.CreateOrUpdateKeyValue(ctx, jetstream.KeyValueConfig{Bucket: BucketLeases, TTL: leaseTime,
			Description: "polyvoke: which invoker does what for all", Storage: jetstream.MemoryStorage})
		if err != nil {
			j.s.Log.Warn("the lease of a canary cannot be taken", "alias", key, "err", err)
			return false
		}
		j.kv = kv
	}
	revision, held := j.leases[key]
	var err error
	if held {
		revision, err = j.kv.Update(ctx, key, []byte(j.id), revision)
	} else {
		revision, err = j.kv.Create(ctx, key, []byte(j.id))
	}
	if err != nil {
		delete(j.leases, key)
		if objects.Gone(err) {
			j.kv = nil
		}
		return false
	}
	j.leases[key] = revision
	return true
}

// look decides about one canary, if it is time.
func (j *judge) look(ctx context.Context, is protocol.AliasState) {
	older, newer, err := j.gather(ctx, is)
	if err != nil {
		j.s.Log.Warn("the figures of a canary cannot be gathered", "function", is.Function, "alias", is.Alias, "err", err)
		return
	}
	to, why := verdict(is, older, newer, time.Now())
	if to == 0 {
		return
	}
	value := protocol.Alias{To: []protocol.Weight{{Version: to, Weight: 100}}, Key: is.Value.Key, By: "canary",
		Why: protocol.CleanValue(why, protocol.MaxWhy)}
	limited, cancel := context.WithTimeout(ctx, deployTimeout)
	defer cancel()
	out, err := j.s.change(limited, protocol.AliasSetRequest{Function: is.Function, Alias: is.Alias, Value: value,
		Revision: &is.Revision})
	if err != nil {
		j.s.Log.Warn("a canary has not ended yet", "function", is.Function, "alias", is.Alias, "verdict", why, "err", err)
		return
	}
	j.tell(is, out, why)
}

// tell says what has become of a canary: in the function's log, in the invoker's, and as an event.
func (j *judge) tell(is protocol.AliasState, reply any, why string) {
	j.s.Log.Info("canary ended", "function", is.Function, "alias", is.Alias, "why", why)
	nc := j.s.JetStream.Conn()
	line := protocol.LogLine{Function: protocol.Ref{Name: is.Function, Version: is.Alias}, Platform: true, Text: why}
	h, body := line.Message()
	_ = nc.PublishMsg(&nats.Msg{Subject: protocol.LogSubject(is.Function), Header: nats.Header(h), Data: body}) // as other lines
	if b, err := json.Marshal(reply); err == nil {
		_ = nc.Publish(protocol.RootEvent+".canary", b)
	}
}

// verdict returns the version that gets all calls from now on, and why, or 0 if it is too early. Conditions count from
// fewCalls calls of the newer version on, and so does success: a version that nobody has called has not proved anything.
func verdict(is protocol.AliasState, older, newer protocol.AliasStats, now time.Time) (version int, why string) {
	conditions, err := protocol.ParseConditions(is.Value.Canary.AbortOn)
	if err != nil || len(is.Value.To) != protocol.MaxWeights || newer.Requests < fewCalls {
		return 0, ""
	}
	from, to := is.Value.To[0].Version, is.Value.To[1].Version
	figures := fmt.Sprintf("version %d: %s; version %d: %s", to, describe(newer), from, describe(older))
	for _, c := range conditions {
		if above(c, newer) {
			return from, fmt.Sprintf("canary aborted by %v (%s)", c, figures)
		}
	}
	wait := time.Duration(is.Value.Canary.For)
	if wait == 0 || now.Sub(is.Value.Canary.Since) < wait {
		return 0, ""
	}
	return to, fmt.Sprintf("canary promoted after %v (%s)", wait, figures)
}

// above reports whether a figure is above the bound of a condition.
func above(c protocol.Condition, n protocol.AliasStats) bool {
	switch c.Figure {
	case protocol.FigureP50:
		return n.P50 > c.Time
	case protocol.FigureP99:
		return n.P99 > c.Time
	}
	return float64(n.Errors) > c.Share*float64(n.Requests)
}

// describe says what a version has done, for people.
func describe(n protocol.AliasStats) string {
	share := 0.0
	if n.Requests > 0 {
		share = 100 * float64(n.Errors) / float64(n.Requests)
	}
	return fmt.Sprintf("%d calls, %.2g %% errors, p50 %v, p99 %v", n.Requests, share, n.P50.Round(time.Microsecond),
		n.P99.Round(time.Microsecond))
}

// gather adds up what all invokers have counted for a revision of an alias, as discovery has it. Durations are those of the
// slowest. Whoever does not answer in time is left out.
func (j *judge) gather(ctx context.Context, is protocol.AliasState) (older, newer protocol.AliasStats, err error) {
	nc := j.s.JetStream.Conn()
	all, _ := j.s.members.present()
	inbox := confirmInbox(nc)
	answers := make(chan *nats.Msg, len(all)+16)
	sub, err := nc.ChanSubscribe(inbox, answers)
	if err != nil {
		return older, newer, err
	}
	defer func() { _ = sub.Unsubscribe() }()
	if err := nc.PublishRequest(micro.APIPrefix+"."+micro.StatsVerb.String()+"."+is.Function, inbox, nil); err != nil {
		return older, newer, err
	}
	limit := time.NewTimer(gatherTime)
	defer limit.Stop()
	for range len(all) + 1 {
		select {
		case m := <-answers:
			addFigures(m.Data, is, &older, &newer)
		case <-limit.C:
			return older, newer, nil
		case <-ctx.Done():
			return older, newer, ctx.Err()
		}
	}
	return older, newer, nil
}

// addFigures adds what an answer to discovery says of a revision of an alias.
func addFigures(answer []byte, is protocol.AliasState, older, newer *protocol.AliasStats) {
	var s micro.Stats
	if json.Unmarshal(answer, &s) != nil || len(s.Endpoints) == 0 {
		return
	}
	var n protocol.Stats
	if json.Unmarshal(s.Endpoints[0].Data, &n) != nil {
		return
	}
	for _, a := range n.Aliases {
		if a.Alias != is.Alias || a.Revision != is.Revision {
			continue
		}
		for i, sum := range []*protocol.AliasStats{older, newer} {
			if a.Version == is.Value.To[i].Version && a.Requests >= 0 && a.Errors >= 0 {
				sum.Requests, sum.Errors = sum.Requests+a.Requests, sum.Errors+a.Errors
				sum.P50, sum.P99 = max(sum.P50, a.P50), max(sum.P99, a.P99)
			}
		}
	}
}
