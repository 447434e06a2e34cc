package protocol

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

func TestMatch(t *testing.T) {
	for _, c := range []struct {
		pattern, subject string
		args             string // "-" for no match
	}{
		{"orders.created", "orders.created", ""},
		{"orders.created", "orders.deleted", "-"},
		{"orders.*.created", "orders.eu.created", "eu"},
		{"orders.*.created", "orders.created", "-"},
		{"orders.*", "orders.eu.created", "-"},
		{"orders.*.*", "orders.eu.created", "eu created"},
		{"orders.>", "orders.eu.created", "eu created"},
		{"orders.>", "orders", "-"},
		{"orders.*.>", "orders.eu.a.b", "eu a b"},
		{"a.b", "a", "-"},
		{"a", "a.b", "-"},
	} {
		args, ok := Match(c.pattern, c.subject)
		got := strings.Join(args, " ")
		if !ok {
			got = "-"
		}
		if got != c.args {
			t.Errorf("Match(%q, %q) = %q, want %q", c.pattern, c.subject, got, c.args)
		}
	}
}

func TestOverlap(t *testing.T) {
	for _, c := range []struct {
		a, b string
		want bool
	}{
		{"a.b", "a.b", true}, {"a.b", "a.c", false}, {"a.*", "a.b", true}, {"a.*", "*.b", true},
		{"a.>", "a.b.c", true}, {"a.>", "a", false}, {"a.*.c", "a.b.>", true}, {"a.*", "a.b.c", false},
		{">", "x", true}, {"a.>", "*.b", true}, {"a.>", "b.>", false},
	} {
		if Overlap(c.a, c.b) != c.want || Overlap(c.b, c.a) != c.want {
			t.Errorf("Overlap(%q, %q) is not %v both ways", c.a, c.b, c.want)
		}
	}
}

func TestCheckPattern(t *testing.T) {
	for _, good := range []string{"orders", "orders.*.created", "orders.>", "a.b.c", "fnord.>"} {
		if err := CheckPattern(good); err != nil {
			t.Errorf("%q: %v", good, err)
		}
	}
	for _, bad := range []string{
		"", ".", "a.", "a..b", "a b", ">", "*", "*.x", "fn.greet", "fn.>", "fn", "log.x", "job.>", "dead.x",
		"polyvoke.api.list", "polyvoke.*.list", "polyvoke.>", "$SRV.PING", "$JS.>", "_INBOX.x", "a.>.b", "a\x00b",
		"later.x", "due.x.y", "ws.>", "polyvoke.event.x", "polyvoke", "_mine.x", "_", "$",
		strings.Repeat("x", MaxSubject+1),
	} {
		if err := CheckPattern(bad); CodeOf(err) != CodeRefused {
			t.Errorf("%q: got %v, want an error with code 422", bad, err)
		}
	}
}

// What a caller may choose as reply subject, beside a server that takes lines of 4096 bytes.
func TestCheckReply(t *testing.T) {
	for reply, code := range map[string]int{
		"": 0, "_INBOX.a.b": 0, "_mine.x": 0, "_R_.x": 0, "mine": 0, "fnord.x": 0, "orders.fn": 0, "polyvoker.x": 0,
		strings.Repeat("x", 4096-24): 0,
		strings.Repeat("x", 4096-23): CodeBadRequest, strings.Repeat("x", 4089): CodeBadRequest,
		"fn.f": CodeForbidden, "fn": CodeForbidden, "job.f": CodeForbidden, "dead.f": CodeForbidden,
		"log.f": CodeForbidden, "later.f": CodeForbidden, "due.f.x": CodeForbidden, "ws.g.1": CodeForbidden,
		"polyvoke.api.remove": CodeForbidden, "polyvoke.event.x": CodeForbidden, "polyvoke": CodeForbidden,
		"$JS.API.STREAM.DELETE.x": CodeForbidden, "$KV.b.k": CodeForbidden, "$O.b.M.x": CodeForbidden,
		"$SRV.PING": CodeForbidden, "$": CodeForbidden,
		"*.api.remove": CodeForbidden, ">": CodeForbidden,
	} {
		if err := CheckReply(reply, DefaultLine); CodeOf(err) != code {
			t.Errorf("%.40q: got %v, want code %d", reply, err, code)
		}
	}
	if n := testing.AllocsPerRun(100, func() { _ = CheckReply("_INBOX.0123456789.abc", DefaultLine) }); n != 0 {
		t.Errorf("%v allocations for a good one", n)
	}
}

