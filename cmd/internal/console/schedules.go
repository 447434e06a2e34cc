package console

import (
	"net/http"
	"slices"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// nextRuns is how many runs of a schedule are shown.
const nextRuns = 5

// scheduled is a trigger with a schedule.
type scheduled struct {
	Function string
	protocol.Trigger
	Runs []time.Time
}

// schedules shows when functions run, the one that is due first at the top.
func (k *Console) schedules(w http.ResponseWriter, r *http.Request) {
	list, err := k.catalog.get(r.Context())
	trouble := ""
	if err != nil {
		trouble = problem(err)
	}
	var all []scheduled
	for _, f := range list.Functions {
		for _, t := range f.Triggers {
			if t.Source() == protocol.SourceSchedule {
				all = append(all, scheduled{f.Name, t, t.NextRuns(time.Now(), nextRuns)})
			}
		}
	}
	slices.SortStableFunc(all, func(a, b scheduled) int {
		switch {
		case len(a.Runs) == 0 || len(b.Runs) == 0:
			return len(b.Runs) - len(a.Runs)
		}
		return a.Runs[0].Compare(b.Runs[0])
	})
	k.render(w, r, http.StatusOK, "schedules", page{Title: "Schedules", Section: "schedules", Problem: trouble, Data: all})
}
