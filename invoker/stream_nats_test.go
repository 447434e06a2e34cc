package invoker_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"
	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/invoker"
	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/streams"
	"github.com/polyvoke/polyvoke/protocol"
)

// raw is a client that speaks section 15 of the specification by hand.
type raw struct {
	t    testing.TB
	nc   *nats.Conn
	sub  *nats.Subscription
	peer string // where the invoker hears it
	seq  uint64 // of the last chunk
}

// ask sends a request for a stream; header are names and values in turn.
func ask(t testing.TB, nc *nats.Conn, subject string, body []byte, header ...string) *raw {
	t.Helper()
	inbox := nc.NewInbox()
	sub, err := nc.SubscribeSync(inbox)
	if err != nil {
		t.Fatal(err)
	}
	m := &nats.Msg{Subject: subject, Reply: inbox, Data: body, Header: nats.Header{protocol.HeaderStream: {"1"}}}
	for i := 0; i+1 < len(header); i += 2 {
		m.Header[header[i]] = []string{header[i+1]}
	}
	if err := nc.PublishMsg(m); err != nil {
		t.Fatal(err)
	}
	return &raw{t: t, nc: nc, sub: sub}
}

// next returns the next message.
func (r *raw) next() *nats.Msg {
	r.t.Helper()
	m, err := r.sub.NextMsg(patience)
	if err != nil {
		r.t.Fatalf("after chunk %d: %v", r.seq, err)
	}
	if m.Reply != "" {
		r.peer = m.Reply
	}
	return m
}

// chunk returns the next chunk, and fails unless its number is the next.
func (r *raw) chunk() (*nats.Msg, protocol.Chunk) {
	r.t.Helper()
	m := r.next()
	c, ok, err := protocol.ParseChunk(protocol.Header(m.Header))
	if r.seq++; !ok || err != nil || c.Sequence != r.seq {
		r.t.Fatalf("got chunk %+v, %v, want number %d: %v %.100q", c, err, r.seq, m.Header, m.Data)
	}
	return m, c
}

// end reads chunks to the end, and returns what they have together, and what the end says.
func (r *raw) end() (string, protocol.Reply) {
	r.t.Helper()
	var all bytes.Buffer
	for {
		m, c := r.chunk()
		if !c.End {
			all.Write(m.Data)
			continue
		}
		reply, err := protocol.ParseReply(protocol.Header(m.Header), m.Data)
		if err != nil {
			r.t.Fatal(err)
		}
		return all.String(), reply
	}
}

// say publishes where the invoker hears.
func (r *raw) say(body string, header ...string) {
	r.t.Helper()
	m := &nats.Msg{Subject: r.peer, Data: []byte(body), Header: nats.Header{}}
	for i := 0; i+1 < len(header); i += 2 {
		m.Header[header[i]] = []string{header[i+1]}
	}
	if err := r.nc.PublishMsg(m); err != nil {
		r.t.Fatal(err)
	}
}

// quiet fails if a message comes. That the invoker has seen all that was said before is known from what it answers.
func (r *raw) quiet() {
	r.t.Helper()
	inbox := r.nc.NewInbox()
	if err := r.nc.PublishMsg(&nats.Msg{Subject: r.peer, Reply: inbox, Data: []byte("0")}); err != nil {
		r.t.Fatal(err)
	}
	if m := r.next(); m.Header.Get(protocol.HeaderCredit) == "" || len(m.Data) > 0 {
		r.t.Errorf("got %v %.100q, want the greeting again", m.Header, m.Data)
	}
}

