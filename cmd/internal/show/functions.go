// Package show prints for people, and for programs, what polyvoke knows about functions and their replies.
package show

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// Info prints what is known about a function. Its figures are the sum of that number of invokers.
func Info(w io.Writer, p terminal.Paint, i protocol.InfoReply, invokers int) {
	f, limits := i.Function, i.Function.Limits.WithDefaults()
	var subjects []string
	for _, t := range f.Triggers {
		if t.Durable() {
			subjects = append(subjects, t.String())
			continue
		}
		subjects = append(subjects, t.Subject+" (queue "+t.QueueOf(f.Name)+")")
	}
	var env []string
	for _, k := range slices.Sorted(maps.Keys(f.Env)) {
		env = append(env, k+"="+f.Env[k])
	}
	fuel := ""
	if limits.Fuel > 0 {
		fuel = fmt.Sprintf("fuel %d", limits.Fuel)
	}
	optimize := ""
	if level := f.Optimization(); level != protocol.OptimizeAll {
		optimize = fmt.Sprint(level)
	}
	replies := ""
	if len(f.Replies) > 0 {
		replies = "exit codes 0 " + strings.Trim(fmt.Sprint(f.Replies), "[]")
	}
	st := i.Stats
	terminal.Facts(w, p, f.Ref().String(), [][2]string{
		{"call", protocol.RootCall + "." + f.Name},
		{"triggers", strings.Join(subjects, ", ")},
		{"routes", strings.Join(routes(&f), ", ")},
		{"next runs", nextRuns(f.Triggers)},
		{"grants", grants(&f)},
		{"language", f.Language},
		{"runtime", f.Runtime},
		{"module", terminal.Bytes(f.Size) + ", " + f.Digest},
		{"created", f.Created.Local().Format(time.DateTime)},
		{"deployed by", deployedBy(i.Deployed)},
		{"signer", signer(&f)},
		{"arguments", strings.Join(f.Args, " ")},
		{"environment", strings.Join(env, " ")},
		{"limits", Join(", ", fmt.Sprintf("timeout %s", limits.Timeout), fuel,
			fmt.Sprintf("memory %s, stack %s, input %s, output %s, concurrency %d, queue %d",
				limits.Memory, limits.Stack, limits.Input, limits.Output, limits.Concurrency, limits.Queue))},
		{"optimize", optimize},
		{"replies", replies},
		{"needs", strings.Join(f.Needs, " ")},
		{"not served", unserved(i)},
		{"damage", i.Damage},
		{"start", Join(": ", st.Start, st.StartReason)},
		{"calls", fmt.Sprintf("%d, errors %d, cold starts %d, running %d, waiting %d (on %s)",
			st.Requests, st.Errors, st.Cold, st.InFlight, st.Waiting, terminal.Plural(invokers, "invoker"))},
		{"jobs", queueFact(i.Queue)},
		{"lag", lag(i.Queue)},
		{"duration", fmt.Sprintf("p50 %s, p99 %s", st.P50, st.P99)},
		{"left out", leftOut(i)},
	})
	if len(i.Versions) > 1 {
		fmt.Fprintln(w)
		Functions(w, p, i.Versions, nil)
	}
}

// signer returns who vouches for a version, or "".
func signer(f *protocol.Function) string {
	if f.Signature == nil {
		return ""
	}
	return f.Signature.Signer
}

// deployedBy says who has deployed a version, as the client has stated.
func deployedBy(e *protocol.AuditEntry) string {
	if e == nil || e.Stated == (protocol.Stated{}) {
		return ""
	}
	return e.Stated.String() + " (stated, not proved)"
}

// Members prints a table of the figures of each invoker.
func Members(w io.Writer, p terminal.Paint, all []client.MemberStats) {
	var rows [][]string
	for _, m := range all {
		s := m.Stats
		rows = append(rows, []string{m.Member.String(), m.Version, fmt.Sprint(s.Requests), fmt.Sprint(s.Errors),
			fmt.Sprint(s.Cold), fmt.Sprint(s.InFlight), fmt.Sprint(s.Waiting), s.P50.String(), s.P99.String()})
	}
	fmt.Fprintln(w)
	head := []string{"INVOKER", "POLYVOKE", " CALLS", " ERRORS", " COLD", " RUNNING", " WAITING", " P50", " P99"}
	terminal.Table(w, p, head, rows)
}

