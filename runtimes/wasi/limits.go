package wasi

import (
	"cmp"
	"fmt"
	"path"
	"strings"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/module"
	"github.com/polyvoke/polyvoke/runtimes/wasi/preview1"
)

// maxStack is the largest limit of a stack, in bytes by the estimate of package meter. The engine
// itself ends what takes 50,000,000 bytes, and real frames can be larger than the estimate.
const maxStack = 32 << 20

// stackLimit returns how many bytes of stack a recursion may use, by the estimate of package meter. A
// *runtimes.ModuleError says that the options ask for too many.
func stackLimit(o runtimes.Options) (int32, error) {
	stack := cmp.Or(o.Stack, runtimes.DefaultStack)
	if stack > maxStack {
		return 0, refused("a stack limit of %d bytes is more than the %d MiB that a process may have here",
			stack, maxStack>>20)
	}
	return int32(stack), nil
}

// memoryLimits returns how many bytes of memory a module can use that asks for such a memory, and how many it may use.
// A *runtimes.ModuleError says that the options ask for more than allowed, or the module for more than it may use.
func memoryLimits(of module.Memory, o runtimes.Options, allowed uint64) (most, limit uint64, err error) {
	limit = o.Memory
	if limit == 0 {
		limit = min(runtimes.DefaultMemory, allowed)
	}
	if limit > allowed {
		return 0, 0, refused("a memory limit of %d MiB is more than the %d MiB that a process may have here",
			limit>>20, allowed>>20)
	}
	limit = limit / module.PageSize * module.PageSize
	if need := uint64(of.Min) * module.PageSize; need > limit {
		return 0, 0, refused("the module needs %d KiB of memory to begin with, but its limit is %d KiB: "+
			"raise the limit, or link it with less memory or a smaller stack", need>>10, limit>>10)
	}
	most = limit
	if of.HasMax {
		most = min(limit, uint64(of.Max)*module.PageSize)
	}
	return most, limit, nil
}

// checkMounts checks the folders of a program's processes. The error says which is wrong.
func checkMounts(all []runtimes.Mount) ([]preview1.Mount, error) {
	if len(all) > preview1.MaxMounts {
		return nil, fmt.Errorf("%d mounts are more than the %d allowed", len(all), preview1.MaxMounts)
	}
	var out []preview1.Mount
	for _, m := range all {
		clean := path.IsAbs(m.Path) && path.Clean(m.Path) == m.Path && !strings.ContainsRune(m.Path, 0)
		if !clean || m.Path == "/" || m.Path == "/request" {
			return nil, fmt.Errorf("mount %q: use an absolute path other than / and /request", m.Path)
		}
		out = append(out, m)
	}
	return out, nil
}

// checkStrings refuses arguments and an environment that cannot be passed to a process.
func checkStrings(p *runtimes.Process) error {
	for i, a := range p.Args {
		if strings.IndexByte(a, 0) >= 0 {
			return fmt.Errorf("argument %d contains a NUL byte", i)
		}
	}
	for _, e := range p.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" || strings.IndexByte(e, 0) >= 0 {
			return fmt.Errorf("%q is not a NAME=value entry of an environment", e)
		}
	}
	return nil
}
