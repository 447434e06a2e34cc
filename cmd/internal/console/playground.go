package console

import (
	"bytes"
	"context"
	"fmt"
	"net/http"
	"net/textproto"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/console/recent"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
)

const (
	// maxAnswer is how much of an answer by HTTP is kept, in bytes.
	maxAnswer = 8 << 20
	// longestPlay is how long a call from the playground may take.
	longestPlay = 2 * time.Minute
)

// play is a call that the playground is to make, as its form has it.
type play struct {
	Function string // NAME or NAME@VERSION
	Args     string // tokens of the subject, with dots between
	Via      string // nats, http or job
	Method   string // of HTTP
	Path     string
	Headers  string // a line each
	Body     string
	Timeout  string
}

// outcome is what came of it.
type outcome struct {
	Code    int // of the answer; 0 for success by NATS
	Status  string
	Error   string
	Exit    int
	HasExit bool
	ID      string
	Took    time.Duration
	Report  *protocol.Report
	Headers []pair
	Body    body
	BodyIs  string // what the body is, if it is no reply
	Lines   []client.LogLine
	Job     string // FUNCTION.ID
}

// pair is a header.
type pair struct{ Name, Value string }

// playPage is what the playground shows.
type playPage struct {
	Play      play
	Functions []protocol.Function
	Routes    []string // of the function, for HTTP
	HTTP      bool     // there is a gateway
	Outcome   *outcome
	Sample    string // the command that does the same
}

// playground shows the form, with what the query asks for in it: a function, or a call that was seen.
func (k *Console) playground(w http.ResponseWriter, r *http.Request) {
	p := play{Function: r.FormValue("function"), Via: r.FormValue("via"), Path: r.FormValue("path"),
		Method: r.FormValue("method")}
	if c, ok := k.findCall(r.FormValue("call")); ok {
		p.Function, p.Args, p.Body = c.Function.Name, strings.Join(argsOf(c), "."), string(c.Body)
	}
	k.showPlay(w, r, p, nil, "")
}

// argsOf returns the arguments of a call. Those of a message are in its subject.
func argsOf(c recent.Call) []string {
	if _, args, err := protocol.ParseCall(c.Subject); err == nil && c.Args == nil {
		return args
	}
	return c.Args
}

// showPlay shows the form, and what came of it.
func (k *Console) showPlay(w http.ResponseWriter, r *http.Request, p play, o *outcome, trouble string) {
	list, err := k.catalog.get(r.Context())
	if err != nil && trouble == "" {
		trouble = problem(err)
	}
	if p.Via == "" {
		p.Via = "nats"
	}
	if p.Function == "" && len(list.Functions) > 0 {
		p.Function = list.Functions[0].Name
	}
	if p.Path == "" && p.Function != "" {
		p.Path = "/fn/" + p.Function
	}
	if p.Method == "" {
		p.Method = http.MethodPost
	}
	data := playPage{Play: p, Functions: list.Functions, HTTP: k.Gateway != nil, Outcome: o, Sample: p.command()}
	name, _, _ := strings.Cut(p.Function, "@")
	for _, f := range list.Functions {
		if f.Name == name {
			for _, route := range f.HTTP {
				data.Routes = append(data.Routes, route.Route)
			}
		}
	}
	k.render(w, r, http.StatusOK, "playground", page{Title: "Playground", Section: "playground", Problem: trouble,
		Data: data})
}

// play makes a call and shows what came of it.
func (k *Console) play(w http.ResponseWriter, r *http.Request) {
	field := func(name string) string { return strings.TrimSpace(r.PostFormValue(name)) }
	p := play{Function: field("function"), Args: field("args"), Via: field("via"), Method: field("method"),
		Path: field("path"), Headers: field("headers"), Timeout: field("timeout"),
		Body: strings.ReplaceAll(r.PostFormValue("body"), "\r\n", "\n")} // a form has them so, whatever was typed
	ctx, cancel := context.WithTimeout(r.Context(), longestPlay)
	defer cancel()
	var o *outcome
	var err error
	switch p.Via {
	case "http":
		o, err = k.playHTTP(ctx, r, p)
	case "job":
		o, err = k.playJob(ctx, p)
	default:
		o, err = k.playNATS(ctx, p)
	}
	if err != nil {
		k.showPlay(w, r, p, nil, problem(err))
		return
	}
	k.showPlay(w, r, p, o, "")
}

