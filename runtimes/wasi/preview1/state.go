package preview1

import (
	"context"
	"crypto/rand"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/tetratelabs/wazero/api"
	"github.com/tetratelabs/wazero/sys"
)

// State is one process as the host sees it. Its exported fields are set before Begin; the zero
// value of each works. It serves one run after another: Begin, the guest's calls, Reset. One goroutine uses
// it at a time, and it must not be copied once it has been used.
type State struct {
	// Args is argv. Nil means that it is empty.
	Args []string
	// Env holds NAME=value entries. Nil means none. If a name comes twice, the last value counts.
	Env []string
	// Stdin is read as the guest asks for it. Nil means that it is empty. A Reader that blocks is
	// given up when the run's context ends. An error other than io.EOF ends the process.
	Stdin io.Reader
	// Stdout and Stderr take what the guest writes. Nil discards. An error ends the process. One with a method Take, as
	// runtimes.Taker has, makes the guest wait by Wait when it is full.
	Stdout, Stderr io.Writer
	// Files is the folder /request. Nil means that it is empty.
	Files files.Tree
	// Own are the trees of those Mounts that have none. A place whose path is not among them is empty.
	Own []Mount
	// Names are the only ones that can be at the top of Files, in all runs: that there is no other is no news about a
	// request. Nil means that any can be there.
	Names []string
	// Mounts are further folders: descriptors from 4 on. They are set before the first Begin and
	// stay, and there are at most MaxMounts. Then comes the topmost folder.
	Mounts []Mount
	// Wait waits until done is closed, or until ctx ends, and then returns its error: the guest waits for a time, for
	// stdin, for room in stdout or for a file. Nil means that the goroutine waits. Another error than that of ctx ends the process.
	Wait func(ctx context.Context, done <-chan struct{}) error
	// Nap is asked before the guest waits for a time, however long that is. An error ends the process. Nil means that
	// it may.
	Nap func(d time.Duration) error
	// Yield lets other processes run, when the guest calls sched_yield or has made functions work for a while. Nil
	// means that only the former yields.
	Yield func()
	// Walltime and Nanotime are the clocks, in nanoseconds: since 1970, and since some moment in the past, never 0.
	// Nil means those of the system, from Start.
	Walltime, Nanotime func() int64
	// Start is a moment before all runs that can meet the same memory image, so that none of them sees time go back.
	// Zero means the first Begin.
	Start time.Time
	// Stood is for how long the monotonic clock has stood still since Start, see Freeze. Reset makes it 0.
	Stood time.Duration
	// Entropy is where random bytes come from. Nil means crypto/rand. An error ends the process.
	Entropy io.Reader
	// Draws takes down what the guest is given of time and entropy. Nil means that nobody wants to know.
	Draws *recording.Draws
	// Replay gives the guest time and entropy, in the place of Walltime, Nanotime and Entropy, and no wait for a time
	// takes any. Nil means that they are real.
	Replay *recording.Replay
	// Ending is called when the host is about to end the process, by proc_exit or Stop. Nil means nothing.
	Ending func()
	// Values is asked for the values of the guest's context. Nil means that the run's own context is.
	Values context.Context
	// BeforeRead is called when a run asks for stdin for the first time, by fd_read or poll_oneoff,
	// before anything is read or waited for. call runs the same function with such parameters. Nil
	// means nothing.
	BeforeRead func(ctx context.Context, mod api.Module, call api.GoModuleFunc, params []uint64)

	// These belong to a run. The context is kept because most calls that wait or write have
	// none; the functions get one from the engine, but after a checkpoint that may be an old one.
	ctx    context.Context
	worked int   // see work
	err    error // why the host has ended the process, if it has
	asked  bool  // stdin was asked for
	seen   Seen
	stdin  input
	table  table

	apart     context.Context // of operations that are made apart; nil without any
	part      func()          // ends it
	waited    bool            // an operation has, where the guest runs
	refused   error           // why it must not go on
	unclaimed files.File      // that has been opened, and is no descriptor yet

	folders []string // see preopens
	resumed bool     // the run goes on where another was ended
	flags   flags    // that stdio had at the end of the last run that was not resumed

	env, environ []string // Env when environ was made, and environ: each name once

	context Context // of the run
}

// Seen says what a run has looked at, of all that can be different in the next.
type Seen struct {
	// Clock and Entropy: the time, and random bytes.
	Clock, Entropy bool
	// Args and Env: also how many there are.
	Args, Env bool
	// Files: the folder /request or a tree of its own, or what is in it.
	Files bool
}

// Begin prepares for a run. It returns the context that the guest's calls must be made with, which is ctx and
// carries the State; it is good until the next Begin.
func (s *State) Begin(ctx context.Context) *Context {
	s.ctx, s.err, s.asked, s.resumed, s.seen = ctx, nil, false, false, Seen{}
	s.waited, s.refused = false, nil
	s.stdin.begin(s, s.Stdin)
	if !s.table.initial {
		s.table.reset(s.preopens())
	}
	if s.Start.IsZero() {
		s.Start = time.Now()
	}
	if !slices.Equal(s.env, s.Env) {
		s.env = slices.Clone(s.Env)
		s.environ = lastOfEach(s.env)
	}
	s.context = Context{ctx, s}
	return &s.context
}

// preopens returns the folders that are open from the start.
func (s *State) preopens() []string {
	if s.folders == nil {
		s.folders = foldersOf(s.Mounts)
	}
	return s.folders
}

