// Bench compares ways to run a function, in one run and in turns: a Go function, polyvoke's start kinds,
// plain wazero, wasmtime, Extism, Node and a process of the operating system. It writes tables and a plot.
//
//	go -C cmd/bench run .                   everything, into docs: 10 to 30 minutes
//	go -C cmd/bench run . -quick            a little of everything, into build/bench: about a minute
//	go -C cmd/bench run . -suite nats       one suite, into build/bench
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
	"regexp"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/profile"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/report"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/role"
	"github.com/polyvoke/polyvoke/cmd/bench/internal/suite"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:], os.Stderr); err != nil && !errors.Is(err, flag.ErrHelp) {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// workerFlag makes this program a worker.
const workerFlag = "-worker"

// options are what the command line says.
type options struct {
	suites  []string
	only    string
	quick   bool
	build   string
	out     string
	profile string
	load    *regexp.Regexp
	tools   guest.Toolchain
	turns   int
	slice   time.Duration
}

// run is the program.
func run(ctx context.Context, args []string, log io.Writer) error {
	if slices.Equal(args, []string{workerFlag}) {
		return role.Run(context.WithoutCancel(ctx)) // it ends when its stdin does
	}
	o, err := parse(args, log)
	if err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	b := &suite.Bench{Dir: o.build, Only: o.only, Quick: o.quick, Slice: o.slice, Turns: o.turns,
		Self: []string{self, workerFlag}, Toolchain: o.tools, Load: o.load}
	begin := time.Now()
	b.Log = func(s string) { fmt.Fprintf(log, "%6.1fs %s\n", time.Since(begin).Seconds(), s) }
	if err := o.measure(ctx, b); err != nil {
		return err
	}
	took := time.Since(begin)
	data := report.Data{Results: &b.Results, Machine: report.ThisMachine(), Quick: o.quick, Took: took}
	if err := report.Write(o.out, data); err != nil {
		return err
	}
	b.Log("written: " + filepath.Join(o.out, report.Page))
	return nil
}

// measure runs the suites, and writes the profile if there is to be one.
func (o *options) measure(ctx context.Context, b *suite.Bench) (err error) {
	if o.profile != "" {
		if b.Profile, err = os.MkdirTemp("", "bench"); err != nil {
			return err
		}
		defer os.RemoveAll(b.Profile)
	}
	for _, name := range o.suites {
		if err := b.Run(ctx, name); err != nil {
			return err
		}
	}
	if o.profile == "" {
		return nil
	}
	return profile.Merge(b.Profile, o.profile)
}

// parse reads the command line.
func parse(args []string, log io.Writer) (o options, err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(log)
	name := flags.String("suite", "", "the one suite to run: "+strings.Join(suite.Names(), ", ")+" (default all)")
	flags.StringVar(&o.only, "only", "",
		"only contestants whose names contain this, beside those to which they are compared")
	flags.BoolVar(&o.quick, "quick", false, "few and short slices of a few loads, to see that all works")
	flags.StringVar(&o.build, "build", "../../build/bench", "the folder for what is built")
	flags.StringVar(&o.out, "out", "",
		"the folder for the report (default ../../docs if everything is measured, else that of -build)")
	flags.IntVar(&o.turns, "turns", 0, "how many slices each contestant has (default 15, or 3 if quick)")
	flags.DurationVar(&o.slice, "slice", 0,
		"how long a slice is, five times as long through NATS (default 40ms, or 10ms if quick)")
	flags.StringVar(&o.profile, "profile", "",
		"a file for a profile of polyvoke's processes while they answer through NATS")
	flags.Func("load", "only programs of the suite compute whose names match this regular expression",
		func(s string) (err error) {
			o.load, err = regexp.Compile(s)
			return err
		})
	flags.StringVar(&o.tools.Tools, "tools", "../../build/tools", "the folder of what make samples-tools installs")
	flags.StringVar(&o.tools.Runtimes, "runtimes", "../../build/runtimes", "the folder of what make runtimes builds")
	if err := flags.Parse(args); err != nil {
		return o, err
	}
	if flags.NArg() > 0 {
		return o, fmt.Errorf("there are no arguments, only flags: %q", flags.Args())
	}
	if o.suites = suite.Names(); *name != "" {
		o.suites = []string{*name}
	}
	o.defaults(*name == "")
	o.tools.Samples = "../../samples"
	for _, folder := range []*string{&o.build, &o.tools.Tools, &o.tools.Runtimes, &o.tools.Samples} {
		if *folder, err = filepath.Abs(*folder); err != nil {
			return o, err
		}
	}
	return o, nil
}

// defaults replaces what the command line does not say.
func (o *options) defaults(all bool) {
	turns, slice := 15, 40*time.Millisecond
	if o.quick {
		turns, slice = 3, 10*time.Millisecond
	}
	if o.turns <= 0 {
		o.turns = turns
	}
	if o.slice <= 0 {
		o.slice = slice
	}
	switch {
	case o.out != "":
	case all && !o.quick && o.only == "":
		o.out = "../../docs"
	default:
		o.out = o.build
	}
}
