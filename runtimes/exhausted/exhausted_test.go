package exhausted

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"
	"syscall"
	"testing"
)

func TestOf(t *testing.T) {
	other := errors.New("other")
	for _, c := range []struct {
		err  error
		want string // in the text; empty: the error stays what it is
	}{
		{syscall.EMFILE, "file descriptors"},
		{syscall.ENFILE, "fs.file-max"},
		{fmt.Errorf("open: %w", &fs.PathError{Op: "open", Path: "x", Err: syscall.ENFILE}), "fs.file-max"},
		{&fs.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}, "disk space"},
		{syscall.EDQUOT, "quota"},
		{os.NewSyscallError("mmap", syscall.ENOMEM), "memory"},
		{errors.New("the compiler: write: no space left on device"), "disk space"},
		{&fs.PathError{Op: "fork/exec", Path: "x", Err: syscall.EAGAIN}, "processes"},
		{&fs.PathError{Op: "read", Path: "x", Err: syscall.EAGAIN}, ""},
		{fs.ErrNotExist, ""},
		{other, ""},
		{&Error{Resource: "x"}, ""},
		{nil, ""},
	} {
		got := Of(c.err)
		var e *Error
		switch {
		case c.want == "" && got != c.err:
			t.Errorf("%v became %v", c.err, got)
		case c.want != "" &&
			(!errors.As(got, &e) || !errors.Is(got, c.err) || !strings.Contains(e.Error(), c.want) || e.Remedy == ""):
			t.Errorf("%v became %v, want one that names %s", c.err, got, c.want)
		}
	}
}

// TestDescriptors takes descriptors until hardly any are left.
func TestDescriptors(t *testing.T) {
	if runtime.GOOS != "linux" && runtime.GOOS != "darwin" {
		t.Skip("descriptors are not limited here")
	}
	if err := Descriptors(); err != nil {
		t.Fatal(err)
	}
	most := Limit()
	if most > 1<<16 {
		t.Skipf("there are %d", most)
	}
	var held []*os.File
	defer func() {
		for _, f := range held {
			f.Close()
		}
	}()
	for Descriptors() == nil {
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatal("there are none left, and none were kept back")
		}
		held = append(held, f)
	}
	if err := Descriptors(); !strings.Contains(err.Error(), fmt.Sprint(most)) {
		t.Error(err)
	}
	for range least - 10 { // some are in use for the test itself
		f, err := os.Open(os.DevNull)
		if err != nil {
			t.Fatalf("fewer than %d were kept back: %v", least-10, err)
		}
		held = append(held, f)
	}
}