// What a manifest may not say, because it would take what is somebody else's or not fit a line.
func TestTriggersAreBounded(t *testing.T) {
	long := strings.Repeat("x", MaxSubject+1)
	for _, good := range []Trigger{{Subject: "a", Queue: "fn-f"}, {Subject: "a", Queue: "workers"}, {Subject: "a",
		Queue: "fnord"},
		{Subject: long[1:], Queue: long[:MaxQueue], To: long[1:]}} {
		f := Function{Name: "f", Triggers: []Trigger{good}}
		if err := f.Check(); err != nil {
			t.Errorf("%.100v: %v", good, err)
		}
	}
	for _, bad := range []Trigger{{Subject: long}, {Subject: "a", Queue: long[:MaxQueue+1]}, {Subject: "a", To: long},
		{Subject: "a", Queue: "fn-g"}, {Subject: "a", Queue: "fn-"},
		{Subject: "a", Queue: "q"}, {Subject: "a", Queue: "_sys_"}, {Subject: "a", To: "_INBOX.x"}, {Subject: "a",
			To: "later.x"}, {Subject: "a", To: "polyvoke.event.x"},
		{Subject: "a.*", To: "{1}"}, {Subject: "a.>", To: "{1}"}, {Subject: "a.*", To: "{1}.b"}} {
		f := Function{Name: "f", Triggers: []Trigger{bad}}
		if err := f.Check(); CodeOf(err) != CodeRefused {
			t.Errorf("%.100v: got %v, want code %d", bad, err, CodeRefused)
		}
	}
	if _, err := ParseClaim(Header{HeaderObject: {strings.Repeat("x", MaxObject+1)}, HeaderSize: {"1"},
		HeaderDigest: {Digest(nil)}}); CodeOf(err) != CodeBadRequest {
		t.Errorf("the name of an object: got %v", err)
	}
}

func TestCallSubject(t *testing.T) {
	got, err := CallSubject(Ref{"greet", "3"}, "a", "b-c")
	if err != nil || got != "fn.greet@3.a.b-c" {
		t.Errorf("got %q, %v", got, err)
	}
	for _, bad := range []string{"", "a.b", "a b", "*", ">", strings.Repeat("x", MaxCall)} {
		if _, err := CallSubject(Ref{Name: "greet"}, bad); CodeOf(err) != CodeBadRequest {
			t.Errorf("argument %q: got %v, want an error with code 400", bad, err)
		}
	}
}

func TestFromExit(t *testing.T) {
	for exit, want := range map[uint32]string{
		0: "0 ack", 1: "500 retry", 2: "500 retry", 64: "400 dead letter", 65: "400 dead letter", 66: "404 dead letter",
		69: "503 retry", 70: "500 retry", 75: "503 retry", 77: "403 dead letter", 255: "500 retry", 1 << 31: "500 retry",
	} {
		o := FromExit(exit)
		if got := fmt.Sprint(o.Code, " ", o.Delivery); got != want {
			t.Errorf("exit %d: %s, want %s", exit, got, want)
		}
	}
	for code, want := range map[int]Delivery{
		0: Ack, 429: Retry, 500: Retry, 503: Retry, 504: Retry,
		400: DeadLetter, 413: DeadLetter, 502: DeadLetter, 507: DeadLetter,
	} {
		if got := DeliveryOf(code); got != want {
			t.Errorf("code %d: %v, want %v", code, got, want)
		}
	}
}