// TestStreamWithoutCredit is the official command line's "nats req --replies=0 -H Fn-Stream:1".
func TestStreamWithoutCredit(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)})
	nc := s.nc
	r := ask(t, nc, "fn.probe.lines.100", nil, protocol.HeaderID, "me")
	first, _ := r.chunk()
	if first.Header.Get(protocol.HeaderID) != "me" || first.Header.Get(protocol.HeaderFunction) != "probe@1" ||
		!protocol.IsStreamSubject(first.Reply) {
		t.Errorf("the first chunk has %v and the reply subject %q", first.Header, first.Reply)
	}
	rest, reply := r.end()
	if want := "0\n1\n2\n"; !strings.HasPrefix(string(first.Data)+rest, want) || reply.Err != nil || reply.Exit != 0 {
		t.Errorf("got %.20q, %+v", string(first.Data)+rest, reply)
	}
	body := pattern(1 << 20)[:900<<10]
	if all, reply := ask(t, nc, "fn.probe", body).end(); all != string(body) || reply.Err != nil {
		t.Errorf("got %d bytes, %v", len(all), reply.Err)
	}
	_, reply = ask(t, nc, "fn.probe.exit.3", nil).end()
	wantError(t, reply, 500, "exit code 3")
	_, reply = ask(t, nc, "fn.probe.exit.0", nil, protocol.HeaderReport, "1").end()
	if reply.Report == nil || reply.Report.Function.String() != "probe@1" {
		t.Errorf("report %+v", reply.Report)
	}
}

// TestStreamCredit checks that not one chunk more comes than the client lets come.
func TestStreamCredit(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)})
	r := ask(t, s.nc, "fn.probe.flood", nil, protocol.HeaderCredit, "2")
	if m := r.next(); m.Header.Get(protocol.HeaderCredit) != "0" || !protocol.IsStreamSubject(m.Reply) {
		t.Fatalf("the greeting: %v, %q", m.Header, m.Reply)
	}
	for _, upTo := range []uint64{2, 2, 1, 5, 6, 20} { // what is said again, or less, changes nothing
		r.say(strconv.FormatUint(upTo, 10) + "\n")
		for r.seq < upTo {
			if m, c := r.chunk(); c.End || len(m.Data) == 0 || len(m.Data) > protocol.MaxChunk {
				t.Fatalf("chunk %+v has %d bytes", c, len(m.Data))
			}
		}
		r.quiet()
	}
	r.say("-1")
	_, reply := r.end()
	wantError(t, reply, 503, "its caller cancelled it")
	wantIdle(t, s.service, "probe")
	m, err := s.nc.Request(r.peer, []byte("7"), patience)
	if err != nil || m.Header.Get(protocol.HeaderErrorCode) != "503" || m.Header.Get(protocol.HeaderStream) != "1" {
		t.Errorf("asked for a stream that has ended: %v, %v", m, err)
	}
	if m, err := s.nc.Request("fn._stream.x.y", nil, patience); !noResponders(err) {
		t.Errorf("asked an invoker that is none: %v, %v", m, err)
	}
}

// TestStreamClientGone has clients go without a word, with and without credit.
func TestStreamClientGone(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)})
	for _, header := range [][]string{nil, {protocol.HeaderCredit, "1000000"}} {
		r := ask(t, s.nc, "fn.probe.flood", nil, header...)
		r.next()
		r.next()
		if err := r.sub.Unsubscribe(); err != nil {
			t.Fatal(err)
		}
		wantIdle(t, s.service, "probe")
		if end := s.seen.last(); end.Code != 503 || !strings.Contains(end.Failure, "its caller is gone") {
			t.Errorf("the call ended with %q", end.Failure)
		}
	}
}

