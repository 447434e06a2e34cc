package console

import (
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

// callsShown is how many calls a page has.
const callsShown = 100

// callList is what the page of calls shows.
type callList struct {
	Observed bool
	Calls    []recent.Call
	Seen     uint64
	Function string
	Failed   bool
}

// listCalls gathers the last calls that a request asks for.
func (k *Console) listCalls(r *http.Request) callList {
	l := callList{Observed: k.Calls != nil, Function: r.FormValue("function"), Failed: r.FormValue("failed") != ""}
	if k.Calls == nil {
		return l
	}
	l.Seen = k.Calls.Seen()
	l.Calls = k.Calls.Last(callsShown, func(c *recent.Call) bool {
		return (l.Function == "" || c.Function.Name == l.Function) && (!l.Failed || c.Code != 0)
	})
	return l
}

// calls shows the last calls of this process.
func (k *Console) calls(w http.ResponseWriter, r *http.Request) {
	live := Path + "live/calls"
	if r.URL.RawQuery != "" {
		live += "?" + r.URL.Query().Encode()
	}
	k.render(w, r, http.StatusOK, "calls", page{Title: "Live calls", Section: "calls", Live: live, Data: k.listCalls(r)})
}

// callsLive keeps the list of calls up to date. Bodies are kept while it does.
func (k *Console) callsLive(w http.ResponseWriter, r *http.Request) {
	if k.Calls != nil {
		defer k.Calls.Watch()()
	}
	_ = r.FormValue("function") // the form is read once, by this goroutine
	k.stream(w, r, often, func(s *stream) {
		l := k.listCalls(r)
		rows := make([]row, 0, len(l.Calls))
		for _, c := range l.Calls {
			rows = append(rows, row{strconv.FormatUint(c.Seq, 10), part("calls", "row", c)})
		}
		s.part("seen", part("calls", "seen", l))
		s.table("calls", rows)
	})
}

// callPage is what the page of one call shows.
type callPage struct {
	recent.Call
	Body     body
	Lines    []client.LogLine
	LogError string
}

// call shows one call, with what it wrote to stderr.
func (k *Console) call(w http.ResponseWriter, r *http.Request) {
	c, ok := k.findCall(r.PathValue("seq"))
	if !ok {
		k.fail(w, r, protocol.Errorf(protocol.CodeNotFound, "",
			"this call is not kept any more: the last %d are, since polyvoke was started", recent.Kept))
		return
	}
	p := callPage{Call: c, Body: readable(c.Body)}
	if c.ID != "" {
		var all []client.LogLine
		all, p.LogError = k.lastLines(r.Context(), c.Function.Name, 1000)
		for _, l := range all {
			if l.ID == c.ID {
				p.Lines = append(p.Lines, l)
			}
		}
	}
	title := "Call " + strconv.FormatUint(c.Seq, 10) + " of " + c.Function.Name
	k.render(w, r, http.StatusOK, "call", page{Title: title, Section: "calls", Data: p})
}

// findCall returns the call that a text means: its number, or its id.
func (k *Console) findCall(text string) (recent.Call, bool) {
	if k.Calls == nil {
		return recent.Call{}, false
	}
	if seq, err := strconv.ParseUint(text, 10, 64); err == nil {
		return k.Calls.Get(seq)
	}
	return k.Calls.Find(text)
}

// split is how the time of a call is shared out, each in hundredths of the whole, for a bar of three colours.
type split struct {
	Queue, Start, Run float64
	Before            float64 // where Run begins
	Text              string
}

// splitOf shares out the time of a call.
func splitOf(c recent.Call) split {
	all := float64(c.Took)
	if all <= 0 {
		return split{Run: 100}
	}
	s := split{Queue: 100 * float64(c.Queue) / all, Start: 100 * float64(c.Ready) / all}
	s.Before = min(100, s.Queue+s.Start)
	s.Run = 100 - s.Before
	var parts []string
	for _, p := range []struct {
		name string
		took time.Duration
	}{{"queue", c.Queue}, {"start", c.Ready}, {"run", c.Ran()}} {
		if p.took > 0 {
			parts = append(parts, p.name+" "+took(p.took))
		}
	}
	s.Text = strings.Join(parts, ", ")
	return s
}