func TestCodeOf(t *testing.T) {
	inner := Errorf(CodeTooMany, "call", "busy: %w", context.Canceled)
	for _, c := range []struct {
		err  error
		code int
		text string
	}{
		{nil, 0, ""},
		{errors.New("secret"), 500, "an unexpected error"},
		{context.DeadlineExceeded, 504, "the deadline passed"},
		{fmt.Errorf("x: %w", context.Canceled), 503, "cancelled"},
		{fmt.Errorf("x: %w", inner), 429, "call: busy: context canceled"},
	} {
		if CodeOf(c.err) != c.code || MessageOf(c.err) != c.text {
			t.Errorf("%v: %d %q, want %d %q", c.err, CodeOf(c.err), MessageOf(c.err), c.code, c.text)
		}
	}
	for _, c := range []struct {
		err  error
		want string
	}{
		{errors.New("secret"), "500 internal error: the invoker's log has the cause under the id 7"},
		{context.DeadlineExceeded, "504 the deadline passed"},
		{fmt.Errorf("x: %w", inner), "429 call: busy: context canceled"},
	} {
		if e := ErrorOf(c.err, "7"); fmt.Sprint(e.Code, " ", e) != c.want || !errors.Is(e, c.err) && !errors.Is(c.err, e) {
			t.Errorf("%v: %d %v, want %s", c.err, e.Code, e, c.want)
		}
	}
	if ErrorOf(nil, "7") != nil {
		t.Error("no error is one")
	}
	if !errors.Is(inner, context.Canceled) {
		t.Error("the cause is lost")
	}
}

func TestHeaderAnyCase(t *testing.T) {
	h := Header{"fn-ID": {"a"}, "X": {"1", "2"}}
	if h.Get("Fn-Id") != "a" || h.Get("x") != "1" || h.Get("none") != "" || Header(nil).Get("x") != "" {
		t.Errorf("got %q, %q", h.Get("Fn-Id"), h.Get("x"))
	}
	h.Set("Fn-Id", "b")
	if diff := cmp.Diff(Header{"Fn-Id": {"b"}, "X": {"1", "2"}}, h); diff != "" {
		t.Error(diff)
	}
	both := Header{"Fn-Id": {"ours"}, "fn-id": {"theirs"}}
	if both.Get("Fn-Id") != "ours" {
		t.Error("the specification's spelling must win")
	}
}

func TestSizes(t *testing.T) {
	for in, want := range map[string]Size{
		"1": 1, "64MiB": 64 << 20, "10MB": 10e6, "1 GiB": 1 << 30, "3KB": 3000, "7B": 7,
	} {
		got, err := ParseSize(in)
		if err != nil || got != want {
			t.Errorf("ParseSize(%q) = %d, %v", in, got, err)
		}
		again, err := ParseSize(got.String())
		if err != nil || again != got {
			t.Errorf("%q is written as %q", in, got)
		}
	}
	for _, bad := range []string{"", "x", "-1", "0", "1.5MiB", "MiB", "9223372036854775807KiB", "64 megabytes"} {
		if got, err := ParseSize(bad); err == nil {
			t.Errorf("ParseSize(%q) = %d, want an error", bad, got)
		}
	}
}

