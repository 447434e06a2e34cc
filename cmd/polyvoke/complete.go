package main

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/protocol"
)

// completeTimeout is how long the shell may wait for names.
const completeTimeout = time.Second

// completions are what a shell offers.
type completions = []cobra.Completion

// completeNames returns a completion of an argument with the names of the functions that
// are deployed. It says nothing when it cannot.
func (c *cli) completeNames(n *connect.Settings) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) (completions, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.ask(cmd, n, func(ctx context.Context, s *connect.Session) completions {
			return functionNames(ctx, s, typed)
		})
	}
}

// completeCalls completes what call takes: names of functions, behind NAME@ their versions, and then files for a body
// that begins with @.
func (c *cli) completeCalls(n *connect.Settings) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) (completions, cobra.ShellCompDirective) {
		switch {
		case len(args) == 1:
			return nil, cobra.ShellCompDirectiveDefault
		case len(args) > 1:
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		return c.ask(cmd, n, func(ctx context.Context, s *connect.Session) completions {
			prefix, name := "", typed
			if rest, ok := strings.CutPrefix(typed, protocol.RootCall+"."); ok {
				prefix, name = protocol.RootCall+".", rest
			}
			names := functionNames(ctx, s, name)
			if function, _, ok := strings.Cut(name, "@"); ok {
				names = functionVersions(ctx, s, function, name)
			}
			for i := range names {
				names[i] = prefix + names[i]
			}
			return names
		})
	}
}

// completeRuntimes completes the names of runtimes, of this machine and on NATS, and behind NAME@ the version on NATS.
func (c *cli) completeRuntimes(cmd *cobra.Command, _ []string, typed string) (completions, cobra.ShellCompDirective) {
	var added []protocol.Function
	if n, ok := given(cmd); ok {
		_, _ = c.ask(cmd, n, func(ctx context.Context, s *connect.Session) completions {
			added, _ = s.Runtimes(ctx) // those of this machine complete all the same
			return nil
		})
	}
	var names completions
	for _, r := range interpreters.Rows(added) {
		name := r.Name
		if strings.Contains(typed, "@") {
			name = r.Ref
		}
		if name != "" && strings.HasPrefix(name, typed) {
			names = append(names, cobra.CompletionWithDesc(name, r.Language))
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// given returns what the flags of a command say about NATS, and reports whether it has such flags.
func given(cmd *cobra.Command) (*connect.Settings, bool) {
	n := new(connect.Settings)
	if cmd.Flags().Lookup("server") == nil {
		return n, false
	}
	for _, w := range n.Words() {
		*w.Value, _ = cmd.Flags().GetString(w.Flag) // it is one
	}
	n.TLSFirst, _ = cmd.Flags().GetBool("tlsfirst") // likewise
	return n, true
}

// completeContexts completes the names of the contexts that the nats command keeps.
func (c *cli) completeContexts(_ *cobra.Command, _ []string, typed string) (completions, cobra.ShellCompDirective) {
	var names completions
	for _, name := range connect.Contexts(c.env) {
		if strings.HasPrefix(name, typed) {
			names = append(names, name)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// ask asks a polyvoke on NATS for names, for as long as a shell may wait. It says nothing when it cannot.
func (c *cli) ask(cmd *cobra.Command, n *connect.Settings,
	names func(context.Context, *connect.Session) completions) (completions, cobra.ShellCompDirective) {
	n.Timeout = completeTimeout
	s, err := c.connect(cmd, n)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer s.Close()
	return names(cmd.Context(), s), cobra.ShellCompDirectiveNoFileComp
}

// functionNames returns the functions whose names begin with what was typed.
func functionNames(ctx context.Context, s *connect.Session, typed string) (names completions) {
	functions, _ := s.List(ctx) // there is nobody to be told of an error
	for _, f := range functions {
		if strings.HasPrefix(f.Name, typed) {
			what := fmt.Sprintf("version %d, %s", f.Version, f.Language)
			names = append(names, cobra.CompletionWithDesc(f.Name, what))
		}
	}
	return names
}

// functionVersions returns NAME@VERSION for the versions of a function that begin with what was typed, the newest
// first.
func functionVersions(ctx context.Context, s *connect.Session, function, typed string) (names completions) {
	i, _ := s.Info(ctx, function) // likewise
	for at := len(i.Versions) - 1; at >= 0; at-- {
		v := i.Versions[at]
		if ref := v.Ref().String(); strings.HasPrefix(ref, typed) {
			names = append(names, cobra.CompletionWithDesc(ref, v.Created.Local().Format(time.DateTime)))
		}
	}
	return names
}

// addCompletions completes the flags that mean the same wherever they are.
func (c *cli) addCompletions(cmd *cobra.Command) {
	if f := cmd.Flags().Lookup("context"); f != nil && f.Annotations[connectionFlag] != nil {
		_ = cmd.RegisterFlagCompletionFunc("context", c.completeContexts) // it is there, and has none
	}
	if cmd.Flags().Lookup("runtime") != nil {
		_ = cmd.RegisterFlagCompletionFunc("runtime", c.completeRuntimes) // likewise
	}
	for _, sub := range cmd.Commands() {
		c.addCompletions(sub)
	}
}