// TestStreamHostileClients checks what becomes of those that say what makes no sense.
func TestStreamHostileClients(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)})
	seq := func(n int) []string { return []string{protocol.HeaderSequence, strconv.Itoa(n)} }
	for _, c := range []struct {
		name string
		in   bool // the body comes in chunks
		say  func(r *raw)
		code int
		text string
	}{
		{"credit that is no number", false, func(r *raw) { r.say("many") }, 400, "is no credit"},
		{"nothing", false, func(r *raw) { r.say("") }, 400, "is no credit"},
		{"a chunk that was not announced", false, func(r *raw) { r.say("x", seq(1)...) }, 400, "said to have none"},
		{"a number that is none", true, func(r *raw) { r.say("x", protocol.HeaderSequence, "-3") }, 400, "not the number"},
		{"a gap", true, func(r *raw) { r.say("x", seq(1)...); r.say("y", seq(3)...) }, 503, "chunk 3 came behind chunk 1"},
		{"a chunk twice", true, func(r *raw) { r.say("x", seq(1)...); r.say("x", seq(1)...) }, 503, "a part"},
		{"a chunk that is too long", true, func(r *raw) { r.say(strings.Repeat("x", 64<<10+1), seq(1)...) }, 400, "at most"},
		{"too much at once", true, func(r *raw) {
			for i := range 100 {
				r.say(strings.Repeat("x", 64<<10), seq(i+1)...)
			}
		}, 400, "no more than"},
		{"a body that could not be read", true, func(r *raw) {
			r.say("", append(seq(1), protocol.HeaderEnd, "1", protocol.HeaderError, "no disk",
				protocol.HeaderErrorCode, "404")...)
		}, 404, "no disk"},
	} {
		t.Run(c.name, func(t *testing.T) {
			subject, header := "fn.probe.sleep.60000", []string{protocol.HeaderCredit, "1"}
			if c.in {
				subject, header = "fn.probe.echo", append(header, protocol.HeaderObject, protocol.BodyChunks)
			}
			r := ask(t, s.nc, subject, nil, header...)
			r.next()
			c.say(r)
			var reply protocol.Reply
			for {
				m := r.next()
				if m.Header.Get(protocol.HeaderEnd) == "1" {
					var err error
					if reply, err = parseReply(m); err != nil {
						t.Fatal(err)
					}
					break
				}
			}
			wantError(t, reply, c.code, c.text)
		})
	}
	for header, code := range map[string]int{"x": 400, "0": 400, "-1": 400, "": 0} {
		r := ask(t, s.nc, "fn.probe.exit.0", nil, protocol.HeaderCredit, header)
		if reply, err := parseReply(r.next()); err != nil || protocol.CodeOf(failure(reply)) != code {
			t.Errorf("credit %q: %v, %v", header, reply.Err, err)
		}
	}
	wantIdle(t, s.service, "probe")
}

// failure is the error of a reply.
func failure(r protocol.Reply) error { return protocol.Failure(&r, nil) }

// TestStreamRefusals checks what is answered in one message, so that clients of any age understand it.
func TestStreamRefusals(t *testing.T) {
	s := startStreaming(t, protocol.Limits{})
	deploy(t, s.nc, protocol.Function{Name: "passes",
		Triggers: []protocol.Trigger{{Subject: "in.*", To: "out.{1}"}}}, probe())
	whole := func(r *raw) protocol.Reply {
		t.Helper()
		m := r.next()
		if m.Header.Get(protocol.HeaderSequence) != "" || m.Header.Get(protocol.HeaderStream) != "1" || m.Reply != "" {
			t.Errorf("the answer is no message of its own: %v", m.Header)
		}
		reply, err := parseReply(m)
		if err != nil {
			t.Error(err)
		}
		return reply
	}
	chunks := []string{protocol.HeaderObject, protocol.BodyChunks}
	r := whole(ask(t, s.nc, "in.echo", []byte("hi"), protocol.HeaderCredit, "1"))
	if string(r.Body) != "hi" || r.Err != nil {
		t.Errorf("what is passed on: %q, %v", r.Body, r.Err)
	}
	if r := whole(ask(t, s.nc, "fn.probe", []byte("hi"), protocol.HeaderDryRun, "1")); r.Err != nil {
		t.Errorf("a dry run: %v", r.Err)
	}
	wantError(t, whole(ask(t, s.nc, "in.x", nil, chunks...)), 400, "passed on")
	wantError(t, whole(ask(t, s.nc, "fn.probe", nil, append(chunks, protocol.HeaderEvent, "1")...)), 400, "CloudEvent")
	wantError(t, whole(ask(t, s.nc, "fn.probe", []byte("x"), chunks...)), 400, "the message has one")
	if err := s.nc.PublishMsg(&nats.Msg{Subject: "fn.probe", Header: nats.Header{protocol.HeaderStream: {"1"},
		protocol.HeaderObject: {protocol.BodyChunks}}}); err != nil {
		t.Fatal(err)
	}
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	eventually(t, "the refusal", tick.C, func() bool {
		return strings.Contains(s.log.String(), "without a reply subject")
	})
}

