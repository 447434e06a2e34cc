package console

import (
	"context"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/console/figures"
	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// linesBefore is how many lines of a log a page begins with.
	linesBefore = 50
	// linesAtOnce is how many lines of a log go to a page at a time; more are counted.
	linesAtOnce = 200
)

// functionPage is what the page of one function shows.
type functionPage struct {
	Info     protocol.InfoReply
	Function protocol.Function
	Limits   protocol.Limits
	Figures  figures.Figures
	Known    bool
	Buckets  []recent.Bucket
	Codes    []recent.Count
	Observed bool // this process sees calls
	Lines    []client.LogLine
	LogError string
	Versions []protocol.Function // the newest first
}

// functionFigures gathers what changes.
func (k *Console) functionFigures(name string) functionPage {
	p := functionPage{Observed: k.Calls != nil}
	all, _ := k.poller.All()
	p.Figures, p.Known = all[name]
	if k.Calls != nil {
		p.Buckets, p.Codes = k.Calls.Durations(name), k.Calls.Codes(name)
	}
	return p
}

// function shows one function.
func (k *Console) function(w http.ResponseWriter, r *http.Request) { k.showFunction(w, r, "", "") }

// showFunction shows one function, and what has been done to it.
func (k *Console) showFunction(w http.ResponseWriter, r *http.Request, notice, trouble string) {
	name, _, _ := strings.Cut(r.PathValue("name"), "@") // of a version the page is that of its function
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	info, err := k.Client.Info(ctx, name)
	if err != nil {
		k.fail(w, r, err)
		return
	}
	p := k.functionFigures(name)
	p.Info, p.Function, p.Limits = info, info.Function, info.Function.Limits.WithDefaults()
	if !p.Known { // the first answers are on their way
		p.Figures.Stats = info.Stats
		p.Known = true
	}
	p.Versions = slices.Clone(info.Versions)
	slices.Reverse(p.Versions)
	p.Lines, p.LogError = k.lastLines(ctx, name, linesBefore)
	k.render(w, r, http.StatusOK, "function", page{Title: name, Section: "functions", Notice: notice, Problem: trouble,
		Live: Path + "live/functions/" + name, Data: p})
}

// lastLines returns the last lines of a log that are kept.
func (k *Console) lastLines(ctx context.Context, name string, n int) (lines []client.LogLine, trouble string) {
	ctx, cancel := context.WithTimeout(ctx, patience/2)
	defer cancel()
	for l, err := range k.Client.Logs(ctx, client.LogQuery{Name: name, Lines: n}) {
		if err != nil {
			return lines, problem(err)
		}
		lines = append(lines, l)
	}
	return lines, ""
}

// functionLive keeps the page of one function up to date, its log too.
func (k *Console) functionLive(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	if err := protocol.CheckName(name); err != nil {
		http.Error(w, problem(err), http.StatusBadRequest)
		return
	}
	messages := make(chan *nats.Msg, 4*linesAtOnce)
	sub, err := k.Client.Conn.ChanSubscribe(protocol.LogSubject(name), messages)
	if err != nil {
		http.Error(w, problem(err), http.StatusServiceUnavailable)
		return
	}
	defer func() { _ = sub.Unsubscribe() }()
	var waiting []*nats.Msg
	lost := 0
	k.stream(w, r, often, func(s *stream) {
		waiting = waiting[:0]
		for len(messages) > 0 && len(waiting) < linesAtOnce {
			waiting = append(waiting, <-messages)
		}
		var html []string
		for _, m := range waiting {
			l := client.LogLine{LogLine: protocol.ParseLogLine(protocol.Header(m.Header), m.Data), Time: time.Now()}
			html = append(html, part("function", "logline", l))
		}
		if n, _ := sub.Dropped(); n > lost {
			html = append(html, part("function", "dropped", n-lost))
			lost = n
		}
		s.lines("log", html)
		p := k.functionFigures(name)
		s.part("tiles", part("function", "tiles", p))
		s.part("rate", part("function", "rate", p))
		s.part("histogram", part("function", "histogram", p))
		s.part("codes", part("function", "codes", p))
	})
}

// setQueue pauses or resumes the queue of a function.
func (k *Console) setQueue(w http.ResponseWriter, r *http.Request) {
	name := r.PathValue("name")
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	var err error
	notice := "The queue is paused. Jobs are accepted, and wait."
	if r.PostFormValue("do") == "resume" {
		notice = "The queue gives jobs away again."
		_, err = k.Client.Resume(ctx, name)
	} else {
		_, err = k.Client.Pause(ctx, name, 0)
	}
	if err != nil {
		k.showFunction(w, r, "", problem(err))
		return
	}
	k.catalog.forget()
	k.showFunction(w, r, notice, "")
}
