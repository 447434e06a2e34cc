package main

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets/sealed"
	"github.com/polyvoke/polyvoke/protocol"
)

// secretCommand has the commands about sealed secrets.
func (c *cli) secretCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use:   "secret",
		Short: "Keep secrets of functions on NATS, so that only invokers can read them",
		Long: `A secret is a file /secret/NAME of the functions that are granted it. Here it is sealed to a key that only
invokers have (polyvoke serve --secrets-key), and kept in the bucket fn_secrets. Nobody can read it back:
docs/secrets.md.`,
		Args: c.noCommand,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(c.secretKeygenCommand(), c.secretSetCommand(), c.secretLsCommand(), c.secretRmCommand(),
		c.secretRotateCommand())
	return cmd
}

// secretKeygenCommand makes a key.
func (c *cli) secretKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen KEYFILE",
		Short: "Make a key for invokers, and print its public half",
		Long: `Make a key for invokers: polyvoke serve --secrets-key KEYFILE. Its public half, which is printed, seals secrets
and opens none. Keep a copy of KEYFILE: without it no secret can be opened again.`,
		Args: argsBetween(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			seed, public, err := sealed.NewKey()
			if err != nil {
				return err
			}
			if err := writeNew(args[0], append(seed, '\n')); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.stdout, public)
			return err
		},
	}
}

// secretScope is whose secrets a command is about.
type secretScope struct{ function string }

// addTo adds the flag.
func (o *secretScope) addTo(c *cli, cmd *cobra.Command, n *connect.Settings, usage string) {
	cmd.Flags().StringVar(&o.function, "function", "", usage)
	_ = cmd.RegisterFlagCompletionFunc("function", func(cmd *cobra.Command, _ []string, typed string) (completions,
		cobra.ShellCompDirective) {
		return c.completeNames(n)(cmd, nil, typed)
	})
}

// key returns the function as keys of the bucket have it.
func (o *secretScope) key() string { return cmp.Or(o.function, protocol.AllFunctions) }

// check refuses names that can be none.
func (o *secretScope) check(cmd *cobra.Command, names []string) error {
	if o.function == protocol.AllFunctions {
		return usageError(cmd, "--function %s: leave it out for a secret of all functions", o.function)
	}
	for _, name := range names {
		if _, err := protocol.SecretKey(o.key(), name); err != nil {
			return usageError(cmd, "%v", err)
		}
	}
	return nil
}

// whose says in words whose a secret is.
func whose(function string) string {
	if function == "" || function == protocol.AllFunctions {
		return "all functions"
	}
	return function
}

// completeSecrets completes names of secrets, most at most.
func (c *cli) completeSecrets(n *connect.Settings, o *secretScope, most int) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) (completions, cobra.ShellCompDirective) {
		if most > 0 && len(args) >= most {
			return nil, cobra.ShellCompDirectiveDefault // a file
		}
		return c.ask(cmd, n, func(ctx context.Context, s *connect.Session) (names completions) {
			list, _ := sealed.NewStore(s.JS).List(ctx) // there is nobody to be told of an error
			for _, l := range list {
				if l.Function == o.function && strings.HasPrefix(l.Name, typed) && len(names) < completeLimit {
					names = append(names, l.Name)
				}
			}
			return names
		})
	}
}

// secretSetCommand seals a secret.
func (c *cli) secretSetCommand() *cobra.Command {
	var n connect.Settings
	var o secretScope
	var to string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "set NAME [@FILE|-]",
		Short: "Seal a secret, and put it in the place of the one before",
		Long: `Seal a secret for one function, or for all. The value is what is in a file, or comes on stdin, to the last
byte; it cannot be an argument, since others could see that. It is sealed here, to a key that the invokers name and
that is shown, or to the one that --to names. Functions have it within a second; a call that runs keeps the value
that it has read.`,
		Args:              argsBetween(1, 2),
		ValidArgsFunction: c.completeSecrets(&n, &o, 1),
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error {
		if len(args) == 2 && args[1] != "-" && !strings.HasPrefix(args[1], "@") {
			return usageError(cmd, "a value cannot be an argument, which others on this machine can see: "+
				"write @FILE, or pipe it in")
		}
		if to != "" {
			if err := protocol.CheckCurveKey(to); err != nil {
				return usageError(cmd, "--to: %v", err)
			}
		}
		return o.check(cmd, args[:1])
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		value, err := c.secretValue(append(args, "-")[1])
		if err != nil {
			return err
		}
		l, err := setSecret(ctx, s, o.key(), args[0], to, value)
		switch {
		case err != nil:
			return err
		case asJSON:
			return printJSON(c.stdout, l)
		}
		_, err = fmt.Fprintf(c.stdout, "set %s for %s, sealed to %s\n", l.Name, whose(l.Function), l.Key)
		return err
	})
	f := cmd.Flags()
	o.addTo(c, cmd, &n, "function that it is for (default: all)")
	f.StringVar(&to, "to", "", "public key to seal to (default: the one that the invokers name)")
	addJSON(cmd, &asJSON)
	return cmd
}

