package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/localrun"
	"github.com/polyvoke/polyvoke/cmd/internal/replay"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/protocol"
)

// replayOptions are what the flags of replay say.
type replayOptions struct {
	with, function, save, cache string
	last                        int
	json                        bool
}

// replayCommand runs recorded runs again.
func (c *cli) replayCommand() *cobra.Command {
	var n connect.Settings
	var o replayOptions
	cmd := &cobra.Command{
		Use:   "replay JOB|FILE...",
		Short: "Run recorded jobs again, here, and compare",
		Long: `Run recorded jobs again, on this machine, and compare what they come to. A job, FUNCTION.ID, is recorded if its
function has record = "failed", "all" or a share such as "1%" under [job]; polyvoke run --record writes a FILE.

A process is given the recorded stdin, headers, arguments and environment, and the same time and entropy, and no wait
takes any time: it does the same, to the byte and to the unit of fuel. --with runs another module, or a script: then
reply and exit code must be the same, and what else differs is shown. --last runs the last recordings of a function: a
test with real requests.

The exit code is 0 if all are the same, and 1 if one is not, or none could be run again.`,
		Args: func(cmd *cobra.Command, args []string) error {
			switch {
			case o.function == "" && o.last != 0:
				return usageError(cmd, "--last needs --function NAME")
			case o.function == "":
				return argsBetween(1, -1)(cmd, args)
			case len(args) > 0:
				return usageError(cmd, "unexpected argument %q: --function names the jobs", args[0])
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			r := &replays{c: c, cmd: cmd, settings: &n, o: &o, code: map[string][]byte{}}
			defer r.close()
			return r.run(cmd.Context(), args)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.with, "with", "", "module, script, manifest or folder to run in the place of the recorded code")
	f.StringVar(&o.function, "function", "", "run the recordings of a function")
	f.IntVar(&o.last, "last", 0, "with --function: how many of its last recordings (default: all)")
	f.StringVar(&o.save, "save", "", "write the recordings into this folder, as FUNCTION.ID.json, and run nothing")
	f.StringVar(&o.cache, "cache", "",
		"folder for compiled modules (default: polyvoke/modules in the user's cache folder)")
	_ = cmd.RegisterFlagCompletionFunc("function", c.completeNames(&n))
	addConnection(cmd, &n)
	addJSON(cmd, &o.json)
	return cmd
}

// replays are the recordings that one command runs again.
type replays struct {
	c        *cli
	cmd      *cobra.Command
	settings *connect.Settings
	o        *replayOptions

	session  *connect.Session // nil until it is needed
	replayer *localrun.Replayer
	with     *source.Source    // in the place of the recorded code; nil: nothing
	code     map[string][]byte // by digest
}

// close ends what was begun.
func (r *replays) close() {
	if r.replayer != nil {
		r.replayer.Close(context.WithoutCancel(r.cmd.Context()))
	}
	if r.session != nil {
		r.session.Close()
	}
}

// nats returns the session with NATS, which a recording in a file need not have.
func (r *replays) nats() (_ *connect.Session, err error) {
	if r.session == nil {
		r.session, err = r.c.connect(r.cmd, r.settings)
	}
	return r.session, err
}

// run does what the command says.
func (r *replays) run(ctx context.Context, jobs []string) error {
	if err := r.readWith(); err != nil {
		return err
	}
	if r.o.function != "" {
		s, err := r.nats()
		if err != nil {
			return err
		}
		if jobs, err = s.Recordings(ctx, r.o.function, r.o.last); err != nil {
			return err
		}
		if len(jobs) == 0 {
			return &exit.Error{Code: exit.NotFound, Msg: fmt.Sprintf("there are no recordings of %s: have "+
				"record = \"failed\" or \"all\" under [job] in its manifest, and jobs run", r.o.function)}
		}
	}
	if r.o.save != "" {
		return r.save(ctx, jobs)
	}
	var summary replay.Summary
	results := []*replay.Result{}
	for _, job := range jobs {
		result, err := r.one(ctx, job)
		if err != nil {
			return err
		}
		summary.Count(result)
		results = append(results, result)
		if !r.o.json {
			result.Print(r.c.stdout, r.c.paint(r.c.stdout), len(jobs) > 1)
		}
	}
	if err := r.sum(results, &summary); err != nil || summary.Passed() {
		return err
	}
	return &exit.Error{Code: exit.Failed} // what there is to say has been said
}

// sum prints the results as JSON, or what they come to.
func (r *replays) sum(results []*replay.Result, s *replay.Summary) (err error) {
	switch {
	case r.o.json:
		err = printJSON(r.c.stdout, struct {
			replay.Summary
			Results []*replay.Result `json:"results"`
		}{*s, results})
	case len(results) > 1:
		_, err = fmt.Fprintln(r.c.stdout, s)
	}
	return err
}

// readWith reads what is run in the place of the recorded code.
func (r *replays) readWith() error {
	if r.o.with == "" {
		return nil
	}
	src, err := source.Read(r.o.with, "", "")
	if errors.Is(err, os.ErrNotExist) {
		return &exit.Error{Code: exit.NotFound, Msg: err.Error(), Err: err}
	}
	r.with = src
	return err
}

// one runs one recording again.
func (r *replays) one(ctx context.Context, job string) (*replay.Result, error) {
	rec, err := r.recording(ctx, job)
	if err != nil {
		return nil, err
	}
	code, err := r.codeOf(ctx, rec)
	result := replay.New(rec, rec.Function.Digest)
	if err == nil {
		result = replay.New(rec, protocol.Digest(code))
		var o *localrun.Outcome
		if o, err = r.again(ctx, rec, code); err == nil {
			result.Compare(rec, o)
		}
	}
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	if err != nil {
		result.Skip(err)
	}
	return result, nil
}

// again runs a recording with some code.
func (r *replays) again(ctx context.Context, rec *protocol.Recording, code []byte) (_ *localrun.Outcome, err error) {
	if r.replayer == nil {
		if r.replayer, err = localrun.NewReplayer(ctx, service.CacheDir(r.o.cache), bundles{r}); err != nil {
			return nil, err
		}
	}
	if r.with != nil {
		other := *rec
		other.Function.Runtime = r.with.Function.Runtime
		rec = &other
	}
	defer r.c.waiting("running " + rec.Function.Name)()
	return r.replayer.Run(ctx, rec, code)
}

// recording reads a recording, out of a file if there is such a file.
func (r *replays) recording(ctx context.Context, job string) (*protocol.Recording, error) {
	f, err := os.Open(job)
	if errors.Is(err, os.ErrNotExist) {
		if _, _, bad := protocol.ParseJobKey(job); bad != nil {
			return nil, usageError(r.cmd, "%s is no file, and no job: %v", job, bad)
		}
		s, err := r.nats()
		if err != nil {
			return nil, err
		}
		return s.Recording(ctx, job)
	}
	if err != nil {
		return nil, err
	}
	defer f.Close()
	b, err := io.ReadAll(io.LimitReader(f, protocol.MaxRecording+1))
	if err != nil {
		return nil, fmt.Errorf("%s: %w", job, err)
	}
	rec, err := protocol.ParseRecording(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", job, err)
	}
	return rec, nil
}

// codeOf returns the code that a recording is run with.
func (r *replays) codeOf(ctx context.Context, rec *protocol.Recording) ([]byte, error) {
	if r.with != nil {
		return r.with.Code, nil
	}
	digest := rec.Function.Digest
	if b := r.code[digest]; b != nil {
		return b, nil
	}
	s, err := r.nats()
	if err != nil {
		return nil, fmt.Errorf("the recorded module is on NATS, if anywhere: %w; or name a file: --with", err)
	}
	b, err := s.Module(ctx, digest)
	if err == nil {
		r.code[digest] = b
	}
	return b, err
}

// save writes recordings into files.
func (r *replays) save(ctx context.Context, jobs []string) error {
	if err := os.MkdirAll(r.o.save, 0o755); err != nil {
		return err
	}
	for _, job := range jobs {
		rec, err := r.recording(ctx, job)
		if err != nil {
			return err
		}
		path := filepath.Join(r.o.save, protocol.ResultKey(rec.Function.Name, filepath.Base(rec.ID))+".json")
		if err := writeRecording(path, rec); err != nil {
			return err
		}
		fmt.Fprintln(r.c.stdout, path)
	}
	return nil
}

// writeRecording writes a recording into a file, which only its owner can read: it has a request in it.
func writeRecording(path string, rec *protocol.Recording) error {
	b, err := rec.Encode(protocol.MaxRecording)
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(b, '\n'), 0o600)
}

// bundles are the interpreters of recordings: those on NATS, as they were deployed, if there is a NATS, or else those
// of this machine. It implements script.Source.
type bundles struct{ r *replays }

// Bundle implements script.Source.
func (b bundles) Bundle(ctx context.Context, ref string) (id string, bundle func() ([]byte, error), err error) {
	if b.r.session != nil {
		raw, err := b.r.session.Bundle(ctx, ref)
		return protocol.Digest(raw), func() ([]byte, error) { return raw, nil }, err
	}
	here, err := protocol.ParseRef(ref)
	if err != nil {
		return "", nil, err
	}
	return interpreters.Here().Bundle(ctx, here.Name)
}
