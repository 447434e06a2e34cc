package client_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// withJobs has an invokertest.Server run jobs.
func withJobs(c *invokertest.Config) { c.Jobs = true }

// result returns the outcome of a job.
func result(t *testing.T, c *client.Client, job string) *client.Outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	o, err := c.JobResult(ctx, job, false)
	if err != nil {
		t.Fatalf("%s: %v", job, err)
	}
	return o
}

func TestJobs(t *testing.T) {
	s := start(t, withJobs)
	c := s.Client
	r := request("echo")
	r.Body = []byte("hello")
	receipt, err := c.RunJob(t.Context(), r, client.JobOptions{})
	if err != nil || !strings.HasPrefix(receipt.Job, "echo._") || receipt.Duplicate {
		t.Fatalf("got %+v, %v", receipt, err)
	}
	if o := result(t, c, receipt.Job); o.State != protocol.StateDone || string(o.Reply.Body) != "hello" || o.Reply.Err != nil {
		t.Errorf("outcome: %+v", o)
	}
	named := *r
	named.ID = "mine"
	for i := range 2 {
		receipt, err := c.RunJob(t.Context(), &named, client.JobOptions{Attempts: 3})
		if err != nil || receipt.Job != "echo.mine" || receipt.Duplicate != (i == 1) {
			t.Errorf("%d: %+v, %v", i, receipt, err)
		}
	}
	result(t, c, "echo.mine")
	page, err := c.Jobs(t.Context(), protocol.JobsRequest{Function: "echo", State: protocol.StateDone})
	if err != nil || len(page.Jobs) != 2 || page.Next != "" {
		t.Errorf("list: %+v, %v", page, err)
	}
	if _, err := c.CancelJob(t.Context(), "echo.mine"); protocol.CodeOf(err) != protocol.CodeConflict {
		t.Errorf("cancel what is done: %v", err)
	}
	all, err := c.ListAll(t.Context())
	if q, ok := all.Queues["echo"]; err != nil || !ok || q.Stream != "FN_JOB_echo" {
		t.Errorf("queues: %+v, %v", all.Queues, err)
	}
}

// What cannot be a job is refused before anything is published.
func TestRefusedJobs(t *testing.T) {
	s := start(t, withJobs)
	odd := request("echo")
	odd.ID = "not an id"
	for _, test := range []struct {
		r    *protocol.Request
		o    client.JobOptions
		code int
	}{
		{request("nobody"), client.JobOptions{}, protocol.CodeNotFound},
		{request("a b"), client.JobOptions{}, protocol.CodeBadRequest},
		{request("echo", "a.b"), client.JobOptions{}, protocol.CodeBadRequest},
		{odd, client.JobOptions{}, protocol.CodeBadRequest},
		{request("echo"), client.JobOptions{Delay: time.Second, At: time.Now()}, protocol.CodeBadRequest},
		{request("echo"), client.JobOptions{Delay: -1}, protocol.CodeBadRequest},
		{request("echo"), client.JobOptions{Delay: 365 * 24 * time.Hour}, protocol.CodeBadRequest},
		{request("echo"), client.JobOptions{Attempts: 1000}, protocol.CodeBadRequest},
	} {
		if receipt, err := s.Client.RunJob(t.Context(), test.r, test.o); protocol.CodeOf(err) != test.code {
			t.Errorf("%s %v: got %+v, %v, want %d", test.r.Function, test.o, receipt, err, test.code)
		}
	}
	if _, err := s.Client.Pause(t.Context(), "nobody", 0); protocol.CodeOf(err) != protocol.CodeNotFound {
		t.Errorf("pause: %v", err)
	}
}

// The error of a job is no error of the question for its result, whatever its code is; a dead job can be given back.
func TestDeadJobs(t *testing.T) {
	s := start(t, withJobs)
	c := s.Client
	for i, code := range []int{protocol.ExitDataErr, protocol.ExitNoInput, protocol.ExitNoPerm} {
		r := request("echo", "exit", fmt.Sprint(code))
		r.ID = fmt.Sprint("d", i)
		receipt, err := c.RunJob(t.Context(), r, client.JobOptions{})
		if err != nil {
			t.Fatal(err)
		}
		if o := result(t, c, receipt.Job); o.State != protocol.StateDead || o.Reply.Exit != code || o.Reply.Err == nil {
			t.Errorf("exit %d: %+v", code, o)
		}
	}
	busy := request("echo", "exit", "75")
	busy.ID = "busy"
	if _, err := c.RunJob(t.Context(), busy, client.JobOptions{Attempts: 1}); err != nil {
		t.Fatal(err)
	}
	if o := result(t, c, "echo.busy"); o.Reason != protocol.ReasonAttempts || o.Reply.Err.Code != protocol.CodeUnavailable {
		t.Errorf("after its attempts: %+v", o)
	}
	l, err := c.DeadLetter(t.Context(), "echo.busy")
	if err != nil || len(l.Story) != 1 || l.Subject != "job.echo.exit.75" {
		t.Errorf("letter: %+v, %v", l, err)
	}
	told := 0
	done, err := c.Redrive(t.Context(), protocol.DeadRequest{All: true}, func(int, int64) { told++ })
	if err != nil || done.Done != 4 || told == 0 {
		t.Errorf("redriven: %+v, %v, told %d times", done, err, told)
	}
	for i := range 3 {
		if o := result(t, c, fmt.Sprint("echo.d", i)); o.State != protocol.StateDead {
			t.Errorf("again: %+v", o)
		}
	}
	result(t, c, "echo.busy")
	if done, err := c.Drop(t.Context(), protocol.DeadRequest{Function: "echo"}, nil); err != nil || done.Done != 4 {
		t.Errorf("dropped: %+v, %v", done, err)
	}
}

