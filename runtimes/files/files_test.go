package files_test

import (
	"context"
	"errors"
	"testing"
	"testing/fstest"

	"github.com/polyvoke/polyvoke/runtimes/files"
)

// TestStd has package testing/fstest judge trees as file systems.
func TestStd(t *testing.T) {
	content := files.Map{"a": []byte("one"), "d/b": []byte("two"), "d/e/c": nil}
	memory := files.NewMemory(1 << 20)
	for _, name := range []string{"d", "d/e"} {
		if err := memory.Mkdir(t.Context(), name); err != nil {
			t.Fatal(err)
		}
	}
	for name, b := range content {
		f, err := memory.Open(t.Context(), name, files.Write|files.Create)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.WriteAt(t.Context(), b, 0); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	for name, tree := range map[string]files.Tree{"static": files.Static(content), "memory": memory,
		"of a file system": files.FS(fstest.MapFS{"a": {Data: content["a"]}, "d/b": {Data: content["d/b"]}, "d/e/c": {}})} {
		if err := fstest.TestFS(files.Std(t.Context(), tree), "a", "d/b", "d/e/c"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// waiter is what waits for a process.
type waiter struct{ err error }

func (w waiter) Wait(context.Context, <-chan struct{}) error { return w.err }

// TestWait waits by a process if there is one, and by itself if not.
func TestWait(t *testing.T) {
	done := make(chan struct{})
	ended, cancel := context.WithCancel(t.Context())
	cancel()
	if err := files.Wait(ended, done); !errors.Is(err, context.Canceled) {
		t.Errorf("by itself: %v", err)
	}
	tired := errors.New("tired")
	ctx, stop := context.WithCancel(context.WithValue(t.Context(), files.WaiterKey{}, waiter{tired}))
	defer stop()
	if err := files.Wait(ctx, done); err != tired {
		t.Errorf("by a process: %v", err)
	}
	close(done)
	if err := files.Wait(t.Context(), done); err != nil {
		t.Errorf("for what is done: %v", err)
	}
}

// TestKinds checks what is known about trees.
func TestKinds(t *testing.T) {
	static, memory := files.Static(files.Map{}), files.NewMemory(1)
	for _, c := range []struct {
		name             string
		tree             files.Tree
		inline, readOnly bool
	}{
		{"nil", nil, true, true},
		{"static", static, true, true},
		{"memory", memory, true, false},
		{"memory that is only read", files.OnlyRead(memory), true, true},
		{"file system", files.FS(fstest.MapFS{}), false, true},
		{"hidden", struct{ files.Tree }{static}, false, false},
	} {
		if in, ro := files.IsInline(c.tree), files.IsReadOnly(c.tree); in != c.inline || ro != c.readOnly {
			t.Errorf("%s: inline %t, read only %t", c.name, in, ro)
		}
	}
}