// TestStreamOfOldInvoker has something answer that knows nothing of streams.
func TestStreamOfOldInvoker(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	old := func(m *nats.Msg) {
		h := protocol.Header(m.Header)
		reply := protocol.Reply{Body: m.Data}
		if _, err := protocol.ParseClaim(h); err != nil {
			reply = protocol.Reply{ID: "x", Exit: -1, Err: protocol.ErrorOf(err, "")}
		}
		header, body := reply.Message()
		_ = m.RespondMsg(&nats.Msg{Header: nats.Header(header), Data: body})
	}
	if _, err := nc.Subscribe("fn.old", old); err != nil {
		t.Fatal(err)
	}
	if err := nc.Flush(); err != nil {
		t.Fatal(err)
	}
	c := &client.Client{Conn: connect(t, s)}
	for _, in := range []io.Reader{nil, slowly{strings.NewReader(strings.Repeat("hi", 50_000))}} {
		r := &protocol.Request{Function: protocol.Ref{Name: "old"}}
		want := strings.Repeat("hi", 50_000)
		if in == nil {
			r.Body = []byte(want)
		}
		var out bytes.Buffer
		reply, err := c.Stream(t.Context(), r, in, &out)
		if err := protocol.Failure(reply, err); err != nil || out.String() != want || len(reply.Body) > 0 {
			t.Errorf("got %d bytes, %v", out.Len(), err)
		}
	}
}

// TestStreamOfHostileInvoker has something answer that lies.
func TestStreamOfHostileInvoker(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	victim, err := nc.SubscribeSync("orders.>")
	if err != nil {
		t.Fatal(err)
	}
	type headers = nats.Header
	good := headers{protocol.HeaderSequence: {"1"}}
	for i, c := range []struct {
		name string
		says []nats.Msg
		code int
		text string
	}{
		{"a gap", []nats.Msg{{Header: good, Data: []byte("a"), Reply: "orders.x"},
			{Header: headers{protocol.HeaderSequence: {"3"}}, Data: []byte("c")}}, 503, "a part of the stream was lost"},
		{"an end behind a gap", []nats.Msg{{Header: good, Data: []byte("a"), Reply: "$JS.API.x"},
			{Header: headers{protocol.HeaderSequence: {"3"}, protocol.HeaderEnd: {"1"}}}}, 503, "a part of the stream was lost"},
		{"a number that is none", []nats.Msg{{Header: headers{protocol.HeaderSequence: {"x"}}}}, 502, "cannot be read"},
		{"a whole answer behind chunks", []nats.Msg{{Header: good, Data: []byte("a")}, {Data: []byte("b")}}, 502,
			"without a number"},
		{"a chunk that is too long", []nats.Msg{{Header: good, Data: make([]byte, 1<<17)}}, 400, "at most"},
		{"more than there is room for", slicesOf(100), 400, "no more than"},
	} {
		t.Run(c.name, func(t *testing.T) {
			name := fmt.Sprintf("liar%d", i)
			sub, err := nc.Subscribe("fn."+name, func(m *nats.Msg) {
				for _, a := range c.says {
					a.Subject = m.Reply
					_ = nc.PublishMsg(&a)
				}
			})
			if err != nil || nc.Flush() != nil {
				t.Fatal(err)
			}
			defer sub.Unsubscribe()
			liar := &client.Client{Conn: connect(t, s)}
			heard := make(chan struct{}) // all of it, by the client
			out := waits{heard}
			go func() {
				tick := time.NewTicker(time.Millisecond)
				defer tick.Stop()
				for liar.Conn.Stats().InMsgs < uint64(len(c.says)) {
					<-tick.C
				}
				_ = liar.Conn.Barrier(func() { close(heard) })
			}()
			err = protocol.Failure(liar.Stream(t.Context(), &protocol.Request{Function: protocol.Ref{Name: name}}, nil, out))
			if protocol.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.text) {
				t.Errorf("got the error %v with code %d", err, protocol.CodeOf(err))
			}
		})
	}
	if m, err := victim.NextMsg(10 * time.Millisecond); err == nil {
		t.Errorf("a client published %q on %s", m.Data, m.Subject)
	}
}