// headers reads the headers of the form.
func (p *play) headers() (protocol.Header, error) {
	h := protocol.Header{}
	for l := range strings.Lines(p.Headers) {
		if l = strings.TrimSpace(l); l == "" {
			continue
		}
		name, value, ok := strings.Cut(l, ":")
		name = strings.TrimSpace(name)
		if !ok || name == "" || strings.ContainsAny(name, " \t") {
			return nil, protocol.Errorf(protocol.CodeBadRequest, "", "header %.80q: write Name: value, one a line", l)
		}
		h[name] = append(h[name], strings.TrimSpace(value))
	}
	return h, nil
}

// request makes a request of the form.
func (p *play) request() (*protocol.Request, error) {
	ref, err := protocol.ParseRef(p.Function)
	if err != nil {
		return nil, err
	}
	r := &protocol.Request{Function: ref, Body: []byte(p.Body), Report: true, Stdout: true}
	if r.Header, err = p.headers(); err != nil {
		return nil, err
	}
	if err := r.ReadHeader(r.Header); err != nil {
		return nil, err
	}
	if p.Args != "" {
		r.Args = strings.Split(p.Args, ".")
	}
	if p.Timeout != "" {
		d, err := protocol.ParseDuration(p.Timeout)
		if err != nil {
			return nil, err
		}
		r.Timeout = time.Duration(d)
	}
	return r, nil
}

// playNATS makes a call over NATS.
func (k *Console) playNATS(ctx context.Context, p play) (*outcome, error) {
	r, err := p.request()
	if err != nil {
		return nil, err
	}
	r.Report, r.Stdout = true, true
	if r.ID == "" {
		r.ID = protocol.NewID()
	}
	lines := k.hear(ctx, r.Function.Name, r.ID)
	defer lines.stop()
	begun := time.Now()
	reply, err := k.Client.Call(ctx, r)
	if err != nil {
		return nil, err
	}
	o := &outcome{ID: reply.ID, Took: time.Since(begun), Report: reply.Report, Exit: reply.Exit, HasExit: reply.Exit >= 0,
		Body: readable(reply.Body), Status: "OK"}
	for name, values := range reply.Header {
		for _, v := range values {
			o.Headers = append(o.Headers, pair{name, v})
		}
	}
	sortPairs(o.Headers)
	if reply.Err != nil {
		o.Code, o.Error, o.Status = reply.Err.Code, reply.Err.Error(), codeText(reply.Err.Code)
		o.BodyIs = "the end of stderr"
		if len(reply.Stdout) > 0 {
			o.BodyIs, o.Body = "stdout", readable(reply.Stdout)
		}
	}
	o.Lines = lines.end()
	return o, nil
}

// playJob gives the function a job.
func (k *Console) playJob(ctx context.Context, p play) (*outcome, error) {
	r, err := p.request()
	if err != nil {
		return nil, err
	}
	begun := time.Now()
	receipt, err := k.Client.RunJob(ctx, r, client.JobOptions{})
	if err != nil {
		return nil, err
	}
	return &outcome{Status: "accepted", Took: time.Since(begun), Job: receipt.Job}, nil
}

