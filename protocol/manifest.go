package protocol

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"unicode/utf8"
)

// MaxProblems is how many problems of a manifest an error lists at most.
const MaxProblems = 10

// Problem is one thing that is wrong with a manifest.
type Problem struct {
	Key string // its path, such as limits.memory or trigger[0].to; an index begins at 0
	Msg string // what is wrong, with the key, and what to do
	Err error  // the cause, if there is one
}

// problems are those of one manifest, as they are found.
type problems []Problem

// add appends a problem, unless there are enough. An operand of the verb %w becomes its cause.
func (p *problems) add(key, format string, a ...any) {
	if len(*p) < MaxProblems {
		e := Errorf(CodeRefused, "", format, a...)
		*p = append(*p, Problem{Key: key, Msg: e.Msg, Err: e.Err})
	}
}

// Check returns the first thing that is wrong with the manifest, naming its key. The error's code is 422.
func (f *Function) Check() error {
	all := f.Problems()
	if len(all) == 0 {
		return nil
	}
	return &Error{Code: CodeRefused, Msg: "manifest: " + all[0].Msg, Err: all[0].Err}
}

// Problems returns what is wrong with the manifest, at most MaxProblems of it.
func (f *Function) Problems() []Problem {
	var p problems
	if err := CheckName(f.Name); err != nil {
		p.add("name", "name: %w", err)
	}
	if err := CheckStart(cmp.Or(f.Start, StartAuto)); err != nil {
		p.add("start", "%w", err)
	}
	if err := CheckOptimize(f.Optimization()); err != nil {
		p.add("optimize", "%w", err)
	}
	if f.Runtime != "" {
		if ref, err := ParseRef(f.Runtime); err != nil {
			p.add("runtime", "runtime = %.80q: write its name, such as python, or python@2", f.Runtime)
		} else if err := CheckName(ref.Name); err != nil {
			p.add("runtime", "runtime: %w", err)
		}
	}
	if len(f.Language) > MaxLanguage {
		p.add("language", "language %.20q... is longer than %d characters", f.Language, MaxLanguage)
	}
	if f.Meta != "" && f.Meta != MetaFiles && f.Meta != MetaEnv {
		p.add("meta", "meta = %.80q: use %q or %q", f.Meta, MetaFiles, MetaEnv)
	}
	f.Limits.check(&p)
	f.checkEnv(&p)
	f.checkReplies(&p)
	if err := CheckNeeds(f.Needs); err != nil {
		p.add("needs", "%w", err)
	}
	if f.Job != nil {
		f.Job.check(&p)
	}
	f.checkTriggers(&p)
	f.checkHTTP(&p)
	f.checkWebSockets(&p)
	f.checkGrants(&p)
	if f.Signature != nil {
		if err := f.Signature.Check(); err != nil {
			p.add("signature", "%w", err)
		}
	}
	return p
}

// check finds the limits that are out of their bounds.
func (l Limits) check(p *problems) {
	for _, b := range []struct {
		key       string
		value     int64
		max       int64
		formatted string
	}{
		{"timeout", int64(l.Timeout), int64(MaxTimeout), MaxTimeout.String()},
		{"fuel", l.Fuel, MaxFuel, fmt.Sprint(MaxFuel)},
		{"memory", int64(l.Memory), int64(MaxMemory), MaxMemory.String()},
		{"stack", int64(l.Stack), int64(MaxStack), MaxStack.String()},
		{"input", int64(l.Input), int64(MaxBody), MaxBody.String()},
		{"output", int64(l.Output), int64(MaxBody), MaxBody.String()},
		{"concurrency", int64(l.Concurrency), MaxConcurrency, fmt.Sprint(MaxConcurrency)},
		{"queue", int64(l.Queue), MaxConcurrency, fmt.Sprint(MaxConcurrency)},
	} {
		if b.value < 0 || b.value > b.max {
			p.add("limits."+b.key, "limits.%s must be more than zero and at most %s", b.key, b.formatted)
		}
	}
	if l.Stack > 0 && l.Stack < MinStack {
		p.add("limits.stack", "limits.stack must be at least %s", MinStack)
	}
}

// checkEnv finds what a process could not be given.
func (f *Function) checkEnv(p *problems) {
	total := 0
	for _, a := range f.Args {
		if strings.ContainsRune(a, 0) || !utf8.ValidString(a) {
			p.add("args", "args: %.80q contains a NUL byte, or is not UTF-8", a)
		}
		total += len(a) + 1
	}
	for _, k := range slices.Sorted(maps.Keys(f.Env)) {
		if k == "" || strings.ContainsAny(k, "=\x00") || strings.ContainsRune(f.Env[k], 0) {
			p.add("env."+k, "env: %.80q cannot be a variable: no =, no NUL byte, not empty", k)
		} else if !utf8.ValidString(k + f.Env[k]) {
			p.add("env."+k, "env: %.80q, or its value, is not UTF-8", k)
		}
		total += len(k) + len(f.Env[k]) + 2
	}
	if total > MaxEnv {
		p.add("env", "args and env together are %d bytes; at most %d", total, MaxEnv)
	}
}

// checkReplies finds exit codes that cannot be replies.
func (f *Function) checkReplies(p *problems) {
	if len(f.Replies) > MaxReplies {
		p.add("replies", "replies has %d exit codes; at most %d", len(f.Replies), MaxReplies)
	}
	for _, exit := range f.Replies {
		if exit < 0 || exit > 255 || exit >= ExitUsage && exit <= exitMax {
			p.add("replies", "replies: %d cannot be a reply: use exit codes of 1 to 255, but for %d to %d, which say "+
				"what has failed",
				exit, ExitUsage, exitMax)
		}
	}
}
