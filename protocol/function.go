package protocol

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf16"
	"unicode/utf8"
)

// Function is the manifest: everything about one version of a function but its module's bytes.
// On the wire it is JSON, in a polyvoke.toml the same names in TOML (section 4 of the
// specification). A zero field means the default that its comment names.
type Function struct {
	Name     string            `json:"name"`               // see CheckName
	Version  int               `json:"version,omitempty"`  // given by the registry: 1, 2, 3 ...; never by the author
	Digest   string            `json:"digest,omitempty"`   // of the module, "sha256:..."; given by the registry
	Size     int64             `json:"size,omitempty"`     // of the module in bytes; given by the registry
	Created  time.Time         `json:"created,omitzero"`   // of this version; given by the registry
	Language string            `json:"language,omitempty"` // for people only; empty: as the module says
	Runtime  string            `json:"runtime,omitempty"`  // what runs a script: NAME or NAME@VERSION; empty for a module
	Start    string            `json:"start,omitempty"`    // start kind: StartAuto (default) or another Start constant
	Optimize *int              `json:"optimize,omitempty"` // how far code is optimized, see Optimization; nil: OptimizeAll
	Meta     string            `json:"meta,omitempty"`     // MetaFiles (default) or MetaEnv
	Args     []string          `json:"args,omitempty"`     // argv behind the subject's tokens
	Env      map[string]string `json:"env,omitempty"`      // the whole environment
	Replies  []int             `json:"replies,omitempty"`  // exit codes besides 0 that are replies, see IsReply
	Limits   Limits            `json:"limits,omitzero"`
	Job      *Job              `json:"job,omitempty"`     // durable calls; nil: it has no queue until it has a job
	Triggers []Trigger         `json:"trigger,omitempty"` // what calls the function besides
	HTTP     []HTTPRoute       `json:"http,omitempty"`    // requests of HTTP that call it, besides /fn/NAME
	// WebSocket are connections of which each message calls it.
	WebSocket []WebSocketRoute `json:"websocket,omitempty"`
	Grants    []Grant          `json:"grant,omitempty"` // what its processes may use, as files
	// AllowLoop says that what the function passes on may call it again. Without it such a manifest is refused.
	AllowLoop bool     `json:"allow_loop,omitempty"`
	Needs     []string `json:"needs,omitempty"` // words of what an invoker must know to serve it, see Needed
	// Signature is who vouches for the version; nil: nobody.
	Signature *Signature `json:"signature,omitempty"`
}

// Start kinds that a manifest may ask for.
const (
	StartAuto       = "auto"       // the invoker chooses
	StartFresh      = "fresh"      // a new sandbox for every call
	StartReset      = "reset"      // a sandbox put back to its beginning
	StartPrefork    = "prefork"    // a process that waits where it first reads stdin, used once
	StartCheckpoint = "checkpoint" // a process put back to where it first read stdin
)

// StartKinds returns the start kinds that a manifest may ask for, the default first.
func StartKinds() []string {
	return []string{StartAuto, StartFresh, StartReset, StartPrefork, StartCheckpoint}
}

// CheckStart returns an error if no manifest can ask for a start kind.
func CheckStart(kind string) error {
	if all := StartKinds(); !slices.Contains(all, kind) {
		return Errorf(CodeRefused, "", "start = %q: use one of %s", kind, strings.Join(all, ", "))
	}
	return nil
}

// How far an invoker optimizes the code of a module when it makes it ready for its sandbox. What a process does is the
// same, but for its fuel and for how long it takes.
const (
	OptimizeNone  = 0 // only what a sandbox must do to be safe
	OptimizeCheap = 1 // what takes little time at an upload
	OptimizeAll   = 2 // all that is known; the default
)

// CheckOptimize returns an error if no manifest can ask for a level of optimization.
func CheckOptimize(level int) error {
	if level < OptimizeNone || level > OptimizeAll {
		return Errorf(CodeRefused, "", "optimize = %d: use %d, %d or %d", level, OptimizeNone, OptimizeCheap, OptimizeAll)
	}
	return nil
}

// Optimization returns how far the code of the function's module is optimized: one of the Optimize constants.
func (f *Function) Optimization() int {
	if f.Optimize == nil {
		return OptimizeAll
	}
	return *f.Optimize
}

