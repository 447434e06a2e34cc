package gateway

import (
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// errIdle is why a stream ends of which nothing has come for too long.
var errIdle = errors.New("nothing was written for too long")

// stream answers a request whose bodies go on as they are written. What fails before the answer has begun is answered
// as ever; after that the connection is cut, so that nobody takes the beginning for the whole.
func (x *exchange) stream() error {
	if x.streams == nil {
		return &protocol.Error{Code: http.StatusNotImplemented, Msg: "this gateway has no streams"}
	}
	ctx, cancel := context.WithCancelCause(x.r.Context())
	defer cancel(nil)
	idle := time.Duration(x.route.http.Idle)
	if idle == 0 {
		idle = time.Duration(protocol.DefaultHTTPIdle)
	}
	s := &streamed{x: x, control: http.NewResponseController(x.w), idle: idle}
	s.timer = time.AfterFunc(idle, func() { cancel(errIdle) })
	defer s.timer.Stop()
	defer func() { _ = s.control.SetWriteDeadline(time.Time{}) }() // the connection goes on
	in, err := s.input()
	if err != nil {
		return err
	}
	defer s.endInput()
	reply, err := x.streams.Stream(ctx, &x.call, in, s)
	x.seen.In = s.in.Load()
	err = protocol.Failure(reply, err)
	if err == nil && !s.begun {
		err = s.begin(reply)
	}
	switch {
	case err == nil:
		return nil
	case s.begun || x.r.Context().Err() != nil:
		x.seen.Aborted, x.seen.Cut = true, s.why(ctx, err)
		if x.r.Context().Err() == nil {
			x.Log.Warn("stream cut short", "function", x.call.Function.String(), "id", x.call.ID, "err", err)
		}
		s.cut()
	case s.over.Load():
		return x.tooLarge()
	case errors.Is(context.Cause(ctx), errIdle):
		return protocol.Errorf(protocol.CodeTimeout, "", "%s wrote nothing within %s (http.idle)", x.call.Function,
			protocol.Duration(idle))
	case s.bad != nil:
		return x.badOutput(s.bad)
	}
	return x.failed(reply, err)
}

// why returns why the stream was cut short.
func (s *streamed) why(ctx context.Context, err error) string {
	switch {
	case s.x.r.Context().Err() != nil || s.lost:
		return CutClient
	case errors.Is(context.Cause(ctx), errIdle):
		return CutIdle
	case s.over.Load():
		return CutInput
	case protocol.CodeOf(err) == protocol.CodeTimeout:
		return CutTimeout
	}
	return CutFailed
}

// streamed is an answer whose body goes out as it is written. One goroutine writes, and one reads.
type streamed struct {
	x       *exchange
	control *http.ResponseController
	idle    time.Duration
	timer   *time.Timer
	begun   bool   // the headers are out
	silent  bool   // the answer has no body, whatever the function writes
	head    []byte // with reply = "cgi": the beginning of the block of headers
	bad     error  // why the output is no answer
	lost    bool   // the client takes nothing any more
	in      atomic.Int64
	over    atomic.Bool // the body is too long
	body    *streamedBody
}

// input returns the request's body, or nil if there is none.
func (s *streamed) input() (io.Reader, error) {
	x := s.x
	length := x.r.ContentLength
	switch {
	case length == 0 || x.r.Body == nil || x.r.Body == http.NoBody:
		return nil, nil
	case length > x.limit():
		return nil, x.tooLarge()
	}
	if length > 0 && x.asked.Kind == protocol.HTTPCGI {
		x.call.Header["Content-Length"] = []string{strconv.FormatInt(length, 10)}
	}
	if x.r.ProtoMajor < 2 {
		_ = s.control.EnableFullDuplex()
		x.w.Header().Set("Connection", "close") // what is not read of this body must not be the next request
	}
	s.body = &streamedBody{s: s, r: http.MaxBytesReader(x.w, x.r.Body, x.limit())}
	return s.body, nil
}

// endInput waits for a Read of the body that may still be under way: afterwards the connection is net/http's.
func (s *streamed) endInput() {
	if s.body == nil || s.body.whole.Load() {
		return
	}
	_ = s.control.SetReadDeadline(time.Now())
	s.body.mu.Lock()
	defer s.body.mu.Unlock()
	s.body.ended = true
}

// streamedBody is the body of a request as it comes.
type streamedBody struct {
	s     *streamed
	whole atomic.Bool // it was read to its end

	mu    sync.Mutex
	r     io.Reader
	ended bool // nobody may read any more
}

// Read implements io.Reader.
func (b *streamedBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.ended {
		return 0, http.ErrBodyReadAfterClose
	}
	n, err := b.r.Read(p)
	b.s.in.Add(int64(n))
	if n > 0 {
		b.s.timer.Reset(b.s.idle)
	}
	var over *http.MaxBytesError
	if errors.As(err, &over) {
		b.s.over.Store(true)
	}
	if err == io.EOF {
		b.whole.Store(true)
	}
	return n, err
}

// Write implements io.Writer: what it is given goes out at once.
func (s *streamed) Write(p []byte) (int, error) {
	s.timer.Reset(s.idle)
	n := len(p)
	if !s.begun {
		var err error
		if p, err = s.start(p); err != nil || !s.begun {
			return n, err
		}
	}
	if len(p) > 0 && !s.silent {
		_ = s.control.SetWriteDeadline(time.Now().Add(s.idle)) // a client that reads nothing is gone
		written, err := s.x.w.Write(p)
		s.x.seen.Out += int64(written)
		if err != nil {
			s.lost = true
			return 0, err
		}
	}
	err := s.control.Flush()
	s.lost = err != nil
	return n, err
}

// start writes the headers, if they are there, and returns what is left of p for the body.
func (s *streamed) start(p []byte) ([]byte, error) {
	if s.x.route.http.Reply != protocol.HTTPCGI {
		return p, s.headers(protocol.HTTPReply{Status: http.StatusOK}, p)
	}
	s.head = append(s.head, p...)
	n, err := protocol.BlockEnd(s.head)
	if err == nil && n == 0 {
		return nil, nil
	}
	var reply protocol.HTTPReply
	if err == nil {
		reply, n, err = protocol.ParseCGI(s.head)
	}
	if err != nil {
		s.bad = err
		return nil, err
	}
	rest := s.head[n:]
	s.head = nil
	return rest, s.headers(reply, rest)
}

// headers writes the headers of an answer whose body begins with p.
func (s *streamed) headers(reply protocol.HTTPReply, p []byte) error {
	x, status := s.x, reply.Status
	h := x.w.Header()
	for name, values := range reply.Header {
		h[name] = values
	}
	x.contentType(h, &status, p)
	s.silent = bodiless(status)
	x.corsHeaders()
	if strings.HasPrefix(h.Get("Content-Type"), "text/event-stream") {
		if h["Cache-Control"] == nil {
			h["Cache-Control"] = []string{"no-store"}
		}
		h["X-Accel-Buffering"] = []string{"no"} // for nginx in front
	}
	s.begun, x.seen.Status = true, status
	x.w.WriteHeader(status)
	return nil
}

// begin answers for a function that has written nothing, or nothing but headers.
func (s *streamed) begin(reply *protocol.Reply) error {
	if s.x.route.http.Reply != protocol.HTTPCGI && len(reply.Body) == 0 {
		return s.x.write(reply)
	}
	_, err := protocol.ReplyHTTP(protocol.HTTPCGI, s.head)
	s.bad = err
	return err
}
