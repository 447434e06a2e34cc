package console

import (
	"context"
	"net/http"
	"net/url"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// jobsShown is how many jobs or dead letters a page has.
	jobsShown = 50
	// mostPages is how many pages a search looks at for one page of its own, and searchTime how long it may take.
	mostPages  = 40
	searchTime = 4 * time.Second
)

// jobList is what a page of jobs or of dead letters shows.
type jobList struct {
	Jobs     []protocol.JobInfo
	Function string
	State    string
	Query    string
	States   []protocol.JobState
	Next     string // path of the next page; empty if there is none
	Names    []string
	Queues   []protocol.QueueInfo
	Looked   int  // jobs that a search has looked at
	Paged    bool // this is not the first page
}

// jobQuery reads what a page of jobs is asked for.
func jobQuery(r *http.Request) jobList {
	return jobList{Function: strings.TrimSpace(r.FormValue("function")), State: r.FormValue("state"),
		Query: strings.TrimSpace(r.FormValue("q")), States: protocol.JobStates(), Paged: r.FormValue("after") != ""}
}

// lister lists jobs, or dead letters.
type lister func(context.Context, protocol.JobsRequest) (protocol.JobsReply, error)

// fill gets a page: those jobs that the query means. It goes from page to page of the list, which is one of sequences,
// so however many jobs there are, all can be reached.
func (l *jobList) fill(ctx context.Context, path, after string, list lister, has func(protocol.JobInfo) bool) error {
	ctx, cancel := context.WithTimeout(ctx, searchTime)
	defer cancel()
	q := protocol.JobsRequest{Function: l.Function, State: protocol.JobState(l.State), After: after, Limit: jobsShown}
	for range mostPages {
		reply, err := list(ctx, q)
		if err != nil && l.Looked > 0 && ctx.Err() != nil {
			break // it goes on with the next page
		}
		if err != nil {
			return err
		}
		l.Looked += len(reply.Jobs)
		for _, j := range reply.Jobs {
			if has == nil || has(j) {
				l.Jobs = append(l.Jobs, j)
			}
		}
		q.After = reply.Next
		if reply.Next == "" || len(l.Jobs) >= jobsShown {
			break
		}
	}
	if q.After != "" {
		v := url.Values{"after": {q.After}}
		for name, value := range map[string]string{"function": l.Function, "state": l.State, "q": l.Query} {
			if value != "" {
				v.Set(name, value)
			}
		}
		l.Next = path + "?" + v.Encode()
	}
	return nil
}

// mentions reports whether what a list says of a job has a text in it.
func mentions(j protocol.JobInfo, text string) bool {
	text = strings.ToLower(text)
	for _, s := range []string{j.Job, j.Subject, j.Error, j.Reason, string(j.State)} {
		if strings.Contains(strings.ToLower(s), text) {
			return true
		}
	}
	return false
}

// names adds the names of functions to choose from, and their queues.
func (k *Console) names(ctx context.Context, l *jobList) error {
	reply, err := k.catalog.get(ctx)
	for _, f := range reply.Functions {
		if q, ok := reply.Queues[f.Name]; ok {
			l.Names = append(l.Names, f.Name)
			l.Queues = append(l.Queues, q)
		}
	}
	return err
}

// jobs shows jobs.
func (k *Console) jobs(w http.ResponseWriter, r *http.Request) {
	l := jobQuery(r)
	if _, _, err := protocol.ParseJobKey(l.Query); err == nil && !l.Paged {
		ctx, cancel := context.WithTimeout(r.Context(), patience)
		defer cancel()
		if _, err := k.Client.Job(ctx, l.Query); err == nil {
			http.Redirect(w, r, Path+"jobs/"+url.PathEscape(l.Query), http.StatusSeeOther)
			return
		}
	}
	var has func(protocol.JobInfo) bool
	if l.Query != "" {
		has = func(j protocol.JobInfo) bool { return mentions(j, l.Query) }
	}
	trouble := ""
	err := k.names(r.Context(), &l)
	if err == nil {
		err = l.fill(r.Context(), Path+"jobs", r.FormValue("after"), k.Client.Jobs, has)
	}
	if err != nil {
		trouble = problem(err)
	}
	k.render(w, r, http.StatusOK, "jobs", page{Title: "Jobs", Section: "jobs", Problem: trouble, Data: l})
}

// jobPage is what the page of one job shows.
type jobPage struct {
	protocol.JobReply
	Function string
	Ends     bool // it has an outcome
	Result   body
	Exit     int
	HasReply bool
	Trouble  string // of its result
}

// job shows one job, with its story and its result.
func (k *Console) job(w http.ResponseWriter, r *http.Request) { k.showJob(w, r, "", "") }

// showJob shows one job, and what has been done to it.
func (k *Console) showJob(w http.ResponseWriter, r *http.Request, notice, trouble string) {
	job := r.PathValue("job")
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	reply, err := k.Client.Job(ctx, job)
	if err != nil {
		k.fail(w, r, err)
		return
	}
	p := jobPage{JobReply: reply, Ends: reply.State.Decided()}
	p.Function, _, _ = strings.Cut(job, ".")
	if p.Ends {
		o, err := k.Client.JobResult(ctx, job, true)
		if err != nil {
			p.Trouble = problem(err)
		} else {
			p.HasReply, p.Exit, p.Result = true, o.Reply.Exit, readable(o.Reply.Body)
		}
	}
	k.render(w, r, http.StatusOK, "job", page{Title: "Job " + job, Section: "jobs", Notice: notice, Problem: trouble,
		Data: p})
}

// cancelJob cancels a job.
func (k *Console) cancelJob(w http.ResponseWriter, r *http.Request) {
	ctx, cancel := context.WithTimeout(r.Context(), patience)
	defer cancel()
	if _, err := k.Client.CancelJob(ctx, r.PathValue("job")); err != nil {
		k.showJob(w, r, "", problem(err))
		return
	}
	k.showJob(w, r, "The job is cancelled.", "")
}