// Ways in which a process learns about its request.
const (
	MetaFiles = "files" // in /request/ only
	MetaEnv   = "env"   // in the environment too, as in CGI
)

// Limits bound one call, and the calls of a function together. Zero means the default.
type Limits struct {
	Timeout     Duration `json:"timeout,omitempty"`     // of one call, waiting included; DefaultTimeout
	Fuel        int64    `json:"fuel,omitempty"`        // work of one call, in the unit of Report.Fuel; no limit
	Memory      Size     `json:"memory,omitempty"`      // linear memory of a process; DefaultMemory
	Stack       Size     `json:"stack,omitempty"`       // native stack of a process, by estimate; DefaultStack
	Input       Size     `json:"input,omitempty"`       // body of a request; DefaultInput
	Output      Size     `json:"output,omitempty"`      // body of a reply; DefaultOutput
	Concurrency int      `json:"concurrency,omitempty"` // calls in flight on one invoker; DefaultConcurrency
	Queue       int      `json:"queue,omitempty"`       // calls that wait on one invoker; DefaultQueue
}

// Defaults and bounds of limits.
const (
	DefaultTimeout     = Duration(3 * time.Second) // Lambda's
	DefaultMemory      = Size(128 << 20)           // Lambda's
	DefaultStack       = Size(8 << 20)             // what Linux gives a process
	DefaultInput       = Size(8 << 20)
	DefaultOutput      = Size(8 << 20)
	DefaultConcurrency = 64
	DefaultQueue       = 128
	DefaultModule      = Size(16 << 20) // the largest module that an invoker takes

	MaxTimeout     = Duration(15 * time.Minute) // Lambda's
	MaxMemory      = Size(4<<30 - 128<<10)      // what wasm can address, less two pages
	MinStack       = Size(64 << 10)             // enough for a program that does not recurse
	MaxStack       = Size(32 << 20)             // what the engine has room for
	MaxFuel        = int64(1e15)                // more than MaxTimeout has time for, and exact in any JSON reader
	MaxModule      = Size(1 << 30)              // that any invoker can be set to take
	MaxBody        = Size(1 << 30)              // of a request or a reply
	MaxConcurrency = 10000
	MaxTriggers    = 64
	MaxEnv         = 64 << 10 // bytes of args and env together
	MaxLanguage    = 64       // bytes
	MaxReplies     = 16       // exit codes that are replies
)

// Ref returns NAME@VERSION of this very version.
func (f *Function) Ref() Ref {
	if f.Version == 0 {
		return Ref{Name: f.Name}
	}
	return Ref{Name: f.Name, Version: fmt.Sprint(f.Version)}
}

// IsReply reports whether a process that ends with this exit code has replied: 0, or one that the manifest lists.
func (f *Function) IsReply(exit int) bool { return exit == 0 || slices.Contains(f.Replies, exit) }

// WithDefaults returns l with every zero replaced by its default.
func (l Limits) WithDefaults() Limits {
	def := func(v *Size, d Size) {
		if *v == 0 {
			*v = d
		}
	}
	def(&l.Memory, DefaultMemory)
	def(&l.Stack, DefaultStack)
	def(&l.Input, DefaultInput)
	def(&l.Output, DefaultOutput)
	if l.Timeout == 0 {
		l.Timeout = DefaultTimeout
	}
	if l.Concurrency == 0 {
		l.Concurrency = DefaultConcurrency
	}
	if l.Queue == 0 {
		l.Queue = DefaultQueue
	}
	return l
}

// Same reports whether f and g are one version: the same bytes run in the same way. What
// the registry gives (version, size, time) does not count, and neither does the way in which
// a default is written.
func (f *Function) Same(g *Function) bool {
	return reflect.DeepEqual(f.plain(), g.plain())
}

