package doctor

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
)

// fullQueue is the share of a queue's room that is worth a warning, in percent.
const fullQueue = 90

// mostNamed is how many streams or functions one check names.
const mostNamed = 5

// streams are those that durable calls are kept in, by name, and that of the functions' records.
type streams map[string]*jetstream.StreamInfo

// checkJobs looks at what durable calls are kept in, and returns it.
func (c *Config) checkJobs(ctx context.Context, r *results, s *connect.Session) streams {
	ctx, cancel := context.WithTimeout(ctx, 2*checkTime) // it reads a page of streams at a time
	defer cancel()
	asking, permitted := s.Permitted(ctx, "")
	list := s.JS.ListStreams(asking)
	all := streams{}
	for info := range list.Info() {
		if name := info.Config.Name; kept(name) || name == "KV_"+registry.BucketFunctions {
			all[name] = info
		}
	}
	if err := permitted(list.Err()); err != nil {
		r.add("jobs", Note, "their streams cannot be listed: "+protocol.MessageOf(err),
			"docs/permissions.md says what each user needs")
		return nil
	}
	if all.some() {
		all.checkReplicas(r)
		all.checkDead(r)
		all.checkQueues(r)
	}
	return all
}

// kept reports whether a stream keeps jobs, or what became of them.
func kept(name string) bool {
	_, queue := protocol.QueueOwner(name)
	return queue || name == protocol.StreamDead || name == protocol.StreamLater ||
		name == "KV_"+protocol.BucketResults || name == "KV_"+protocol.BucketMarks
}

// some reports whether durable calls have been used.
func (s streams) some() bool {
	for name := range s {
		if kept(name) {
			return true
		}
	}
	return false
}

// sorted returns the names of the streams for which is holds, by name.
func (s streams) sorted(is func(*jetstream.StreamInfo) bool) (names []string) {
	for name, info := range s {
		if kept(name) && is(info) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}

// checkReplicas looks for streams with fewer copies than the functions have: they are lost with fewer servers.
func (s streams) checkReplicas(r *results) {
	functions := s["KV_"+registry.BucketFunctions]
	if functions == nil {
		return
	}
	want := functions.Config.Replicas
	few := s.sorted(func(i *jetstream.StreamInfo) bool { return i.Config.Replicas < want })
	if len(few) > 0 {
		r.add("job replicas", Warning,
			fmt.Sprintf("functions have %s, but fewer have %s", terminal.Plural(want, "replica"), some(few)),
			fmt.Sprintf("nats stream edit %s --replicas %d, and so for each; start all invokers with --replicas %d", few[0],
				want, want))
	}
}

// checkDead looks for dead letters.
func (s streams) checkDead(r *results) {
	dead := s[protocol.StreamDead]
	if dead == nil || dead.State.Msgs == 0 {
		return
	}
	count := terminal.Plural(int(dead.State.Msgs), "dead letter")
	r.add("dead letters", Warning,
		fmt.Sprintf("%s, the oldest of %s", count, dead.State.FirstTime.UTC().Format(time.RFC3339)),
		"polyvoke dead ls shows them: redrive or drop each")
}

// checkQueues looks for queues without room, and says what waits.
func (s streams) checkQueues(r *results) {
	queue := func(i *jetstream.StreamInfo) bool { _, ok := protocol.QueueOwner(i.Config.Name); return ok }
	full := s.sorted(func(i *jetstream.StreamInfo) bool {
		return queue(i) && i.Config.MaxMsgs > 0 && i.State.Msgs*100 >= uint64(i.Config.MaxMsgs)*fullQueue
	})
	if len(full) > 0 {
		r.add("queues", Warning, "there is little room for jobs in "+some(full),
			"start more invokers, raise job.queue in the manifest, or empty it: polyvoke job purge FUNCTION")
		return
	}
	queues := s.sorted(queue)
	jobs := uint64(0)
	for _, name := range queues {
		jobs += s[name].State.Msgs
	}
	later := ""
	if info := s[protocol.StreamLater]; info != nil && info.State.Msgs > 0 {
		later = fmt.Sprintf(", %s for their time", terminal.Plural(int(info.State.Msgs), "message"))
	}
	r.ok("queues", "%s, %s without an outcome%s", terminal.Plural(len(queues), "queue"),
		terminal.Plural(int(jobs), "job"), later)
}

// checkOrphans looks for queues whose function is gone. Invokers make dead letters of what is in them, and remove them.
func (s streams) checkOrphans(r *results, all protocol.ListReply) {
	there := map[string]bool{}
	for _, f := range all.Functions {
		there[f.Name] = true
	}
	for _, d := range all.Damaged {
		there[d.Name] = true
	}
	orphans := s.sorted(func(i *jetstream.StreamInfo) bool {
		name, ok := protocol.QueueOwner(i.Config.Name)
		return ok && !there[name]
	})
	if len(orphans) > 0 {
		r.add("lost queues", Warning, "there is no function any more for "+some(orphans),
			"the invokers' logs say why they keep them; to give their jobs up: nats stream rm "+orphans[0])
	}
}

// checkSchedules says what runs next, and which schedules never run again.
func checkSchedules(r *results, functions []protocol.Function, now time.Time) {
	count, next, first := 0, "", time.Time{}
	for _, f := range functions {
		for _, t := range f.Triggers {
			if t.Source() != protocol.SourceSchedule {
				continue
			}
			runs := t.NextRuns(now, 1)
			if len(runs) == 0 {
				r.add("schedules", Warning, fmt.Sprintf("%s of %s never runs again", t, f.Name),
					"deploy the function with another schedule, or without that one")
				continue
			}
			if count++; next == "" || runs[0].Before(first) {
				next, first = f.Name, runs[0]
			}
		}
	}
	if count > 0 {
		r.ok("schedules", "%s; %s runs next, at %s", terminal.Plural(count, "schedule"), next, first.Format(time.RFC3339))
	}
}

// some names the first of several.
func some(names []string) string {
	text := strings.Join(names[:min(len(names), mostNamed)], ", ")
	if len(names) > mostNamed {
		text += fmt.Sprintf(" and %d more", len(names)-mostNamed)
	}
	return text
}

// checkDurability says what stored messages outlive.
func (c *Config) checkDurability(ctx context.Context, r *results, s *connect.Session) {
	ctx, cancel := context.WithTimeout(ctx, checkTime)
	defer cancel()
	found, err := s.Durability(ctx)
	switch {
	case err != nil:
		return // whether there are invokers is another check
	case found == protocol.DurabilityPowerLoss:
		r.ok("durability", "power-loss: what NATS has accepted is on disk")
	case found == protocol.DurabilityCrash:
		r.add("durability", Note, "crash: what NATS has accepted outlives its process; "+
			"if the machine loses power, the last two minutes can be lost",
			"where that matters, start the server with polyvoke serve --durability power-loss")
	default:
		r.add("durability", Note, "NATS tells no client its sync_interval; the default is 2m: "+
			"if the machine loses power, what was accepted since can be lost",
			"where that matters, set sync_interval: always in jetstream {} of the server's configuration")
	}
}
