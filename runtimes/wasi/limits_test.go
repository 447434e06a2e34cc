package wasi

import (
	"errors"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// says reports whether an error has a text, or is nil if that is empty.
func says(err error, text string) bool {
	return (err == nil) == (text == "") && (err == nil || strings.Contains(err.Error(), text))
}

// TestMemoryLimits checks what a process can use and may use of memory.
func TestMemoryLimits(t *testing.T) {
	const page, allowed = module.PageSize, 1 << 30
	for _, c := range []struct {
		of          module.Memory
		asked       uint64
		allowed     uint64
		most, limit uint64
		err         string
	}{
		{module.Memory{}, 0, allowed, runtimes.DefaultMemory, runtimes.DefaultMemory, ""},
		{module.Memory{}, 0, 2 * page, 2 * page, 2 * page, ""},
		{module.Memory{Min: 2, Max: 3, HasMax: true}, 0, allowed, 3 * page, runtimes.DefaultMemory, ""},
		{module.Memory{Min: 2, Max: 3, HasMax: true}, 2 * page, allowed, 2 * page, 2 * page, ""},
		{module.Memory{Min: 2}, 3*page - 1, allowed, 2 * page, 2 * page, ""},
		{module.Memory{Min: 2}, 2*page - 1, allowed, 0, 0,
			"the module needs 128 KiB of memory to begin with, but its limit is 64 KiB"},
		{module.Memory{}, allowed + 1, allowed, 0, 0, "a memory limit of 1024 MiB is more than the 1024 MiB"},
	} {
		most, limit, err := memoryLimits(c.of, runtimes.Options{Memory: c.asked}, c.allowed)
		if most != c.most || limit != c.limit || !says(err, c.err) {
			t.Errorf("%+v: got %d and %d, and the error %v", c, most, limit, err)
		}
		var refused *runtimes.ModuleError
		if err != nil && !errors.As(err, &refused) {
			t.Errorf("%+v: the error is a %T", c, err)
		}
	}
}

// TestStackLimit checks the limit of a stack.
func TestStackLimit(t *testing.T) {
	for _, c := range []struct {
		asked uint64
		want  uint64
		err   string
	}{{0, runtimes.DefaultStack, ""}, {1, 1, ""}, {maxStack, maxStack, ""}, {maxStack + 1, 0, "more than the 32 MiB"}} {
		if got, err := stackLimit(runtimes.Options{Stack: c.asked}); got != int32(c.want) || !says(err, c.err) {
			t.Errorf("%d: got %d and the error %v", c.asked, got, err)
		}
	}
}

// TestCheckMounts checks where folders can be.
func TestCheckMounts(t *testing.T) {
	tree := files.Static(files.Map{})
	for _, bad := range []string{"", "/", "a", "/a/", "/a/../b", "/a\x00", "/request"} {
		if got, err := checkMounts([]runtimes.Mount{{Path: "/good", Tree: tree}, {Path: bad, Tree: tree}}); got != nil ||
			!says(err, "use an absolute path") {
			t.Errorf("%q: got %v and the error %v", bad, got, err)
		}
	}
	if got, err := checkMounts([]runtimes.Mount{{Path: "/a"}}); err != nil || len(got) != 1 || got[0].Tree != nil {
		t.Errorf("one of each process: got %v and the error %v", got, err)
	}
	if _, err := checkMounts(make([]runtimes.Mount, preview1.MaxMounts+1)); !says(err, "more than the") {
		t.Errorf("too many: got the error %v", err)
	}
	if got, err := checkMounts([]runtimes.Mount{{Path: "/a/b", Tree: tree}}); err != nil || len(got) != 1 ||
		got[0].Path != "/a/b" || got[0].Tree == nil {
		t.Errorf("got %v and the error %v", got, err)
	}
}

// TestCheckStrings checks what cannot be passed to a process.
func TestCheckStrings(t *testing.T) {
	for _, c := range []struct {
		p   runtimes.Process
		err string
	}{
		{runtimes.Process{Args: []string{"", "a b"}, Env: []string{"A=", "B=x=y"}}, ""},
		{runtimes.Process{Args: []string{"a", "b\x00"}}, "argument 1 contains a NUL byte"},
		{runtimes.Process{Env: []string{"A"}}, `"A" is not a NAME=value entry`},
		{runtimes.Process{Env: []string{"=A"}}, `"=A" is not a NAME=value entry`},
		{runtimes.Process{Env: []string{"A=\x00"}}, "is not a NAME=value entry"},
	} {
		if err := checkStrings(&c.p); !says(err, c.err) {
			t.Errorf("%+v: got the error %v", c.p, err)
		}
	}
}
