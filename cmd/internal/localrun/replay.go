package localrun

import (
	"bytes"
	"context"
	"fmt"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/invoker/backend/journal"
	"github.com/polyvoke/polyvoke/invoker/programs"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
	"github.com/polyvoke/polyvoke/runtimes/recording"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// Replayer runs recordings again. It is for one goroutine, and must be closed.
type Replayer struct {
	modules *wasi.Runtime
	scripts *script.Runtime

	// The program of the last recording, which is often that of the next.
	key     programs.Key
	setup   string // what its initialization drew
	program runtimes.Program
}

// NewReplayer returns a Replayer with a folder for compiled modules. Interpreters come from source.
func NewReplayer(ctx context.Context, cache string, source script.Source) (*Replayer, error) {
	modules, err := wasi.New(ctx, sandbox(cache))
	if err != nil {
		return nil, err
	}
	return &Replayer{modules: modules, scripts: script.New(modules, source)}, nil
}

// Close frees what the Replayer holds.
func (r *Replayer) Close(ctx context.Context) {
	r.drop(ctx)
	_ = r.scripts.Close(ctx)
	_ = r.modules.Close(ctx)
}

// drop gives the program up.
func (r *Replayer) drop(ctx context.Context) {
	if r.program != nil {
		_ = r.program.Close(ctx)
		r.program = nil
	}
}

// Outcome is what a recording came to when it was run again.
type Outcome struct {
	Stdout, Stderr []byte // of stderr the end
	StderrSize     int64
	Exit           int // exit code; -1 if the process did not get that far
	Code           int // error code; 0: it succeeded
	Error          string
	Usage          runtimes.Usage
	Draws          string // what it drew first otherwise than the recorded process; empty: nothing
	Files          string // what it did first otherwise with what it was granted; empty: nothing
	Cut            bool   // the recorded process was ended from outside
}

// patience is how many times as long as the function may take a process may take that is run again: this machine can
// be slower, and the deadline is no part of what is compared.
const patience = 10

// Run runs a recording again, with the code that it was made with or with other code. What the manifest says is that of
// the recording. The error says why it could not be run; how the process ended is part of the outcome.
func (r *Replayer) Run(ctx context.Context, rec *protocol.Recording, code []byte) (*Outcome, error) {
	if len(rec.LeftOut) > 0 {
		return nil, &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("the recording is not whole: %s", rec.LeftOut[0])}
	}
	draws := new(recording.Draws)
	if rec.Draws != "" {
		if err := draws.UnmarshalText([]byte(rec.Draws)); err != nil {
			return nil, &exit.Error{Code: exit.NotRunnable, Msg: err.Error(), Err: err}
		}
	}
	if err := r.load(ctx, rec, draws, code); err != nil {
		return nil, err
	}
	q := rec.Request()
	p, err := process(&rec.Function, &q)
	if err != nil {
		return nil, err
	}
	var stdout bytes.Buffer
	var stderr tail
	limits := rec.Function.Limits.WithDefaults()
	p.Stdout, p.Stderr = &runtimes.CapWriter{W: &stdout, N: int64(limits.Output)}, &stderr
	p.Replay = recording.NewReplay(draws)
	played := journal.NewReplay(rec.Files, draws.WasCut())
	p.Mounts = playedMounts(&rec.Function, played)
	limited, cancel := context.WithTimeout(ctx, timeout(rec, draws.WasCut()))
	defer cancel()
	err = r.program.Run(limited, p)
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	o := &Outcome{Stdout: stdout.Bytes(), Stderr: stderr.b, StderrSize: stderr.size, Usage: p.Usage,
		Draws: p.Replay.Difference(), Files: played.Difference(), Cut: draws.WasCut()}
	if o.Exit, o.Code, o.Error = judge(&rec.Function, err); o.Exit == 0 && o.Code == 0 && rec.Files != nil {
		if o.Code = rec.Files.Code; o.Code != 0 { // there is nothing to commit to: it is what it was
			o.Error = rec.Error
		}
	}
	return o, nil
}

// playedMounts returns what a process sees of what it was granted: /tmp is its own, and all else is played back.
func playedMounts(f *protocol.Function, played *journal.Replay) []files.Mount {
	all := played.Mounts()
	for _, g := range f.Grants {
		if g.Kind() == protocol.GrantTmp {
			all = append(all, files.Mount{Path: g.Mount(), Tree: files.NewMemory(int64(g.Tmp))})
		}
	}
	return all
}

// timeout returns how long a process may take that is run again.
func timeout(rec *protocol.Recording, cut bool) time.Duration {
	most := time.Duration(rec.Function.Limits.WithDefaults().Timeout)
	if j := rec.Function.Job; j != nil {
		most = max(most, time.Duration(j.Timeout))
	}
	if cut { // to wait for longer would change nothing
		return min(most, max(rec.Duration, time.Millisecond))
	}
	return patience * most
}

// load sees to it that the program is that of a recording, with some code.
func (r *Replayer) load(ctx context.Context, rec *protocol.Recording, draws *recording.Draws, code []byte) error {
	o := programs.Options(&rec.Function)
	o.Start, o.Setup = runtimes.StartFresh, draws.Setup()
	key, setup := programs.KeyOf(protocol.Digest(code), o), ""
	if o.Setup != nil {
		text, err := o.Setup.MarshalText()
		if err != nil {
			return err
		}
		setup = string(text)
	}
	if r.program != nil && r.key == key && r.setup == setup {
		return nil
	}
	r.drop(ctx)
	p, err := r.scripts.Compile(ctx, code, o)
	if err != nil {
		return &exit.Error{Code: exit.NotRunnable, Msg: fmt.Sprintf("%s cannot be run here: %v", rec.Function.Name, err),
			Err: err}
	}
	r.program, r.key, r.setup = p, key, setup
	return nil
}