// plain returns f as Same compares it.
func (f *Function) plain() Function {
	p := *f
	p.Version, p.Size, p.Created = 0, 0, time.Time{}
	p.Limits = p.Limits.WithDefaults()
	if p.Start == "" {
		p.Start = StartAuto
	}
	if p.Meta == "" {
		p.Meta = MetaFiles
	}
	level := p.Optimization()
	p.Optimize = &level
	p.Args = slices.Concat(p.Args)
	p.Triggers = slices.Concat(p.Triggers)
	p.HTTP, p.WebSocket = slices.Concat(p.HTTP), slices.Concat(p.WebSocket)
	p.Grants = plainGrants(p.Grants)
	p.Needs = p.Needed()
	p.Replies = slices.Sorted(slices.Values(append([]int{0}, p.Replies...)))
	p.Replies = slices.Compact(p.Replies)
	if len(p.Env) == 0 {
		p.Env = nil
	}
	return p
}

// ParseFunction reads a manifest from JSON and checks it. A key that the specification does not have is an error that
// names it, since a misspelt limit would be no limit. The error's code is 501 if the manifest needs what this package
// does not know, whatever its other keys are. Otherwise it is 422.
func ParseFunction(b []byte) (Function, error) {
	if err := checkNeeded(b); err != nil {
		return Function{}, err
	}
	var f Function
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	err := checkText(b)
	if err == nil {
		err = dec.Decode(&f)
	}
	if err == nil {
		if _, extra := dec.Token(); extra != io.EOF {
			err = errors.New("something follows the manifest's object")
		}
	}
	if err != nil {
		return Function{}, &Error{Code: CodeRefused, Msg: "manifest: " + manifestProblem(err), Err: err}
	}
	return f, f.Check()
}

// checkNeeded returns an error if a manifest needs what this package does not know. What else is wrong with it, others
// say.
func checkNeeded(b []byte) error {
	var head struct {
		Name  string   `json:"name"`
		Needs []string `json:"needs"`
	}
	if json.Unmarshal(b, &head) != nil || CheckNeeds(head.Needs) != nil || CheckName(head.Name) != nil {
		return nil
	}
	if unknown := slices.DeleteFunc(Words(head.Needs), KnowsNeed); len(unknown) > 0 {
		return NeedsError("", head.Name, unknown)
	}
	return nil
}

// checkText returns an error for JSON that encoding/json would silently change: bytes that are not UTF-8, and half of a
// pair of surrogates.
func checkText(b []byte) error {
	if !utf8.Valid(b) {
		return errors.New("it is not UTF-8")
	}
	for i := 0; i+1 < len(b); i++ {
		if b[i] != '\\' {
			continue
		}
		if i++; b[i] != 'u' {
			continue
		}
		if first := escaped(b[i:]); utf16.IsSurrogate(first) {
			if i += 5; i+1 >= len(b) || b[i] != '\\' || utf16.DecodeRune(first, escaped(b[i+1:])) == utf8.RuneError {
				return fmt.Errorf("the escape \\u%04x is half of a pair, and the other half does not follow", first)
			}
			i++
		}
	}
	return nil
}

// escaped returns the character that u and four hexadecimal digits mean, or 0.
func escaped(b []byte) rune {
	if len(b) < 5 || b[0] != 'u' {
		return 0
	}
	c, _ := strconv.ParseUint(string(b[1:5]), 16, 16)
	return rune(c)
}

// manifestProblem turns what encoding/json says into what the author of a manifest can use.
func manifestProblem(err error) string {
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Sprintf("%s must be %s, not %s", wrong.Field, plainType(wrong.Type), wrong.Value)
	}
	if key, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		return fmt.Sprintf("unknown key %s; the keys are %s; in limits %s; in job %s; "+
			"in trigger %s; in grant %s", key, strings.Join(keysOf(Function{}), ", "), strings.Join(keysOf(Limits{}), ", "),
			strings.Join(keysOf(Job{}), ", "), strings.Join(keysOf(Trigger{}), ", "), strings.Join(keysOf(Grant{}), ", "))
	}
	return strings.TrimPrefix(err.Error(), "json: ")
}

// plainType names a Go type in the words of JSON.
func plainType(t reflect.Type) string {
	switch t.Kind() {
	case reflect.String:
		return "a string"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "a table"
}

// keysOf returns the JSON names of a struct's fields.
func keysOf(v any) []string {
	var keys []string
	for f := range reflect.TypeOf(v).Fields() {
		key, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		keys = append(keys, key)
	}
	return keys
}