// playHTTP has the gateway of this process answer a request, as if it had come from the browser.
func (k *Console) playHTTP(ctx context.Context, from *http.Request, p play) (*outcome, error) {
	if k.Gateway == nil {
		return nil, protocol.Errorf(protocol.CodeUnavailable, "", "this process answers no HTTP: send it by NATS")
	}
	u, err := url.ParseRequestURI(p.Path)
	if err != nil || !strings.HasPrefix(p.Path, "/") || u.Host != "" {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "path %.80q: it begins with a slash, such as /fn/%s",
			p.Path, p.Function)
	}
	r, err := http.NewRequestWithContext(ctx, p.Method, "http://"+from.Host+p.Path, strings.NewReader(p.Body))
	if err != nil {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "%v", err)
	}
	h, err := p.headers()
	if err != nil {
		return nil, err
	}
	for name, values := range h {
		for _, v := range values {
			r.Header.Add(name, v)
		}
	}
	r.RemoteAddr, r.TLS, r.RequestURI = from.RemoteAddr, from.TLS, p.Path
	answer := &recorder{header: http.Header{}, room: maxAnswer}
	begun := time.Now()
	answer.serve(k.Gateway, r)
	o := &outcome{Code: answer.status, Status: http.StatusText(answer.status), Took: time.Since(begun),
		ID: answer.header.Get(protocol.HeaderID), Body: readable(answer.body.Bytes())}
	for name, values := range answer.header {
		for _, v := range values {
			o.Headers = append(o.Headers, pair{name, v})
		}
	}
	sortPairs(o.Headers)
	if answer.cut {
		o.Error = fmt.Sprintf("the answer was cut: it is longer than %d bytes, or ended too early", maxAnswer)
	}
	return o, nil
}

// sortPairs sorts headers by name.
func sortPairs(all []pair) {
	slices.SortFunc(all, func(a, b pair) int { return strings.Compare(a.Name+a.Value, b.Name+b.Value) })
}

// recorder is an http.ResponseWriter that keeps an answer, and has room for so much of it. It is for one goroutine.
type recorder struct {
	header http.Header
	status int
	body   bytes.Buffer
	room   int
	cut    bool
}

// Header implements http.ResponseWriter.
func (r *recorder) Header() http.Header { return r.header }

// WriteHeader implements http.ResponseWriter.
func (r *recorder) WriteHeader(status int) {
	if r.status == 0 && status >= 200 {
		r.status = status
	}
}

// Write implements http.ResponseWriter.
func (r *recorder) Write(b []byte) (int, error) {
	r.WriteHeader(http.StatusOK)
	if r.body.Len()+len(b) > r.room {
		r.cut = true
		return 0, http.ErrBodyNotAllowed
	}
	return r.body.Write(b)
}

// Flush implements http.Flusher: there is nobody to flush to.
func (r *recorder) Flush() { r.WriteHeader(http.StatusOK) }

// serve has a handler answer a request. One that aborts has cut its answer.
func (r *recorder) serve(h http.Handler, q *http.Request) {
	defer func() {
		if e := recover(); e != nil {
			if e != http.ErrAbortHandler {
				panic(e)
			}
			r.cut = true
		}
		r.WriteHeader(http.StatusOK)
	}()
	h.ServeHTTP(r, q)
}

// command returns what to type in a shell to do the same.
func (p *play) command() string {
	if p.Function == "" {
		return ""
	}
	var b strings.Builder
	switch p.Via {
	case "http":
		fmt.Fprintf(&b, "curl -X %s", p.Method)
		p.eachHeader(func(name, value string) { fmt.Fprintf(&b, " -H %s", quote(name+": "+value)) })
		if p.Body != "" {
			fmt.Fprintf(&b, " --data-binary %s", quote(p.Body))
		}
		fmt.Fprintf(&b, " %s", quote("http://localhost:8080"+p.Path))
	case "job":
		fmt.Fprintf(&b, "polyvoke job run %s %s", p.Function, quote(p.Body))
	default:
		subject := "fn." + p.Function
		if p.Args != "" {
			subject += "." + p.Args
		}
		fmt.Fprintf(&b, "nats req %s %s", subject, quote(p.Body))
		p.eachHeader(func(name, value string) { fmt.Fprintf(&b, " -H %s", quote(name+":"+value)) })
	}
	return b.String()
}

// eachHeader hands over the headers that can be read.
func (p *play) eachHeader(each func(name, value string)) {
	for l := range strings.Lines(p.Headers) {
		if name, value, ok := strings.Cut(strings.TrimSpace(l), ":"); ok {
			each(textproto.TrimString(name), textproto.TrimString(value))
		}
	}
}

// quote quotes a text for a shell.
func quote(s string) string { return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'" }
