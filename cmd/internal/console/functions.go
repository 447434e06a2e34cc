package console

import (
	"context"
	"net/http"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/console/figures"
	"github.com/polyvoke/polyvoke/protocol"
)

// functionRow is a function in the list.
type functionRow struct {
	protocol.Function
	Figures figures.Figures
	Queue   *protocol.QueueInfo
	Known   bool   // there are figures
	Damage  string // what is wrong with its record
}

// functionList is what the first page shows.
type functionList struct {
	Rows    []functionRow
	Totals  figures.Figures
	Dead    int64
	Jobs    int64
	Asked   bool // there was an answer with figures
	Query   string
	Problem string
}

// listFunctions gathers the first page.
func (k *Console) listFunctions(ctx context.Context) functionList {
	reply, err := k.catalog.get(ctx)
	all, answered := k.poller.All()
	l := functionList{Asked: !answered.IsZero()}
	if err != nil {
		l.Problem = problem(err)
	}
	damaged := map[string]string{}
	for _, d := range reply.Damaged {
		damaged[d.Name] = d.Reason
	}
	for _, f := range reply.Functions {
		r := functionRow{Function: f, Damage: damaged[f.Name]}
		delete(damaged, f.Name)
		r.Figures, r.Known = all[f.Name]
		if q, ok := reply.Queues[f.Name]; ok {
			r.Queue = &q
			l.Dead, l.Jobs = l.Dead+q.Dead, l.Jobs+q.Queued+q.Running+q.Waiting
		}
		l.Rows = append(l.Rows, r)
		l.Totals.Rate += r.Figures.Rate
		l.Totals.Failing += r.Figures.Failing
		l.Totals.InFlight += r.Figures.InFlight
		l.Totals.Waiting += r.Figures.Waiting
	}
	for _, d := range reply.Damaged {
		if damaged[d.Name] != "" {
			l.Rows = append(l.Rows, functionRow{Function: protocol.Function{Name: d.Name}, Damage: d.Reason})
		}
	}
	return l
}

// functions shows all functions.
func (k *Console) functions(w http.ResponseWriter, r *http.Request) {
	l := k.listFunctions(r.Context())
	l.Query = r.FormValue("q")
	if l.Query != "" {
		l.Rows = matching(l.Rows, l.Query)
	}
	k.render(w, r, http.StatusOK, "functions", page{Title: "Functions", Section: "functions",
		Live: Path + "live/functions", Problem: l.Problem, Data: l})
}

// matching returns the rows that a query means: each of its words is in the name, the language or the runtime.
func matching(rows []functionRow, query string) (some []functionRow) {
	for _, r := range rows {
		about := strings.ToLower(r.Name + " " + r.Language + " " + r.Runtime + " " + r.Figures.Start)
		has := true
		for word := range strings.FieldsSeq(strings.ToLower(query)) {
			has = has && strings.Contains(about, word)
		}
		if has {
			some = append(some, r)
		}
	}
	return some
}

// functionsLive keeps the list up to date. The script of the page filters.
func (k *Console) functionsLive(w http.ResponseWriter, r *http.Request) {
	k.stream(w, r, tick, func(s *stream) {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		l := k.listFunctions(ctx)
		rows := make([]row, 0, len(l.Rows))
		for _, f := range l.Rows {
			rows = append(rows, row{f.Name, part("functions", "row", f)})
		}
		s.part("tiles", part("functions", "tiles", l))
		s.part("trouble", part("functions", "trouble", l.Problem))
		s.table("functions", rows)
	})
}
