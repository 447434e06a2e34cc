package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/bodies/objects"
	"github.com/polyvoke/polyvoke/invoker/registry"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// getOptions are the flags of polyvoke runtime get.
type getOptions struct {
	from   string
	digest string
	json   bool
	nats   connect.Settings
}

// A gotRuntime is what polyvoke runtime get --json prints for each runtime.
type gotRuntime struct {
	Name     string `json:"name"`
	Version  string `json:"version"`
	Language string `json:"language"`
	Digest   string `json:"digest"`
	Size     int    `json:"size"`    // in bytes
	From     string `json:"from"`    // file, URL, or NAME@VERSION on a NATS server
	Changed  bool   `json:"changed"` // the folder did not have it
}

// runtimeGetCommand fetches runtimes.
func (c *cli) runtimeGetCommand() *cobra.Command {
	var o getOptions
	cmd := &cobra.Command{
		Use:   "get NAME...",
		Short: "Get a runtime from a release, a folder, a URL or NATS",
		Long: `Get a runtime and keep it on this machine, where polyvoke run, dev and deploy find it: from the release of
this polyvoke, or from where --from says:

  FOLDER or FILE          NAME.runtime.zip in a folder, such a file, or a folder with runtime.json and runtime.wasm
  https://... http://...  NAME.runtime.zip in a folder of a web server, or such a file; its SHA-256 digest must be
                          in SHA256SUMS beside it, or be given with --sha256
  nats                    the NATS server that --server, --context or the environment name
  nats://...              that NATS server; so are tls://, ws:// and wss://

The digest is checked, and the runtime read as a whole, before anything is kept.`,
		Example: `  polyvoke runtime get python
  polyvoke runtime get python --from ./build/runtimes
  polyvoke runtime get python --from https://example.com/runtimes/
  polyvoke runtime get python --context production`,
		Args:              argsBetween(1, -1),
		ValidArgsFunction: c.completeRecipes,
		RunE: func(cmd *cobra.Command, args []string) error {
			if o.digest != "" && len(args) > 1 {
				return usageError(cmd, "--sha256 is the digest of one runtime, and %d are named", len(args))
			}
			if i := slices.IndexFunc(args, func(name string) bool { return strings.Contains(name, "@") }); i >= 0 {
				return usageError(cmd, "%q: write its name only; the newest version there is what you get", args[i])
			}
			return c.getRuntimes(cmd, args, &o)
		},
	}
	cmd.Flags().StringVar(&o.from, "from", "", "folder, file, URL or nats (default: the release of this version)")
	cmd.Flags().StringVar(&o.digest, "sha256", "", "digest that the runtime must have")
	addConnection(cmd, &o.nats)
	addJSON(cmd, &o.json)
	return cmd
}

// getRuntimes gets the runtimes that are named and keeps them.
func (c *cli) getRuntimes(cmd *cobra.Command, names []string, o *getOptions) error {
	ctx, stop := signal.NotifyContext(cmd.Context(), os.Interrupt)
	defer stop()
	folder, err := interpreters.Default()
	if err != nil {
		return err
	}
	get, end, err := c.runtimeSource(cmd, o)
	if err != nil {
		return err
	}
	defer end()
	all := []gotRuntime{}
	for _, name := range names {
		bundle, from, err := get(ctx, name)
		if err != nil {
			return getError(err)
		}
		got, err := keepRuntime(folder, bundle, from)
		if err != nil {
			return err
		}
		if all = append(all, got); o.json {
			continue
		}
		if err := c.printGot(got); err != nil {
			return err
		}
	}
	if o.json {
		return printJSON(c.stdout, all)
	}
	return nil
}

// getError gives an error an exit code.
func getError(err error) error {
	var p *protocol.Error
	if errors.As(err, &p) || errors.Is(err, context.Canceled) {
		return err
	}
	return &exit.Error{Code: exit.Failed, Msg: err.Error(), Err: err}
}

// keepRuntime puts a bundle into the folder, unless it is there.
func keepRuntime(folder interpreters.Folder, bundle []byte, from string) (gotRuntime, error) {
	got := gotRuntime{Digest: protocol.Digest(bundle), Size: len(bundle), From: from}
	info, err := script.ParseInfo(bundle)
	if err != nil {
		return got, err
	}
	got.Name, got.Version, got.Language = info.Name, info.Version, info.Language
	if old, err := folder.Get(info.Name); err == nil && protocol.Digest(old) == got.Digest {
		return got, nil
	}
	got.Changed = true
	_, err = folder.Put(bundle)
	return got, err
}

