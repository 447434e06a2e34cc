package worker

import (
	"errors"
	"os"
	"strings"
	"testing"
)

// TestMain is also the worker.
func TestMain(m *testing.M) {
	if os.Getenv("WORKER") == "" {
		os.Exit(m.Run())
	}
	err := Serve(os.Stdin, os.Stdout, func(q Request) (Reply, error) {
		switch q.Op {
		case OpUsage:
			return Reply{CPU: 42}, nil
		case OpOpen:
			return Reply{}, errors.New("no such thing")
		case OpSlice:
			panic("oops")
		}
		os.Exit(3)
		return Reply{}, nil
	})
	if err != nil {
		os.Exit(1)
	}
	os.Exit(0)
}

// start starts this test as a worker.
func start(t *testing.T) *Worker {
	w, err := Start(os.Args[0], nil, "WORKER=1")
	if err != nil {
		t.Fatal(err)
	}
	return w
}

func TestWorker(t *testing.T) {
	w := start(t)
	for range 3 { // it goes on after an error and a panic
		if r, err := w.Ask(Request{Op: OpUsage}); err != nil || r.CPU != 42 {
			t.Errorf("got %+v and the error %v", r, err)
		}
		if _, err := w.Ask(Request{Op: OpOpen}); err == nil || err.Error() != "no such thing" {
			t.Errorf("got the error %v", err)
		}
		if _, err := w.Ask(Request{Op: OpSlice}); err == nil || !strings.Contains(err.Error(), "oops") {
			t.Errorf("got the error %v", err)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
}

func TestDeadWorker(t *testing.T) {
	w := start(t)
	if _, err := w.Ask(Request{Op: OpListen}); err == nil || !strings.Contains(err.Error(), "died") {
		t.Errorf("got the error %v", err)
	}
	if _, err := w.Ask(Request{Op: OpUsage}); err == nil {
		t.Error("a dead worker answered")
	}
	if err := w.Close(); err == nil {
		t.Error("its exit code is lost")
	}
}
