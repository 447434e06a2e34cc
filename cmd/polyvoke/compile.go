package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// compileModuleCommand compiles one module, on behalf of a service. It is not for people.
func (c *cli) compileModuleCommand() *cobra.Command {
	return &cobra.Command{
		Use:                service.CompileModule,
		Hidden:             true,
		DisableFlagParsing: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			if code := wasi.CompileChild(cmd.Context(), args, c.stdin, c.stderr); code != 0 {
				return &exit.Error{Code: code}
			}
			return nil
		},
	}
}

// compileLimits are what the compilation of one module may take.
type compileLimits struct {
	timeout time.Duration
	memory  string // as protocol.ParseSize reads it, or "" for the default
	module  string // size of the largest module, likewise
}

// addTo adds the flags.
func (l *compileLimits) addTo(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&l.timeout, "compile-timeout", 2*time.Minute,
		"CPU time limit for compiling a module of 16 MiB; smaller ones get less")
	cmd.Flags().StringVar(&l.memory, "compile-memory", "1GiB",
		"memory limit for compiling a module; one of 24 MiB needs about 2GiB")
	cmd.Flags().StringVar(&l.module, "max-module", protocol.DefaultModule.String(),
		"size of the largest module that can be deployed")
}

// check refuses limits that mean nothing.
func (l *compileLimits) check(cmd *cobra.Command) error {
	if l.timeout <= 0 {
		return usageError(cmd, "--compile-timeout %s must be longer than zero", l.timeout)
	}
	m, err := protocol.ParseSize(l.memory)
	if err == nil && m < 64<<20 {
		err = fmt.Errorf("%s is too little for any module: use 64MiB or more", m)
	}
	if err != nil {
		return usageError(cmd, "--compile-memory: %v", err)
	}
	if m, err = protocol.ParseSize(l.module); err == nil && (m < 1<<10 || m > protocol.MaxModule) {
		err = fmt.Errorf("%s is out of range: use 1KiB to %s", m, protocol.MaxModule)
	}
	if err != nil {
		return usageError(cmd, "--max-module: %v", err)
	}
	return nil
}

// limits returns what check has read.
func (l *compileLimits) limits() service.Limits {
	memory, _ := protocol.ParseSize(l.memory)
	module, _ := protocol.ParseSize(l.module)
	return service.Limits{Timeout: l.timeout, Memory: memory, Module: module}
}
