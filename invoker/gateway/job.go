package gateway

import (
	"encoding/json"
	"net/http"
	"strings"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// The routes of jobs.
var (
	jobMake = &route{text: "POST /job/{function}", shown: "POST /job/{function}", own: (*exchange).makeJob}
	jobShow = &route{text: "GET /job/{id}", shown: "GET /job/{id}", own: (*exchange).showJob}
)

// findJob finds what a path of jobs means: POST /job/NAME makes one, GET /job/NAME.ID tells of one.
func (x *exchange) findJob(name string) error {
	switch x.r.Method {
	case http.MethodPost:
		ref, err := protocol.ParseRef(name)
		if err != nil {
			return err
		}
		x.route, x.call.Function = x.jobRoute(ref), ref
	case http.MethodGet, http.MethodHead:
		function, _, err := protocol.ParseJobKey(name)
		if err != nil {
			return err
		}
		x.route, x.call.Function = jobShow, protocol.Ref{Name: function}
	default:
		return x.notAllowed("GET, HEAD, POST")
	}
	if x.Jobs == nil {
		return &protocol.Error{Code: http.StatusNotImplemented,
			Msg: "this gateway makes no durable calls: it has no connection to JetStream"}
	}
	return nil
}

// jobRoute returns the route that makes jobs of a function.
func (x *exchange) jobRoute(ref protocol.Ref) *route {
	x.mu.RLock()
	defer x.mu.RUnlock()
	if f := x.functions[ref.Name]; f != nil && ref.Version == "" {
		return f.job
	}
	return jobMake
}

// newJob makes the route POST /job/NAME of a function.
func newJob(f *protocol.Function) *route {
	rt := *jobMake
	rt.input = int64(f.Limits.WithDefaults().Input)
	return &rt
}

// makeJob accepts a durable call, and answers with where its outcome will be. The header Idempotency-Key, if there is
// one, is the job's id: a second request with the same one is the same job.
func (x *exchange) makeJob() error {
	body, err := x.body()
	if err != nil {
		return err
	}
	x.seen.In = int64(len(body))
	r := protocol.Request{Function: x.call.Function, Body: body, ID: x.r.Header.Get("Idempotency-Key")}
	x.asked.Header = x.r.Header
	if r.Header, err = x.asked.Headers(); err != nil {
		return err
	}
	delete(r.Header, "Idempotency-Key")
	if x.identity.Kind != "" && x.identity.Kind != access.KindNone {
		x.introduce(r.Header)
	}
	receipt, err := x.Jobs.RunJob(x.r.Context(), &r, client.JobOptions{})
	if err != nil {
		return x.failed(nil, err)
	}
	h := x.w.Header()
	h.Set("Location", jobPath+receipt.Job)
	return x.writeJSON(http.StatusAccepted, receipt)
}

// showJob answers with the outcome of a job, as a call would be answered, or with 202 and its state.
func (x *exchange) showJob() error {
	job := strings.TrimPrefix(x.path, jobPath)
	outcome, err := x.Jobs.JobResult(x.r.Context(), job, true)
	switch {
	case protocol.CodeOf(err) == protocol.CodeTimeout: // it has none yet
		state, err := x.Jobs.Job(x.r.Context(), job)
		if err != nil {
			return err
		}
		x.w.Header().Set("Retry-After", "1")
		return x.writeJSON(http.StatusAccepted, state)
	case protocol.CodeOf(err) == protocol.CodeNotFound:
		return protocol.Errorf(protocol.CodeNotFound, "", "there is no job %.80q, or its outcome has expired", job)
	case err != nil:
		return x.failed(nil, err)
	}
	if err := protocol.Failure(&outcome.Reply, nil); err != nil {
		return x.failed(&outcome.Reply, err)
	}
	return x.write(&outcome.Reply)
}

// writeJSON answers with a value as JSON.
func (x *exchange) writeJSON(status int, v any) error {
	body, err := json.Marshal(v)
	if err != nil {
		return err
	}
	x.w.Header()["Content-Type"] = []string{"application/json"}
	x.finish(status, append(body, '\n'))
	return nil
}
