package gateway

import (
	"encoding/json"
	"errors"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/invoker/gateway/access"
	"github.com/polyvoke/polyvoke/protocol"
)

// problem is the body of an answer that says what has gone wrong (RFC 9457).
type problem struct {
	Type     string `json:"type"`
	Title    string `json:"title"`
	Status   int    `json:"status"`
	Detail   string `json:"detail,omitempty"`
	Instance string `json:"instance,omitempty"`
	Function string `json:"function,omitempty"`
	Exit     *int   `json:"exit,omitempty"`
	Stderr   string `json:"stderr,omitempty"`
}

// failure is a call that has failed, and what is known of it besides.
type failure struct {
	error
	exit   int // -1: there is none
	stderr string
}

// Unwrap returns the error.
func (f *failure) Unwrap() error { return f.error }

// failed returns the failure of a call. What a function or its invoker says is for the client; what the way there does,
// which depends on the way, is for the log.
func (x *exchange) failed(reply *protocol.Reply, err error) error {
	f := &failure{error: err, exit: -1}
	if reply != nil && reply.Err != nil {
		f.exit = reply.Exit
		text := protocol.CleanValue(reply.Err.Error(), protocol.MaxErrorText)
		if tail := string(reply.Body); tail != text+"\n" {
			f.stderr = tail
		}
		if reply.Exit >= 0 || reply.Err.Code != protocol.CodeNotFound {
			return f
		}
	} else if protocol.CodeOf(err) != protocol.CodeNotFound && x.r.Context().Err() == nil {
		x.Log.Warn("call failed on its way", "function", x.call.Function.String(), "id", x.call.ID, "err", err)
	}
	f.error = x.onTheWay(protocol.CodeOf(err), err)
	return f
}

// onTheWay says in a gateway's words what has failed between it and the function.
func (x *exchange) onTheWay(code int, err error) error {
	ref := x.call.Function
	text := "the call of " + ref.String() + " failed"
	switch code {
	case protocol.CodeNotFound:
		text = "there is no function " + ref.String() + ": polyvoke ls lists those that are deployed"
	case protocol.CodeForbidden:
		text = "this gateway may not call " + ref.String()
	case protocol.CodeBadOutput:
		text = "the reply of " + ref.String() + " cannot be read; the function has run"
	case protocol.CodeUnavailable:
		text = ref.String() + " is not available right now: try again"
	case protocol.CodeTimeout:
		text = ref.String() + " did not answer in time"
	case protocol.CodeBadRequest, protocol.CodeTooLarge, protocol.CodeHeaders:
		text = protocol.MessageOf(err)
	}
	return &protocol.Error{Code: code, Msg: text, Err: err}
}

// Refuse answers a request with what has gone wrong: for those who serve some of a gateway's requests, such as
// WebSockets.
func (g *Gateway) Refuse(w http.ResponseWriter, r *http.Request, err error) {
	x := g.begin(w, r)
	x.fail(err)
}

// fail answers a request with what has gone wrong.
func (x *exchange) fail(err error) {
	if _, done := errors.AsType[answered](err); done {
		return
	}
	x.corsHeaders()
	p := problem{Type: "about:blank", Status: statusOf(err), Instance: "urn:uuid:" + x.call.ID,
		Detail: x.detail(err), Function: x.call.Function.String()}
	p.Title = http.StatusText(p.Status)
	if f, ok := errors.AsType[*failure](err); ok {
		if f.exit >= 0 {
			p.Exit = &f.exit
		}
		if x.ShowStderr {
			p.Stderr = f.stderr
		}
	}
	h := x.w.Header()
	x.advise(h, p.Status, err)
	h.Set("Cache-Control", "no-store")
	if x.wantsText() {
		h["Content-Type"] = textPlain
		x.finish(p.Status, []byte(p.text()))
		return
	}
	body, _ := json.Marshal(p)
	h["Content-Type"] = []string{"application/problem+json"}
	x.finish(p.Status, append(body, '\n'))
}

// detail returns what the client may know of an error. The log has the rest.
func (x *exchange) detail(err error) string {
	if _, ok := errors.AsType[*protocol.Error](err); !ok {
		x.Log.Error("request failed", "function", x.call.Function.String(), "id", x.call.ID, "err", err)
	}
	return protocol.CleanValue(protocol.ErrorOf(err, x.call.ID).Error(), protocol.MaxErrorText)
}

// statusOf returns the status for an error: its code, if HTTP has it as one of an error.
func statusOf(err error) int {
	code := protocol.CodeOf(err)
	switch {
	case code >= 400 && code <= 599 && http.StatusText(code) != "":
		return code
	case code >= 400 && code <= 499:
		return http.StatusBadRequest
	}
	return http.StatusBadGateway
}

// retryAfter is when a client may try again that has not been told otherwise.
const retryAfter = time.Second

// advise adds the headers that say what to do next.
func (x *exchange) advise(h http.Header, status int, err error) {
	if challenge := access.Challenge(err); challenge != "" {
		h.Set("WWW-Authenticate", challenge)
	}
	wait := access.RetryAfter(err)
	if wait == 0 && (status == http.StatusTooManyRequests || status == http.StatusServiceUnavailable) {
		wait = retryAfter
	}
	if wait > 0 {
		h.Set("Retry-After", strconv.Itoa(int(math.Ceil(wait.Seconds()))))
	}
}

// text returns the problem as plain text.
func (p *problem) text() string {
	var b strings.Builder
	b.WriteString(strconv.Itoa(p.Status) + " " + p.Title + ": " + p.Detail + "\n")
	if p.Stderr != "" {
		b.WriteString("\n" + p.Stderr)
	}
	return b.String()
}

// wantsText reports whether the client accepts plain text and no JSON.
func (x *exchange) wantsText() bool {
	accept := x.r.Header["Accept"]
	if len(accept) == 0 {
		return false
	}
	text := false
	for item := range strings.SplitSeq(strings.Join(accept, ","), ",") {
		kind, params, _ := strings.Cut(strings.ToLower(strings.TrimSpace(item)), ";")
		if quality(params) == 0 {
			continue
		}
		switch strings.TrimSpace(kind) {
		case "*/*", "application/*", "application/json", "application/problem+json":
			return false
		case "text/plain", "text/*":
			text = true
		}
	}
	return text
}

// quality returns the weight that parameters give (RFC 9110, section 12.4.2).
func quality(params string) float64 {
	for p := range strings.SplitSeq(params, ";") {
		if value, ok := strings.CutPrefix(strings.TrimSpace(p), "q="); ok {
			q, err := strconv.ParseFloat(value, 64)
			if err != nil || !(q >= 0 && q <= 1) {
				return 0
			}
			return q
		}
	}
	return 1
}