// A paused queue keeps its jobs; they can be waited for, cancelled and purged meanwhile.
func TestPausedJobs(t *testing.T) {
	s := start(t, withJobs)
	c := s.Client
	if q, err := c.Pause(t.Context(), "echo", 0); err != nil || !q.Paused() {
		t.Fatalf("%+v, %v", q, err)
	}
	for i := range 3 {
		r := request("echo")
		r.ID = fmt.Sprint("p", i)
		if _, err := c.RunJob(t.Context(), r, client.JobOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := c.JobResult(t.Context(), "echo.p0", true); protocol.CodeOf(err) != protocol.CodeTimeout {
		t.Errorf("result: %v", err)
	}
	short, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if _, err := c.JobResult(short, "echo.p0", false); protocol.CodeOf(err) != protocol.CodeTimeout {
		t.Errorf("result within a time: %v", err)
	}
	given, giveUp := context.WithCancel(t.Context())
	giveUp()
	if _, err := c.JobResult(given, "echo.p0", false); !errors.Is(err, context.Canceled) {
		t.Errorf("given up: %v", err)
	}
	var waiting sync.WaitGroup
	waiting.Go(func() {
		o, err := c.JobResult(t.Context(), "echo.p0", false)
		if err != nil || o.State != protocol.StateCancelled {
			t.Errorf("cancelled while it is awaited: %+v, %v", o, err)
		}
	})
	if j, err := c.CancelJob(t.Context(), "echo.p0"); err != nil || j.State != protocol.StateCancelled {
		t.Errorf("cancel: %+v, %v", j, err)
	}
	waiting.Wait()
	if n, err := c.PurgeJobs(t.Context(), "echo", nil); err != nil || n != 2 {
		t.Errorf("purged %d, %v", n, err)
	}
	if q, err := c.Resume(t.Context(), "echo"); err != nil || q.Paused() || q.Queued != 0 {
		t.Errorf("resume: %+v, %v", q, err)
	}
}

// Bodies over max_payload go by claim, and a result can be read more than once.
func TestLargeJobs(t *testing.T) {
	const limit = 64 << 10
	s := start(t, withJobs, func(c *invokertest.Config) { c.NATS.MaxPayload = limit })
	r := request("echo")
	r.Body = bytes.Repeat([]byte("x"), 3*limit)
	run := func() {
		t.Helper()
		receipt, err := s.Client.RunJob(t.Context(), r, client.JobOptions{})
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if o := result(t, s.Client, receipt.Job); !bytes.Equal(o.Reply.Body, r.Body) {
				t.Errorf("%d bytes came back: %+v", len(o.Reply.Body), o.Reply.Err)
			}
		}
	}
	run()
	js, err := s.Client.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	stored := func() uint64 {
		t.Helper()
		stream, err := js.Stream(t.Context(), "OBJ_"+protocol.BucketJobs)
		if err != nil {
			t.Fatal(err)
		}
		return stream.CachedInfo().State.LastSeq
	}
	before := stored()
	run()
	if after := stored(); after == before {
		t.Error("the body was not put where bodies of jobs are kept")
	}
	if err := js.DeleteObjectStore(t.Context(), protocol.BucketJobs); err != nil {
		t.Fatal(err)
	}
	run() // as with an invoker that has not made it
}

// A function that was removed and deployed again has a queue of its own, and jobs of it the right ids.
func TestQueueAnew(t *testing.T) {
	s := start(t, withJobs)
	c := s.Client
	for range 3 {
		if _, err := c.RunJob(t.Context(), request("echo"), client.JobOptions{}); err != nil {
			t.Fatal(err)
		}
	}
	js, err := c.JetStream()
	if err != nil {
		t.Fatal(err)
	}
	if err := js.DeleteStream(t.Context(), protocol.QueueStream("echo")); err != nil {
		t.Fatal(err)
	}
	s.Deploy("echo", runtimestest.Wasm())
	for range 2 {
		receipt, err := c.RunJob(t.Context(), request("echo"), client.JobOptions{})
		if err != nil {
			t.Fatal(err)
		}
		stream, err := js.Stream(t.Context(), protocol.QueueStream("echo"))
		if err != nil {
			t.Fatal(err)
		}
		info := stream.CachedInfo()
		if want := "echo." + protocol.NewJobID(info.State.LastSeq, info.Created); receipt.Job != want {
			t.Errorf("got %s, want %s", receipt.Job, want)
		}
		result(t, c, receipt.Job)
	}
}

// An invoker without jobs says that it does not know their verbs, at once.
func TestNoJobs(t *testing.T) {
	s := start(t)
	_, err := s.Client.RunJob(t.Context(), request("echo"), client.JobOptions{})
	if protocol.CodeOf(err) != protocol.CodeUnknownNeed || !strings.Contains(err.Error(), "job-open") {
		t.Errorf("got %v", err)
	}
}

// Jobs of a queue that is resumed begin at once, although invokers have asked for them before: nats-server looks for
// jobs again only when the time of a pause is over, and a request of an invoker waits for half a minute.
func TestResumedJobs(t *testing.T) {
	s := start(t, withJobs)
	c := s.Client
	run := func(id string) string {
		t.Helper()
		r := request("echo")
		r.ID = id
		receipt, err := c.RunJob(t.Context(), r, client.JobOptions{})
		if err != nil {
			t.Fatal(err)
		}
		return receipt.Job
	}
	result(t, c, run("first")) // from now on invokers wait for jobs
	if _, err := c.Pause(t.Context(), "echo", 0); err != nil {
		t.Fatal(err)
	}
	second := run("second")
	began := time.Now()
	if _, err := c.Resume(t.Context(), "echo"); err != nil {
		t.Fatal(err)
	}
	result(t, c, second)
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}
