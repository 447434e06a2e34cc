package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/invoker/client"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// TestAuditKilled kills invokers with SIGKILL, one after the other, while clients deploy, pause and remove functions.
// The audit then has each request once: one entry before and one after it, and each version once.
func TestAuditKilled(t *testing.T) {
	const functions, versions = 3, 12
	bin := buildPolyvoke(t, t.TempDir())
	server := sharedNATS(t)
	cache := t.TempDir()
	join := func(i int) *daemon { return joinServer(t, bin, server.URL(), filepath.Join(cache, strconv.Itoa(i))) }
	all := []*daemon{join(0), join(1), join(2)}
	ctx, stop := context.WithTimeout(t.Context(), 3*patience)
	defer stop()
	steps := make(chan bool, functions*(versions+3)) // it has one for each request that was answered
	var work sync.WaitGroup
	for i := range functions {
		s := session(t, server.URL())
		s.Stated = protocol.Stated{Host: "here", User: fmt.Sprint("u", i), Tool: "test"}
		work.Go(func() {
			if err := changes(ctx, s.Client, fmt.Sprint("f", i), versions, steps); err != nil {
				t.Errorf("f%d: %v", i, err)
			}
		})
	}
	done := make(chan struct{})
	go func() { work.Wait(); close(done) }()
	kills := killEvery(t, all, join, steps, done)
	got := auditTally(t, server.URL())
	t.Logf("%d kills; entries by function, verb and phase: %v", kills, got.counts)
	for i := range functions {
		for verb, want := range map[protocol.APIVerb]int{protocol.APIDeploy: versions, protocol.APIPause: 1,
			protocol.APIResume: 1, protocol.APIRemove: 1} {
			name := fmt.Sprint("f", i, " ", verb, " ")
			if begun, done := got.counts[name+"begin"], got.counts[name+"done"]; begun != want || done != want {
				t.Errorf("%s: %d begun and %d done, want %d of each", name, begun, done, want)
			}
		}
	}
	for version, n := range got.versions {
		if n != 1 {
			t.Errorf("%s is there %d times", version, n)
		}
	}
	if len(got.versions) != functions*versions || kills == 0 {
		t.Errorf("%d versions, want %d; %d kills", len(got.versions), functions*versions, kills)
	}
}

// changes makes changes of a function one after the other.
func changes(ctx context.Context, c *client.Client, name string, versions int, steps chan<- bool) error {
	for n := 1; n <= versions; n++ {
		if _, err := c.Deploy(ctx, numberedProbe(name, n), runtimestest.Wasm()); err != nil {
			return fmt.Errorf("version %d: %w", n, err)
		}
		steps <- true
	}
	_, pause := c.Pause(ctx, name, 0)
	steps <- true
	_, resume := c.Resume(ctx, name)
	steps <- true
	_, remove := c.Remove(ctx, name)
	steps <- true
	return errors.Join(pause, resume, remove)
}

// killEvery kills one invoker after each few requests, while others are on their way, and starts another in its place,
// until done is closed. It returns how many.
func killEvery(
	t *testing.T, all []*daemon, join func(int) *daemon, steps <-chan bool, done <-chan struct{},
) (kills int) {
	for answered := 1; ; answered++ {
		select {
		case <-steps:
		case <-done:
			return kills
		case <-time.After(3 * patience):
			t.Fatal("nothing is answered any more")
		}
		if answered%4 != 0 {
			continue
		}
		i := kills % len(all)
		if err := all[i].cmd.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		kills++
		all[i] = join(i)
	}
}

// auditTallied is what the audit has.
type auditTallied struct {
	counts   map[string]int // by "FUNCTION VERB PHASE"
	versions map[string]int // deployments by NAME@VERSION
}

// auditTally reads the audit.
func auditTally(t *testing.T, url string) auditTallied {
	got := auditTallied{map[string]int{}, map[string]int{}}
	for e, err := range session(t, url).Audit(t.Context(), client.AuditQuery{}) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Phase == protocol.AuditDone && e.Verb == protocol.APIDeploy {
			got.versions[fmt.Sprintf("%s@%d", e.Function, e.Version)]++
		}
		if e.Stated.Host != "here" || e.Stated.User != "u"+e.Function[1:] || e.Invoker.ID == "" {
			t.Errorf("by whom: %+v", e)
		}
		got.counts[fmt.Sprint(e.Function, " ", e.Verb, " ", cmp.Or(e.Phase, "?"))]++
	}
	return got
}
