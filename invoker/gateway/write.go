package gateway

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// textPlain is a value of Content-Type.
var textPlain = []string{"text/plain; charset=utf-8"}

// write answers with the reply of a function that has succeeded.
func (x *exchange) write(reply *protocol.Reply) error {
	out, err := protocol.ReplyHTTP(x.route.http.Reply, reply.Body)
	if err != nil {
		return x.badOutput(err)
	}
	if out.Length > 0 && x.r.Method != http.MethodHead && !bodiless(out.Status) {
		return x.badOutput(out.Incomplete())
	}
	h := x.w.Header()
	for name, values := range out.Header {
		h[name] = values
	}
	status, body := out.Status, out.Body
	x.contentType(h, &status, body)
	x.corsHeaders()
	if x.unchanged(h, status) {
		status, body = http.StatusNotModified, nil
	}
	if body, err = x.compress(h, status, body); err != nil {
		return err
	}
	if out.Length >= 0 && len(body) == 0 && x.r.Method == http.MethodHead {
		h["Content-Length"] = []string{strconv.FormatInt(out.Length, 10)}
	}
	x.finish(status, body)
	return nil
}

// badOutput takes note of output that is no answer, and returns what the client is told.
func (x *exchange) badOutput(err error) error {
	x.Log.Warn("the function's output is no answer", "function", x.call.Function.String(), "id", x.call.ID,
		"route", x.route.text, "err", err)
	return err
}

// contentType sets the type of a body, if the function has not. One that is guessed is never a page or an image with
// scripts in it: a function that sends back what it was sent would run them for whoever can make others follow a link.
func (x *exchange) contentType(h http.Header, status *int, body []byte) {
	if h["Content-Type"] != nil || x.route.http.Reply == protocol.HTTPMessage && len(body) == 0 {
		return
	}
	if x.route.http.Type != "" && x.route.http.Reply != protocol.HTTPCGI {
		h["Content-Type"] = []string{x.route.http.Type}
		if *status == http.StatusNoContent {
			*status = http.StatusOK
		}
		if strings.HasPrefix(x.route.http.Type, "text/event-stream") && h["Cache-Control"] == nil {
			h["Cache-Control"] = []string{"no-store"}
		}
		return
	}
	if len(body) == 0 || bodiless(*status) {
		return
	}
	kind := http.DetectContentType(body)
	if strings.HasPrefix(kind, "text/") {
		h["Content-Type"] = textPlain
		return
	}
	h["Content-Type"] = []string{kind}
}

// bodiless reports whether an answer with a status has no body (RFC 9110, section 6.4.1).
func bodiless(status int) bool {
	return status < 200 || status == http.StatusNoContent || status == http.StatusNotModified
}

// shortBody is up to which length net/http knows by itself how long a body is, in bytes.
const shortBody = 2048

// finish writes an answer whose headers are set, but for the length of its body.
func (x *exchange) finish(status int, body []byte) {
	x.seen.Status = status
	h := x.w.Header()
	if !bodiless(status) {
		if h["Content-Length"] == nil && (len(body) > shortBody || x.r.Method == http.MethodHead) {
			h["Content-Length"] = []string{strconv.Itoa(len(body))}
		}
	} else {
		body = nil
		delete(h, "Content-Length")
	}
	x.w.WriteHeader(status)
	if x.r.Method == http.MethodHead || len(body) == 0 {
		return
	}
	n, err := x.w.Write(body)
	x.seen.Out += int64(n)
	x.seen.Aborted = err != nil
}
