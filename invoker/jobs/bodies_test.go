package jobs

import (
	"bytes"
	"context"
	"encoding/base64"
	"testing"
	"time"

	"github.com/nats-io/nats.go/jetstream"

	"github.com/polyvoke/polyvoke/invoker/bodies"
	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
	"github.com/polyvoke/polyvoke/invoker/jobs/store"
	"github.com/polyvoke/polyvoke/protocol"
)

// A caller can put the body of a job into the bucket of jobs, which forgets it later than any job waits: it is there for
// each attempt and in a dead letter, and goes when the job is done. Another bucket cannot be named.
func TestBodyInBucketOfJobs(t *testing.T) {
	b := newBench(t)
	sizes := make(chan int, 10)
	f := b.start(callerFunc(func(_ context.Context, r *protocol.Request) *protocol.Reply {
		sizes <- len(r.Body)
		switch {
		case r.Args[0] == "bad":
			return failure(65)
		case r.Header.Get(protocol.HeaderAttempt) == "":
			return failure(1)
		}
		return success("x")
	}))
	f.Apply(function("f"))
	var jobs *bodies.Store
	await.Until(b.t, "the bucket of jobs", func() (ok bool) {
		var err error
		jobs, err = bodies.ExistingIn(t.Context(), b.js, protocol.BucketJobs)
		return err == nil
	})
	body := bytes.Repeat([]byte("x"), 100_000)
	publish := func(subject, bucket string) (string, *protocol.Claim) {
		t.Helper()
		claim, err := jobs.PutBytes(t.Context(), body)
		if err != nil {
			t.Fatal(err)
		}
		claim.Bucket = bucket
		h := protocol.Header{}
		claim.Put(h)
		var headers []string
		for name, values := range h {
			headers = append(headers, name, values[0])
		}
		claim.Bucket = protocol.BucketJobs
		return b.publish(subject, "", headers...), claim
	}
	kept := func(c *protocol.Claim) bool {
		_, err := jobs.Get(t.Context(), c, 1<<20)
		return err == nil
	}
	id, claim := publish("job.f.good", protocol.BucketJobs)
	if r := b.outcome("f", id); r.State != protocol.StateDone || r.Attempts != 2 {
		t.Errorf("the outcome is %+v", r)
	}
	await.Until(b.t, "the end of its body", func() bool { return !kept(claim) })
	for range 2 {
		if n := <-sizes; n != len(body) {
			t.Errorf("an attempt had %d bytes", n)
		}
	}
	id, claim = publish("job.f.bad", protocol.BucketJobs)
	b.outcome("f", id)
	var l store.Letter
	await.Until(b.t, "the dead letter", func() (ok bool) {
		var err error
		l, ok, err = b.st.Letter(t.Context(), "f", id)
		return err == nil && ok
	})
	if got, err := protocol.ParseClaim(l.Header); err != nil || got == nil || *got != *claim || !kept(claim) {
		t.Errorf("the letter has %v, %v", got, err)
	}
	id, _ = publish("job.f.good", "KV_fn_functions")
	if r := b.outcome("f", id); r.State != protocol.StateDone { // what the callers here are given is not fetched
		t.Errorf("the outcome is %+v", r)
	}
}

// A result that is an object is kept for as long as its record, and a little longer.
func TestResultExpires(t *testing.T) {
	b := newBench(t)
	large := string(bytes.Repeat([]byte("x"), 2<<20))
	f := b.start(callerFunc(func(context.Context, *protocol.Request) *protocol.Reply { return success(large) }))
	fn := function("f")
	fn.Job.Result = protocol.Duration(2 * time.Hour)
	f.Apply(fn)
	id := b.publish("job.f", "")
	r := b.outcome("f", id)
	if r.Reply.Claim == nil || r.Reply.Claim.Bucket != protocol.BucketJobs {
		t.Fatalf("the outcome is %+v", r)
	}
	name := base64.URLEncoding.EncodeToString([]byte(r.Reply.Claim.Object))
	s, err := b.js.Stream(t.Context(), "OBJ_"+protocol.BucketJobs)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.GetLastMsgForSubject(t.Context(), "$O."+protocol.BucketJobs+".M."+name)
	if err != nil {
		t.Fatal(err)
	}
	if got := m.Header.Get(jetstream.MsgTTLHeader); got != "7260s" {
		t.Errorf("the description has the time to live %q, want two hours and a minute", got)
	}
}
