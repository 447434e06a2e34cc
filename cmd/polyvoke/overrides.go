package main

import (
	"maps"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/protocol"
)

// overrides are the manifest's keys that have flags.
type overrides struct {
	name, language         string
	timeout, memory, stack string
	start, runtime         string
	fuel                   int64
	optimize               int
	args, env              []string
}

// addTo adds the flags.
func (o *overrides) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.name, "name", "", "name of the function (default: the file name)")
	f.StringVar(&o.timeout, "timeout", "",
		`time limit of a call, such as "500ms" (default `+protocol.DefaultTimeout.String()+")")
	f.StringVar(&o.memory, "memory", "",
		`memory limit of a call, such as "64MiB" (default `+protocol.DefaultMemory.String()+")")
	f.Int64Var(&o.fuel, "fuel", 0, "fuel limit of a call, in the units of --report (default: no limit)")
	f.StringVar(&o.stack, "stack", "",
		`stack limit of a call, such as "1MiB" (default `+protocol.DefaultStack.String()+")")
	addOptimize(cmd, &o.optimize)
	f.StringVar(&o.start, "start", "", "start kind: "+strings.Join(protocol.StartKinds(), ", "))
	f.StringVar(&o.runtime, "runtime", "",
		"runtime of a script: NAME or NAME@VERSION (default: by the file's extension)")
	_ = cmd.RegisterFlagCompletionFunc("start", cobra.FixedCompletions(protocol.StartKinds(),
		cobra.ShellCompDirectiveNoFileComp))
	f.StringArrayVar(&o.env, "env", nil, "environment variable of the function, NAME=VALUE; can be repeated")
}

// addDeployed adds the flags, and those of keys that only a deployment has.
func (o *overrides) addDeployed(cmd *cobra.Command) {
	o.addTo(cmd)
	cmd.Flags().StringArrayVar(&o.args, "arg", nil, "argument after those of the subject; can be repeated")
	cmd.Flags().StringVar(&o.language, "language", "", "language to display (default: as the module says)")
}

// apply changes the manifest as the flags say, and checks it again.
func (o *overrides) apply(cmd *cobra.Command, f *protocol.Function) error {
	if o.timeout != "" {
		d, err := protocol.ParseDuration(o.timeout)
		if err != nil {
			return usageError(cmd, "--timeout: %v", err)
		}
		f.Limits.Timeout = d
	}
	for _, size := range []struct {
		flag, text string
		limit      *protocol.Size
	}{{"memory", o.memory, &f.Limits.Memory}, {"stack", o.stack, &f.Limits.Stack}} {
		if size.text == "" {
			continue
		}
		var err error
		if *size.limit, err = protocol.ParseSize(size.text); err != nil {
			return usageError(cmd, "--%s: %v", size.flag, err)
		}
	}
	if cmd.Flags().Changed("start") {
		if err := protocol.CheckStart(o.start); err != nil {
			return usageError(cmd, "--start %q: use one of %s", o.start, strings.Join(protocol.StartKinds(), ", "))
		}
		f.Start = o.start
	}
	if cmd.Flags().Changed(optimizeFlag) {
		if err := checkOptimize(cmd, o.optimize); err != nil {
			return err
		}
		f.Optimize = &o.optimize
	}
	if cmd.Flags().Changed("fuel") {
		f.Limits.Fuel = o.fuel // 0 takes the manifest's limit away
	}
	if o.language != "" {
		f.Language = o.language
	}
	f.Args = append(f.Args, o.args...)
	f.Env = maps.Clone(f.Env)
	for _, kv := range o.env {
		k, v, ok := strings.Cut(kv, "=")
		if !ok || k == "" {
			return usageError(cmd, "--env %q: write NAME=VALUE", kv)
		}
		if f.Env == nil {
			f.Env = map[string]string{}
		}
		f.Env[k] = v
	}
	return f.Check()
}

// optimizeFlag is the name of the flag that says how far code is optimized.
const optimizeFlag = "optimize"

// addOptimize adds it.
func addOptimize(cmd *cobra.Command, level *int) {
	cmd.Flags().IntVar(level, optimizeFlag, protocol.OptimizeAll,
		"how far code is optimized: 0 for what is needed only, 1 for what takes little time, 2 for all")
	_ = cmd.RegisterFlagCompletionFunc(optimizeFlag, cobra.FixedCompletions([]string{
		"0\tonly what a sandbox needs", "1\twhat takes little time at an upload", "2\tall (default)",
	}, cobra.ShellCompDirectiveNoFileComp))
}

// checkOptimize checks what it says.
func checkOptimize(cmd *cobra.Command, level int) error {
	if protocol.CheckOptimize(level) != nil {
		return usageError(cmd, "--%s %d: use %d, %d or %d", optimizeFlag, level, protocol.OptimizeNone,
			protocol.OptimizeCheap, protocol.OptimizeAll)
	}
	return nil
}
