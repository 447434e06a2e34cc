// Release builds what a version of polyvoke is published as, into one folder: an archive of the command for each
// platform, a container image, a bill of materials, the runtimes of scripts that have been built, and their checksums.
// Equal sources give equal bytes, wherever and whenever they are built with the same Go.
//
//	go -C cmd/release run .                            into build/release, for all platforms
//	go -C cmd/release run . -platforms linux/amd64     for one
//	go -C cmd/release run . -version v1.2.3            with another version than Git's
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stdout, os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "release:", err)
		os.Exit(1)
	}
}

// allPlatforms are those that a release is for.
const allPlatforms = "linux/amd64 linux/arm64 darwin/amd64 darwin/arm64 windows/amd64 windows/arm64"

// platform is an operating system and an architecture, in Go's words.
type platform struct{ os, arch string }

// String returns the platform as Go and container images write it.
func (p platform) String() string { return p.os + "/" + p.arch }

// name returns the name of what is built for the platform, without an extension.
func (p platform) name() string { return "polyvoke-" + p.os + "-" + p.arch }

// options are what the command line says.
type options struct {
	source    string // the folder of the main module
	out       string
	runtimes  string // the folder of *.runtime.zip, which need not exist
	platforms []platform
	version   string // "" is Git's
	pgo       string // what go build takes as -pgo
}

// parse reads the command line.
func parse(args []string, log io.Writer) (*options, error) {
	var o options
	flags := flag.NewFlagSet("release", flag.ContinueOnError)
	flags.SetOutput(log)
	flags.StringVar(&o.source, "source", "../..", "folder of polyvoke's sources, a Git work tree")
	flags.StringVar(&o.out, "out", "../../build/release", "folder for the release; what it holds is replaced")
	flags.StringVar(&o.runtimes, "runtimes", "../../build/runtimes",
		"folder of the runtimes of scripts, *.runtime.zip, to be added")
	flags.StringVar(&o.version, "version", "", "version of the release, such as v1.2.3 (default: what git describe says)")
	flags.StringVar(&o.pgo, "pgo", "auto", "profile to optimize by, as go build takes it")
	platforms := flags.String("platforms", allPlatforms, "platforms to build for, separated by spaces")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() > 0 {
		return nil, fmt.Errorf("%q is not a flag: release -h lists the flags", flags.Arg(0))
	}
	for word := range strings.FieldsSeq(*platforms) {
		system, arch, ok := strings.Cut(word, "/")
		if !ok {
			return nil, fmt.Errorf("-platforms: %q is not a platform: write OS/ARCH, such as linux/amd64", word)
		}
		o.platforms = append(o.platforms, platform{system, arch})
	}
	if len(o.platforms) == 0 {
		return nil, errors.New("-platforms names none: leave it out to build for all")
	}
	return &o, nil
}

// run is the program.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	o, err := parse(args, stderr)
	if err != nil {
		return err
	}
	r, err := newRelease(ctx, o)
	if err != nil {
		return err
	}
	fmt.Fprintf(stdout, "polyvoke %s of %s\n", r.version, r.date.Format("2006-01-02 15:04:05"))
	steps := []func(context.Context) error{r.build, r.notices, r.archives, r.image, r.runtimes, r.bill, r.sums}
	for _, step := range steps {
		if err := step(ctx); err != nil {
			return err
		}
	}
	for _, file := range r.files {
		info, err := os.Stat(filepath.Join(o.out, file))
		if err != nil {
			return err
		}
		fmt.Fprintf(stdout, "%9.1f MB  %s\n", float64(info.Size())/1e6, file)
	}
	return nil
}