// secretValue reads a value from stdin for -, or from a file for @FILE.
func (c *cli) secretValue(arg string) ([]byte, error) {
	if f, ok := c.stdin.(*os.File); ok && arg == "-" && terminal.Is(f) {
		fmt.Fprintln(c.stderr, "type the value, which can be seen, and end it with Ctrl-D; or pipe it in, or write @FILE")
	}
	value, err := c.body(arg)
	if bytes.IndexByte(value, '\n') == len(value)-1 && len(value) > 0 {
		fmt.Fprintln(c.stderr, "note: the value ends with a line feed, which is part of it")
	}
	return value, err
}

// setSecret seals a secret to a key, or to the one that the invokers name if that is empty.
func setSecret(
	ctx context.Context, s *connect.Session, function, name, to string, value []byte,
) (sealed.Listed, error) {
	if to == "" {
		reply, err := s.SecretsKey(ctx)
		if err != nil {
			return sealed.Listed{}, err
		}
		to = reply.Key
	}
	asking, permitted := s.Permitted(ctx, "")
	l, err := sealed.NewStore(s.JS).Set(asking, function, name, to, value)
	return l, permitted(err)
}

// secretLsCommand lists secrets.
func (c *cli) secretLsCommand() *cobra.Command {
	var n connect.Settings
	var o secretScope
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "ls",
		Short: "List secrets, without their values",
		Long: `List secrets: their names, whose they are, and what they are sealed to. Nobody but invokers can read their
values.`,
		Args: argsBetween(0, 0),
	}
	cmd.PreRunE = func(cmd *cobra.Command, _ []string) error { return o.check(cmd, nil) }
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		asking, permitted := s.Permitted(ctx, "")
		list, err := sealed.NewStore(s.JS).List(asking)
		if err = permitted(err); err != nil {
			return err
		}
		if o.function != "" {
			list = slices.DeleteFunc(list, func(l sealed.Listed) bool { return l.Function != o.function })
		}
		switch {
		case asJSON:
			return printJSON(c.stdout, append([]sealed.Listed{}, list...))
		case len(list) == 0:
			fmt.Fprintln(c.stderr, c.pasteable("there are no secrets: polyvoke secret set NAME seals one"))
			return nil
		}
		var rows [][]string
		for _, l := range list {
			row := []string{l.Name, whose(l.Function), "", "unreadable: " + l.Problem}
			if l.Problem == "" {
				row[2], row[3] = terminal.Age(time.Since(l.Created)), l.Key
			}
			rows = append(rows, row)
		}
		terminal.Table(c.stdout, c.paint(c.stdout), []string{"NAME", "FOR", "AGE", "SEALED TO"}, rows)
		return nil
	})
	o.addTo(c, cmd, &n, "only those of one function, without those of all")
	addJSON(cmd, &asJSON)
	return cmd
}

// secretRmCommand removes secrets.
func (c *cli) secretRmCommand() *cobra.Command {
	var n connect.Settings
	var o secretScope
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rm NAME...",
		Short: "Remove secrets for good",
		Long: `Remove secrets of one function, or of all. Calls that read one get an I/O error from then on, and the
function's log says why; a function that had its own gets that of all functions, if there is one.`,
		Args:              argsBetween(1, -1),
		ValidArgsFunction: c.completeSecrets(&n, &o, 0),
	}
	cmd.PreRunE = func(cmd *cobra.Command, args []string) error { return o.check(cmd, args) }
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, args []string) error {
		asking, permitted := s.Permitted(ctx, "")
		for _, name := range args {
			if err := permitted(sealed.NewStore(s.JS).Remove(asking, o.key(), name)); err != nil {
				return err
			}
			if !asJSON {
				fmt.Fprintf(c.stdout, "removed %s of %s\n", name, whose(o.function))
			}
		}
		if asJSON {
			return printJSON(c.stdout, map[string]any{"function": o.function, "removed": args})
		}
		return nil
	})
	o.addTo(c, cmd, &n, "function whose they are (default: those of all)")
	addJSON(cmd, &asJSON)
	return cmd
}

// secretRotateCommand seals all secrets to another key.
func (c *cli) secretRotateCommand() *cobra.Command {
	var n connect.Settings
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "rotate",
		Short: "Have all secrets sealed to the invokers' first key",
		Long: `Have an invoker seal all secrets to its first key that are sealed to another one that it has. To exchange a
key, first restart all invokers with --secrets-key OLD --secrets-key NEW, then with NEW before OLD, then rotate, then
restart them with NEW only.`,
		Args: argsBetween(0, 0),
	}
	c.onNATS(cmd, &n, func(ctx context.Context, s *connect.Session, _ []string) error {
		done, err := s.RotateSecrets(ctx)
		if err != nil {
			return err
		}
		if asJSON {
			err = printJSON(c.stdout, done)
		} else {
			_, err = fmt.Fprintf(c.stdout, "sealed %s anew, to %s\n", terminal.Plural(done.Sealed, "secret"), done.Key)
		}
		for _, key := range slices.Sorted(maps.Keys(done.Failed)) {
			fmt.Fprintf(c.stderr, "%s %s: %s\n", c.paint(c.stderr).Bold("warning:"), key, done.Failed[key])
		}
		if done.Left > 0 && err == nil {
			return &exit.Error{Code: exit.Failed, Msg: terminal.Plural(done.Left, "secret") +
				" could not be sealed anew: keep the old keys, set these again or remove them"}
		}
		return err
	})
	addJSON(cmd, &asJSON)
	return cmd
}