// unserved says why the invoker that has answered does not serve the function.
func unserved(i protocol.InfoReply) string {
	if len(i.Unknown) == 0 {
		return protocol.CleanValue(i.Unserved, protocol.MaxErrorText)
	}
	return fmt.Sprintf("the invoker that answered does not know %s: update it; until then its calls go to newer invokers",
		strings.Join(i.Unknown, ", "))
}

// leftOut says what is missing because it does not fit a message.
func leftOut(i protocol.InfoReply) string {
	if !slices.Contains(i.Abridged, i.Function.Version) {
		return ""
	}
	return "arguments, environment and triggers: together they exceed the largest message of NATS (max_payload)"
}

// Functions prints a table of functions, or of versions of one. queues has the queues of those that have one; if none
// has, nothing is said of jobs.
func Functions(w io.Writer, p terminal.Paint, functions []protocol.Function, queues map[string]protocol.QueueInfo) {
	var rows [][]string
	head := []string{"NAME", " VERSION", "LANGUAGE", " SIZE", " TIMEOUT", " MEMORY", " AGE"}
	if len(queues) > 0 {
		head = append(head, "JOBS")
	}
	for _, f := range functions {
		limits, age := f.Limits.WithDefaults(), ""
		if !f.Created.IsZero() {
			age = terminal.Age(time.Since(f.Created))
		}
		row := []string{f.Name, fmt.Sprint(f.Version), f.Language, terminal.Bytes(f.Size),
			limits.Timeout.String(), limits.Memory.String(), age}
		if q, ok := queues[f.Name]; ok {
			row = append(row, brief(&q))
		}
		rows = append(rows, row)
	}
	terminal.Table(w, p, head, rows)
}

// Damage prints what is wrong with stored records, or with the invoker that has read them, and what to do about it.
func Damage(w io.Writer, damaged []protocol.Damage) {
	for _, d := range damaged {
		what := "damaged"
		if len(d.Needs) > 0 {
			what = "not served"
		}
		fmt.Fprintf(w, "%s: %s: %s\n", what, protocol.CleanValue(d.Name, protocol.MaxErrorText),
			protocol.CleanValue(d.Reason, protocol.MaxErrorText))
	}
}

// Unserved prints which functions an invoker has failed to make ready, and why.
func Unserved(w io.Writer, all []protocol.Damage) {
	for _, d := range all {
		fmt.Fprintf(w, "not served: %s: %s\n", protocol.CleanValue(d.Name, protocol.MaxErrorText),
			protocol.CleanValue(d.Reason, protocol.MaxErrorText))
	}
}

// Join joins what is not empty.
func Join(sep string, parts ...string) string {
	var out []string
	for _, p := range parts {
		if p != "" {
			out = append(out, p)
		}
	}
	return strings.Join(out, sep)
}

// Deployed prints what is there now, and how to call it; the command goes through paste, which completes it.
func Deployed(w io.Writer, p terminal.Paint, reply protocol.DeployReply, paste func(string) string) error {
	f := reply.Function
	state := "ready"
	if !reply.Created {
		state = "unchanged, ready"
	}
	call := paste(fmt.Sprintf("nats req %s.%s '...'", protocol.RootCall, f.Name))
	_, err := fmt.Fprintf(w, "%s %s on %s.%s (%s): %s\n", p.Bold(f.Ref().String()), state,
		protocol.RootCall, f.Name, Join(", ", terminal.Bytes(f.Size), f.Language), call)
	return err
}

// routes returns the routes of HTTP and of WebSockets that a function has, and who may use them if the function says so.
func routes(f *protocol.Function) (all []string) {
	add := func(route, auth, what string) {
		if auth != "" {
			what = Join(", ", what, "auth "+auth)
		}
		if what != "" {
			route += " (" + what + ")"
		}
		all = append(all, route)
	}
	for _, r := range f.HTTP {
		add(r.Route, r.Auth, "")
	}
	for _, r := range f.WebSocket {
		add(r.Route, r.Auth, "WebSocket")
	}
	return all
}

// grants returns what a function may use as files.
func grants(f *protocol.Function) string {
	var all []string
	for _, g := range f.Grants {
		all = append(all, g.String())
	}
	return strings.Join(all, ", ")
}