// Resume prepares, as Begin does, for a run that goes on where an earlier one was ended by BeforeRead. To the guest
// it is one run, if the earlier one had not changed its descriptors. Programs in Go set the flags of stdio at their
// start.
func (s *State) Resume(ctx context.Context) *Context {
	c := s.Begin(ctx)
	s.asked, s.resumed = true, true
	s.table.setFlags(s.flags)
	return c
}

// Seen returns what the run has looked at so far.
func (s *State) Seen() Seen { return s.seen }

// Changed reports whether the guest has other descriptors than at the beginning. The flags of stdio do not count: see
// Resume.
func (s *State) Changed() bool { return s.table.changed(len(s.preopens())) }

// Err returns the reason for which the host ended the process, or nil.
func (s *State) Err() error { return s.err }

// Reset ends the run: it closes what the guest has left open, forgets what belonged to the run and puts
// the descriptors back. Stdin and files, when they block, are given up.
func (s *State) Reset() {
	s.stdin.end()
	if !s.resumed {
		s.flags = s.table.flags()
	}
	if s.unclaimed != nil {
		_ = s.unclaimed.Close(ended()) // nobody has seen it
	}
	s.table.end(s.preopens())
	s.abandon()
	s.ctx, s.err, s.asked, s.context = nil, nil, false, Context{}
	s.Args, s.Env, s.Stdin, s.Stdout, s.Stderr, s.Files, s.Own, s.unclaimed = nil, nil, nil, nil, nil, nil, nil, nil
	s.Stood, s.Draws, s.Replay = 0, nil, nil
}

// Context carries a State.
type Context struct {
	context.Context
	state *State
}

// stateKey is the key of the State among a context's values.
type stateKey struct{}

// Value implements context.Context.
func (c *Context) Value(key any) any {
	switch key.(type) {
	case stateKey:
		return c.state
	case files.WaiterKey:
		return c
	}
	if c.state.Values != nil {
		return c.state.Values.Value(key)
	}
	return c.Context.Value(key)
}

// stateOf returns the State that a context carries. A Context itself is the quick case.
func stateOf(ctx context.Context) *State {
	if c, ok := ctx.(*Context); ok {
		return c.state
	}
	return ctx.Value(stateKey{}).(*State)
}

// Stop ends the process because of an error. It does not return.
func (s *State) Stop(err error) {
	if s.err == nil {
		s.err = err
	}
	s.exit(1)
}

// exit ends the process: the panic passes through the guest to the engine, which hands an ExitError on as it is.
func (s *State) exit(code uint32) {
	if s.Ending != nil {
		s.Ending()
	}
	panic(sys.NewExitError(code))
}

// Live ends the process, as Stop does, if its context has ended.
func (s *State) Live() { s.LiveAt(time.Now()) }

// LiveAt is Live at a moment that has just been looked up.
func (s *State) LiveAt(now time.Time) {
	if err := deadline.ErrAt(s.ctx, now); err != nil {
		s.Stop(err)
	}
}

// work counts what functions do, in bytes or in what takes as long. After each piece it lets other processes run and
// ends this one if its time is up: fuel says how often a function is called, not how much it does.
func (s *State) work(n int) {
	if s.worked += n; s.worked < piece {
		return
	}
	s.worked = 0
	if s.Yield != nil {
		s.Yield()
	}
	s.Live()
}

// What functions do besides moving bytes, in bytes that take about as long.
const (
	workString = 16   // a string of a list
	workCall   = 512  // a buffer that is read or written, besides its bytes
	workPath   = 4096 // a path that is looked up
	workEntry  = 1024 // an entry of a folder that is listed
)

// sleep waits for d to pass.
func (s *State) sleep(d time.Duration) {
	s.nap(d)
	if s.Replay != nil {
		s.replayWait(d)
		return
	}
	done, stop := deadline.After(d)
	defer stop()
	s.await(done, false)
	if s.Draws != nil {
		s.Draws.Time(recording.Wait, int64(d))
	}
}

// replayWait is sleep for a process that is replayed: it takes no time, unless it was what the recorded process ended
// in.
func (s *State) replayWait(d time.Duration) {
	if !s.Replay.Wait(d) {
		s.Stop(context.DeadlineExceeded)
	}
	s.Live()
}

// nap asks whether the guest may wait for d.
func (s *State) nap(d time.Duration) {
	if s.Nap == nil {
		return
	}
	if err := s.Nap(d); err != nil {
		s.Stop(err)
	}
}

// await waits until done is closed. Unless it must be, a Wait is believed that returns earlier.
func (s *State) await(done <-chan struct{}, must bool) {
	err := s.wait(s.ctx, done)
	if err == nil && must {
		err = deadline.Await(s.ctx, done)
	}
	s.Live() // the context's own error goes first
	if err != nil {
		s.Stop(err)
	}
}

// wait waits until done is closed, or for ctx to end.
func (s *State) wait(ctx context.Context, done <-chan struct{}) error {
	if s.Wait != nil {
		return s.Wait(ctx, done)
	}
	return deadline.Await(ctx, done)
}

// entropy returns the source of n random bytes.
func (s *State) entropy(n int) io.Reader {
	switch {
	case s.Replay != nil:
		return s.Replay.Random(n)
	case s.Entropy != nil:
		return s.Entropy
	}
	return rand.Reader
}

// lastOfEach returns an environment in which each name comes once, at its first place, with its last value.
func lastOfEach(env []string) []string {
	at := make(map[string]int, len(env))
	var out []string
	for _, e := range env {
		name, _, _ := strings.Cut(e, "=")
		if i, ok := at[name]; ok {
			out[i] = e
			continue
		}
		at[name] = len(out)
		out = append(out, e)
	}
	return out
}