// slicesOf returns n chunks.
func slicesOf(n int) (all []nats.Msg) {
	for i := range n {
		all = append(all, nats.Msg{Header: nats.Header{protocol.HeaderSequence: {strconv.Itoa(i + 1)}}, Data: []byte("x")})
	}
	return all
}

// waits is a Writer that waits for a channel to be closed.
type waits struct{ until chan struct{} }

func (w waits) Write(b []byte) (int, error) { <-w.until; return len(b), nil }

// TestStreamConnectionCut makes the connection of a client, or of the invoker, anew in the middle of streams. Each of
// them is whole or has an error.
func TestStreamConnectionCut(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute), Concurrency: 100})
	nc, err := nats.Connect(s.nc.ConnectedUrl(), nats.ReconnectWait(time.Millisecond), nats.MaxReconnects(-1))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	c := &client.Client{Conn: nc}
	body := pattern(4 << 20)
	stop := make(chan struct{})
	var cuts sync.WaitGroup
	cuts.Go(func() {
		for i := 0; ; i++ {
			select {
			case <-stop:
				return
			case <-time.After(time.Duration(rand.IntN(60)) * time.Millisecond):
				_ = []*nats.Conn{nc, s.nc}[i%2].ForceReconnect()
			}
		}
	})
	var all sync.WaitGroup
	var mu sync.Mutex
	ends := map[int]int{}
	for range 4 {
		all.Go(func() {
			for range 3 {
				var out bytes.Buffer
				ctx, cancel := context.WithTimeout(t.Context(), patience)
				echo := askProbe("echo")
				echo.Timeout = 3 * time.Second
				err := protocol.Failure(c.Stream(ctx, echo, bytes.NewReader(body), &out))
				cancel()
				if got := out.Bytes(); !bytes.Equal(got, body[:len(got)]) || err == nil && len(got) < len(body) {
					t.Errorf("%d of %d bytes came through, error %v", len(got), len(body), err)
				}
				mu.Lock()
				ends[protocol.CodeOf(err)]++
				mu.Unlock()
			}
		})
	}
	all.Wait()
	close(stop)
	cuts.Wait()
	t.Logf("codes: %v", ends)
	if ends[500] > 0 {
		t.Errorf("codes: %v", ends)
	}
	wantIdle(t, s.service, "probe")
}

// TestStreamDrain ends an invoker that has streams: those that end in time are whole, others have an error.
func TestStreamDrain(t *testing.T) {
	s := startStreaming(t, protocol.Limits{Timeout: protocol.Duration(time.Minute)},
		func(v *invoker.Invoker) { v.Drain = 3 * time.Second })
	endless, short := make(chan error, 1), make(chan error, 1)
	in, send := io.Pipe()
	receive, out := io.Pipe()
	c := s.ways["over NATS"]
	flooded, flood := io.Pipe()
	go func() { endless <- protocol.Failure(c.Stream(t.Context(), askProbe("flood"), nil, flood)) }()
	go func() {
		short <- protocol.Failure(c.Stream(t.Context(), askProbe("echo"), in, out))
		out.Close()
	}()
	fmt.Fprint(send, "begun")
	for _, r := range []io.Reader{receive, flooded} { // both run
		if _, err := io.ReadFull(r, make([]byte, 5)); err != nil {
			t.Fatal(err)
		}
	}
	go func() { _, _ = io.Copy(io.Discard, flooded) }()
	defer flooded.Close()
	ended := make(chan struct{})
	go func() { defer close(ended); s.end(t) }()
	tick := time.NewTicker(time.Millisecond)
	defer tick.Stop()
	eventually(t, "the drain", tick.C, func() bool { return s.State() == invoker.Ending })
	fmt.Fprint(send, "last")
	send.Close()
	if rest, err := io.ReadAll(receive); err != nil || string(rest) != "last" {
		t.Errorf("got %q, %v", rest, err)
	}
	if err := <-short; err != nil {
		t.Errorf("a stream that ends in time: %v", err)
	}
	if err := <-endless; protocol.CodeOf(err) != 503 || !strings.Contains(err.Error(), "the invoker is ending") {
		t.Errorf("a stream that does not end: %v", err)
	}
	<-ended
}