func TestParseFunction(t *testing.T) {
	f, err := ParseFunction([]byte(`{"name":"greet","args":["-v"],"env":{"LANG":"C"},
		"limits":{"timeout":"500ms","fuel":2000000,"memory":"64MiB","stack":"1MiB","output":1024},
		"trigger":[{"subject":"orders.*.created"}]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := Function{Name: "greet", Args: []string{"-v"}, Env: map[string]string{"LANG": "C"},
		Limits: Limits{
			Timeout: Duration(500 * time.Millisecond), Fuel: 2e6, Memory: 64 << 20, Stack: 1 << 20, Output: 1024},
		Triggers: []Trigger{{Subject: "orders.*.created"}}}
	if diff := cmp.Diff(want, f); diff != "" {
		t.Error(diff)
	}
	escaped := []byte(`{"name":"a","args":["\ud83d\ude00","\\ud800","é\ufffd"]}`)
	g, err := ParseFunction(escaped)
	if err != nil || !slices.Equal(g.Args, []string{"\U0001f600", `\ud800`, "é\ufffd"}) {
		t.Errorf("%q, %v", g.Args, err)
	}
	b, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	again, err := ParseFunction(b)
	if diff := cmp.Diff(f, again); diff != "" || err != nil {
		t.Error(err, diff)
	}
}

func TestParseFunctionRefuses(t *testing.T) {
	for in, want := range map[string]string{
		``:                                "EOF",
		`[]`:                              "must be a table",
		`{}`:                              "needs a name",
		`{"name":"a.b"}`:                  `function name "a.b"`,
		`{"name":"a"} x`:                  "something follows",
		`{"name":"a","timeot":"3s"}`:      `unknown key "timeot"`,
		`{"name":"a","limits":{"cpu":1}}`: `unknown key "cpu"`,
		`{"name":"a","replies":[64]}`:     "64 cannot be a reply",
		`{"name":"a","replies":[1,78]}`:   "78 cannot be a reply",
		`{"name":"a","replies":[-1]}`:     "-1 cannot be a reply",
		`{"name":"a","replies":[256]}`:    "256 cannot be a reply",
		`{"name":"a","replies":[1.5]}`:    "replies must be a whole number",
		`{"name":"a","replies":"1"}`:      "replies must be a list",
		`{"name":"a","replies":[1,2,3,4,5,6,7,8,9,10,` +
			`11,12,13,14,15,16,17]}`: "at most 16",
		"{\"name\":\"a\",\"args\":[\"\xff\"]}":                   "not UTF-8",
		`{"name":"a","args":["\ud800"]}`:                         `the escape \ud800 is half of a pair`,
		`{"name":"a","args":["\udc00\ud800"]}`:                   `the escape \udc00 is half of a pair`,
		`{"name":"a","args":["\ud83d\ue000"]}`:                   `the escape \ud83d is half of a pair`,
		`{"name":"a","limits":{"timeout":"-1s"}}`:                "longer than zero",
		`{"name":"a","limits":{"timeout":3}}`:                    "with its unit",
		`{"name":"a","limits":{"timeout":"16m"}}`:                "at most 15m0s",
		`{"name":"a","limits":{"memory":"0"}}`:                   "more than zero",
		`{"name":"a","limits":{"memory":"8GiB"}}`:                "limits.memory",
		`{"name":"a","limits":{"fuel":-1}}`:                      "limits.fuel",
		`{"name":"a","limits":{"fuel":1000000000000001}}`:        "at most 1000000000000000",
		`{"name":"a","limits":{"fuel":"1M"}}`:                    "limits.fuel must be a whole number",
		`{"name":"a","limits":{"fuel":1.5}}`:                     "limits.fuel must be a whole number",
		`{"name":"a","limits":{"stack":"63KiB"}}`:                "limits.stack must be at least 64KiB",
		`{"name":"a","limits":{"stack":"33MiB"}}`:                "limits.stack must be more than zero and at most 32MiB",
		`{"name":"a","limits":{"concurrency":-1}}`:               "limits.concurrency",
		`{"name":"a","limits":{"concurrency":"x"}}`:              "limits.concurrency must be a whole number",
		`{"name":"a","start":"hot"}`:                             `start = "hot"`,
		`{"name":"a","meta":"x"}`:                                `meta = "x"`,
		`{"name":"a","env":{"A=B":"c"}}`:                         `env: "A=B"`,
		`{"name":"a","env":{"A":"\u0000"}}`:                      `env: "A"`,
		`{"name":"a","args":["\u0000"]}`:                         "NUL",
		`{"name":"a","trigger":[{"subject":"fn.x"}]}`:            "trigger 1",
		`{"name":"a","trigger":[{"subjekt":"x"}]}`:               `unknown key "subjekt"`,
		`{"name":"a","trigger":[{"subject":"x","queue":"a b"}]}`: "queue",
		`{"name":"a","trigger":[{"subject":"x","to":"log.a"}]}`:  "trigger 1: to",
		`{"name":"a","trigger":[{"subject":"x","to":7}]}`:        "trigger.to must be a string",
		`{"name":"a","trigger":[{"subject":"x"},` +
			`{"subject":"x","queue":"fn-a","to":"y"}]}`: "trigger 2: x is that of trigger 1, but to is not",
	} {
		_, err := ParseFunction([]byte(in))
		if CodeOf(err) != CodeRefused || !strings.Contains(err.Error(), want) {
			t.Errorf("%s\n got %v\nwant 422 with %q", in, err, want)
		}
	}
}

func TestSame(t *testing.T) {
	a := Function{Name: "a", Version: 1, Created: time.Now(), Size: 3, Digest: "sha256:x"}
	b := Function{Name: "a", Digest: "sha256:x", Limits: Limits{}.WithDefaults(), Start: StartAuto, Meta: MetaFiles,
		Args: []string{}, Env: map[string]string{}, Replies: []int{0}}
	if !a.Same(&b) {
		t.Error("defaults written out make another version")
	}
	for name, change := range map[string]func(*Function){
		"digest": func(f *Function) { f.Digest = "sha256:y" },
		"env":    func(f *Function) { f.Env = map[string]string{"A": "1"} },
		"args":   func(f *Function) { f.Args = []string{"x"} },
		"limit":  func(f *Function) { f.Limits.Memory = 1 << 20 },
		"fuel":   func(f *Function) { f.Limits.Fuel = 1 },
		"reply":  func(f *Function) { f.Replies = []int{1} },
		"stack":  func(f *Function) { f.Limits.Stack = 1 << 20 },
		"route":  func(f *Function) { f.Triggers = []Trigger{{Subject: "x"}} },
		"to":     func(f *Function) { f.Triggers = []Trigger{{Subject: "x", To: "y"}} },
	} {
		c := a
		change(&c)
		if a.Same(&c) || c.Same(&a) {
			t.Errorf("%s: still the same", name)
		}
	}
}

// filesOf returns the files of a request as package io/fs has them.
func filesOf(t *testing.T, r *Request) fs.FS {
	return files.Std(t.Context(), files.Static(r.Files(func() string { return "order-7" })))
}

func TestFiles(t *testing.T) {
	r := Request{Subject: "fn.greet.x", Deadline: time.Date(2026, 1, 2, 3, 4, 5, 6, time.UTC),
		Header: Header{"Traceparent": {"00-1"}, "X": {"1", "2"}, "../etc": {"no"}, "a/b": {"no"}, ".": {"no"}}}
	files := filesOf(t, &r)
	if err := fstest.TestFS(files, "id", "subject", "deadline", "headers/traceparent", "headers/x"); err != nil {
		t.Error(err)
	}
	for name, want := range map[string]string{
		"id": "order-7", "subject": "fn.greet.x", "deadline": "2026-01-02T03:04:05.000000006Z", "headers/x": "1\n2",
	} {
		b, err := fs.ReadFile(files, name)
		if err != nil || string(b) != want {
			t.Errorf("%s: %q, %v", name, b, err)
		}
	}
	entries, err := fs.ReadDir(files, "headers")
	if err != nil || len(entries) != 2 {
		t.Errorf("headers: %v, %v", entries, err)
	}
	if entries, err := fs.ReadDir(filesOf(t, &Request{}), "headers"); err != nil || len(entries) != 0 {
		t.Errorf("without headers: %v, %v", entries, err)
	}
	if _, err := fs.ReadFile(files, "headers/X"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("headers/X: %v", err)
	}
}

func TestEnv(t *testing.T) {
	r := Request{Subject: "fn.greet.x", Header: Header{
		"Content-Type": {"a", "b"}, "x.1": {"=\xff"}, "x_user": {"no"}, "X-User": {"yes"}, "X.User": {"no"},
		"X!User": {"no"}}}
	want := []string{
		"FN_ID=order-7", "FN_SUBJECT=fn.greet.x", "HEADER_CONTENT_TYPE=a, b", "HEADER_X_USER=yes", "HEADER_X_1==\xff"}
	for range 10 {
		got, err := r.Env("order-7")
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Fatal(diff, err)
		}
	}
	for _, bad := range []Request{{Subject: "a\x00"}, {Header: Header{"X": {"\x00"}}}} {
		if env, err := bad.Env("7"); CodeOf(err) != CodeBadRequest {
			t.Errorf("%q, %v", env, err)
		}
	}
}

func TestFold(t *testing.T) {
	for _, c := range []struct {
		h, want Header
	}{
		{nil, nil},
		{Header{"A": {"1", "2"}}, Header{"A": {"1", "2"}}},
		{Header{"A": {"1"}, "b": {"2"}}, Header{"A": {"1"}, "b": {"2"}}},
		{Header{"x-user": {"3", "4"}, "X-User": {"2"}, "X-USER": {"1"}, "X_User": {"5"}},
			Header{"X-USER": {"1", "2", "3", "4"}, "X_User": {"5"}}},
	} {
		if got := c.h.Fold(); !cmp.Equal(got, c.want) {
			t.Errorf("%v: %v, want %v", c.h, got, c.want)
		}
	}
}

// TestReadHeaderBounds checks that what is over a bound is refused, and that the answer can carry the id.
func TestReadHeaderBounds(t *testing.T) {
	many := Header{"Fn-Id": {"7"}}
	for i := range MaxHeaders {
		many[fmt.Sprint("X-", i)] = []string{""}
	}
	for _, h := range []Header{
		many,
		{"Fn-Id": {"7"}, "X": make([]string, MaxHeaders)},
		{"Fn-Id": {"7"}, "X": {strings.Repeat("x", MaxHeaderBytes)}},
		{"Fn-Id": {"7"}, strings.Repeat("x", MaxHeaderBytes): {""}},
	} {
		var r Request
		if err := r.ReadHeader(h); CodeOf(err) != CodeHeaders || r.ID != "7" {
			t.Errorf("%d names: %v, id %q", len(h), err, r.ID)
		}
	}
	delete(many, "X-0")
	var r Request
	if err := r.ReadHeader(many); err != nil {
		t.Error(err)
	}
}

func TestHeaderSize(t *testing.T) {
	for want, h := range map[int]Header{0: nil, 17: {"A": {""}}, 31: {"A": {"b"}, "Cd": {"", "e"}}} {
		if got := h.Size(); got != want {
			t.Errorf("%v: %d, want %d", h, got, want)
		}
	}
}

func TestCleanValue(t *testing.T) {
	if got := CleanValue("a\r\nb\x00c\tdé", 100); got != "a  b c dé" {
		t.Errorf("%q", got)
	}
	if got := CleanValue("éé", 3); got != "é" {
		t.Errorf("%q", got)
	}
}

func TestLogLine(t *testing.T) {
	l := LogLine{Function: Ref{"greet", "3"}, ID: "order-7", Text: "hello", Platform: true}
	if diff := cmp.Diff(l, ParseLogLine(l.Message())); diff != "" {
		t.Error(diff)
	}
}

func TestClaimCheck(t *testing.T) {
	c := Claim{Object: "o", Size: 5, Digest: Digest([]byte("hello"))}
	if err := c.Check([]byte("hello")); err != nil {
		t.Error(err)
	}
	if err := c.Check([]byte("hellO")); CodeOf(err) != CodeBadRequest {
		t.Error(err)
	}
}

func TestRequestMessage(t *testing.T) {
	r := Request{ID: "order-7", Function: Ref{"greet", "2"}, Args: []string{"x"}, Body: []byte("b"),
		Timeout: time.Second, Report: true, DryRun: true,
		Claim: &Claim{Object: "o", Size: 1, Digest: Digest(nil)}, Header: Header{"traceparent": {"00-1"}}}
	subject, h, body, err := r.Message()
	if err != nil {
		t.Fatal(err)
	}
	got, err := ParseRequest(subject, h, body)
	if err != nil {
		t.Fatal(err)
	}
	got.Header, got.Subject = Header{"traceparent": got.Header["traceparent"]}, ""
	if diff := cmp.Diff(r, got); diff != "" {
		t.Error(diff)
	}
	bare := Request{Function: Ref{Name: "greet"}}
	if _, h, _, _ := bare.Message(); h != nil {
		t.Errorf("a bare request has headers %v", h)
	}
}