// printGot tells what was kept.
func (c *cli) printGot(g gotRuntime) error {
	state := "is kept here"
	if !g.Changed {
		state = "was here already"
	}
	_, err := fmt.Fprintf(c.stdout, "%s %s (%s, %s) from %s %s\n", c.paint(c.stdout).Bold(g.Name), g.Version, g.Language,
		terminal.Bytes(int64(g.Size)), g.From, state)
	return err
}

// getRuntime gets the bundle of a runtime by its name, and says where it was.
type getRuntime func(ctx context.Context, name string) (bundle []byte, from string, err error)

// runtimeSource returns what gets runtimes from where the flags say. end must be called.
func (c *cli) runtimeSource(cmd *cobra.Command, o *getOptions) (get getRuntime, end func(), err error) {
	scheme, _, isURL := strings.Cut(o.from, "://")
	natsURL := isURL && slices.Contains([]string{"nats", "tls", "ws", "wss"}, scheme)
	named := cmd.Flags().Changed("server") || cmd.Flags().Changed("context")
	if natsURL || o.from == "nats" || o.from == "" && named {
		if natsURL {
			o.nats.Server = o.from
		}
		return c.runtimesOnNATS(cmd, o)
	}
	from := o.from
	if from == "" {
		if from, err = interpreters.ReleaseURL(version()); err != nil {
			return nil, nil, &exit.Error{Code: exit.Failed, Err: err, Msg: fmt.Sprintf(
				"%v; or build them here with polyvoke runtime build %s", err, strings.Join(cmd.Flags().Args(), " "))}
		}
	}
	g := &interpreters.Getter{From: from, Digest: o.digest, Progress: c.progress}
	return func(ctx context.Context, name string) ([]byte, string, error) {
		if !terminal.Is(c.stderr) { // a terminal has a bar
			defer c.waiting("getting " + name)()
		}
		b, where, err := g.Get(ctx, name)
		if err != nil && o.from == "" {
			err = fmt.Errorf("%w; name another place with --from, or build it here with polyvoke runtime build %s", err, name)
		}
		return b, where, err
	}, func() {}, nil
}

// runtimesOnNATS returns what gets a runtime from a NATS server.
func (c *cli) runtimesOnNATS(cmd *cobra.Command, o *getOptions) (get getRuntime, end func(), err error) {
	s, err := c.connect(cmd, &o.nats)
	if err != nil {
		return nil, nil, err
	}
	return func(ctx context.Context, name string) ([]byte, string, error) {
		defer c.waiting("getting " + name)()
		return storedRuntime(ctx, s, name, o.digest)
	}, s.Close, nil
}

// storedRuntime reads the newest version of a runtime from the store of a NATS server. A digest that is not empty must
// be its own.
func storedRuntime(ctx context.Context, s *connect.Session, name, digest string) ([]byte, string, error) {
	all, err := s.Runtimes(ctx)
	if err != nil {
		return nil, "", err
	}
	i := slices.IndexFunc(all, func(f protocol.Function) bool { return f.Name == name })
	if i < 0 {
		return nil, "", protocol.Errorf(protocol.CodeNotFound, "", "%s has no runtime %s: polyvoke runtime ls --server %s "+
			"shows which it has", s.URL, name, s.URL)
	}
	f := all[i]
	if digest != "" && strings.TrimPrefix(f.Digest, "sha256:") != strings.ToLower(strings.TrimPrefix(digest, "sha256:")) {
		return nil, "", fmt.Errorf("the runtime %s on %s has the digest %s, and not that of --sha256",
			f.Ref(), s.URL, f.Digest)
	}
	waiting, permitted := s.Permitted(ctx, "")
	b, err := func() ([]byte, error) {
		bucket, err := objects.Open(waiting, s.JS, registry.BucketBundles)
		if err != nil {
			return nil, err
		}
		return bucket.Get(waiting, f.Digest, script.MaxBundle)
	}()
	switch err = permitted(err); {
	case err != nil:
		return nil, "", fmt.Errorf("read the runtime %s on %s: %w", f.Ref(), s.URL, err)
	case protocol.Digest(b) != f.Digest:
		return nil, "", fmt.Errorf("the runtime %s on %s is damaged: its digest is %s and not %s",
			f.Ref(), s.URL, protocol.Digest(b), f.Digest)
	}
	return b, fmt.Sprintf("%s on %s", f.Ref(), s.URL), interpreters.CheckName(b, name)
}