// TestStreamNotPermitted has NATS deny an invoker what it needs to hear clients, and clients what they need to be
// heard.
func TestStreamNotPermitted(t *testing.T) {
	s := startServer(t, func(o *server.Options) {
		deaf := &server.Permissions{Subscribe: &server.SubjectPermission{Deny: []string{"fn._stream.>"}}}
		mute := &server.Permissions{Publish: &server.SubjectPermission{Deny: []string{"fn._stream.>"}}}
		o.Users = []*server.User{{Username: "deaf", Password: "x", Permissions: deaf},
			{Username: "mute", Password: "x", Permissions: mute}, {Username: "all", Password: "x"}}
	})
	as := func(user string) *nats.Conn {
		return connect(t, s, nats.UserInfo(user, "x"), nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {}))
	}
	v := serveOn(t, as("deaf"))
	deployProbe(t, as("all"), "probe", protocol.Limits{Output: 1000, Timeout: protocol.Duration(time.Minute)})
	c := &client.Client{Conn: as("all")}
	var out bytes.Buffer
	if err := protocol.Failure(c.Stream(t.Context(), askProbe("hush"), nil, &out)); err != nil || out.String() != "ok" {
		t.Errorf("an answer in one message: %q, %v", out.String(), err)
	}
	err := protocol.Failure(c.Stream(t.Context(), askProbe("echo"), strings.NewReader("x"), &out))
	if protocol.CodeOf(err) != 403 || !strings.Contains(err.Error(), "fn._stream") {
		t.Errorf("a body in chunks: %v", err)
	}
	if !strings.Contains(v.log.String(), "streams are answered with one message each") {
		t.Errorf("the operator is not told:\n%s", v.log)
	}
	v.end(t)
	serveOn(t, as("all"), func(v *invoker.Invoker) { v.Drain = 100 * time.Millisecond })
	c = &client.Client{Conn: as("mute")}
	err = protocol.Failure(c.Stream(t.Context(), askProbe("flood"), nil, io.Discard))
	if protocol.CodeOf(err) != 403 || !strings.Contains(err.Error(), "fn._stream") {
		t.Errorf("a client that may not be heard: %v", err)
	}
	var all sync.WaitGroup
	for range 20 {
		all.Go(func() { _, _ = c.Stream(t.Context(), askProbe("flood"), nil, io.Discard) })
		all.Go(func() {
			if err := protocol.Failure(c.Stream(t.Context(), askProbe("hush"), nil, io.Discard)); err != nil {
				t.Errorf("one that need not be, beside those that may not: %v", err)
			}
		})
	}
	all.Wait()
}

// TestHubSilence has a client of a stream say nothing any more.
func TestHubSilence(t *testing.T) {
	s := startServer(t)
	nc := connect(t, s)
	hub, err := streams.Listen(nc, protocol.DefaultLine, 50*time.Millisecond)
	if err != nil {
		t.Fatal(err)
	}
	defer hub.Close()
	gone := make(chan struct{})
	sub, err := nc.SubscribeSync("answers")
	if err != nil {
		t.Fatal(err)
	}
	session := hub.Open(streams.Opening{Reply: "answers", Credit: 1, Gone: func() { close(gone) }})
	<-gone
	if err := session.Err(); protocol.CodeOf(err) != 503 || !strings.Contains(err.Error(), "said nothing for 50ms") {
		t.Errorf("the error is %v", err)
	}
	if _, err := session.Write([]byte("x")); !errors.Is(err, session.Err()) {
		t.Errorf("a Write afterwards: %v", err)
	}
	if err := session.End(nil, nil); err != nil {
		t.Error(err)
	}
	if m, err := sub.NextMsg(patience); err != nil || m.Header.Get(protocol.HeaderCredit) != "0" {
		t.Errorf("the greeting: %v, %v", m, err)
	}
	if m, err := sub.NextMsg(patience); err != nil || m.Header.Get(protocol.HeaderEnd) != "1" {
		t.Errorf("the end: %v, %v", m, err)
	}
}
