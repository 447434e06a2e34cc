package programs

import (
	"encoding/binary"
	"maps"
	"slices"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// Options returns what the program of a function is compiled with: what its manifest says about a process, in the
// words of package runtimes. A limit of memory that the manifest does not set stays 0, because an interpreter may have
// a default of its own. It is the only place where the two meet.
func Options(f *protocol.Function) runtimes.Options {
	limits := f.Limits.WithDefaults()
	o := runtimes.Options{
		Memory:      uint64(f.Limits.Memory),
		Stack:       uint64(limits.Stack),
		Fuel:        uint64(limits.Fuel),
		Optimize:    optimization(f),
		Start:       f.Start,
		Interpreter: f.Runtime,
		Args:        append([]string{f.Name}, f.Args...),
		Varies:      f.Meta == protocol.MetaEnv || f.HTTPVaries(),
	}
	for _, name := range slices.Sorted(maps.Keys(f.Env)) {
		o.Env = append(o.Env, name+"="+f.Env[name])
	}
	for _, path := range f.Mounts() {
		o.Mounts = append(o.Mounts, runtimes.Mount{Path: path})
	}
	return o
}

// optimization returns the level of optimization that a manifest asks for, in the words of package runtimes.
func optimization(f *protocol.Function) runtimes.Optimization {
	switch f.Optimization() {
	case protocol.OptimizeNone:
		return runtimes.OptimizeNone
	case protocol.OptimizeCheap:
		return runtimes.OptimizeCheap
	}
	return runtimes.OptimizeAll
}

// Key is what makes two compiled modules the same: the module, and everything that it is compiled with.
type Key struct {
	digest              string
	memory, stack, fuel uint64
	optimize            runtimes.Optimization
	start, interpreter  string
	varies              bool
	args, env, mounts   string // each string behind its length
}

// KeyOf returns the key of the module with a digest, compiled with options. Of Options.Mounts the paths are a part of
// it: the trees are those of processes. Options.Renews has no part in it: interpreters set it, and the programs of a
// Cache are those that callers of interpreters ask for. Nor has Options.Line: it may change how soon a program is
// there, but not the program. Nor Options.Setup, which only a replay has.
func KeyOf(digest string, o runtimes.Options) Key {
	return Key{digest: digest, memory: o.Memory, stack: o.Stack, fuel: o.Fuel, optimize: o.Optimize, start: o.Start,
		interpreter: o.Interpreter, varies: o.Varies, args: joined(o.Args), env: joined(o.Env), mounts: joined(paths(o.Mounts))}
}

// paths returns where mounts are.
func paths(all []runtimes.Mount) (list []string) {
	for _, m := range all {
		list = append(list, m.Path)
	}
	return list
}

// joined makes a list of strings comparable.
func joined(list []string) string {
	var b []byte
	for _, s := range list {
		b = binary.AppendUvarint(b, uint64(len(s)))
		b = append(b, s...)
	}
	return string(b)
}
