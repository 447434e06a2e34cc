package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/client"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/protocol"
)

// deployCommand puts a function on NATS.
func (c *cli) deployCommand() *cobra.Command {
	var n client.Settings
	var o overrides
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "deploy [FILE|polyvoke.toml|FOLDER]",
		Short: "Put a function, or a new version of it, on NATS",
		Long: `Put a function, or a new version of it, on NATS. When deploy returns, the next call works.

FILE is a module (.wasm) or a script (.js, .py and others: polyvoke runtime ls). A folder must contain
a polyvoke.toml, which has the keys of the manifest and besides them "module", the path of the wasm file, or
"script", that of the script's entry; the whole folder of that is the script. Flags win over the file.
In such a folder it may be left out.

A script needs a runtime on NATS. One that is there on this machine only is added first.`,
		Example: `  polyvoke deploy greet.wasm
  polyvoke deploy greet.py
  polyvoke deploy greet.wasm --name hello --env LANG=en --timeout 500ms --memory 64MiB
  polyvoke deploy ./greet`,
		Args: argsOrManifest(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			src, err := source.Read(orHere(args)[0], o.name, o.runtime)
			if src, err = c.readByExtension(cmd, &n, src, err, orHere(args)[0], o.name); err != nil {
				return err
			}
			if err := o.apply(cmd, &src.Function); err != nil {
				return err
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			reply, err := c.deploy(cmd.Context(), s, src)
			if err != nil {
				return err
			}
			return c.printDeployed(reply, asJSON)
		},
	}
	o.addTo(cmd)
	cmd.Flags().StringArrayVar(&o.args, "arg", nil, "argument behind the subject's tokens; repeat for more")
	cmd.Flags().StringVar(&o.language, "language", "", "language to show (default: as the module says)")
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// deploy puts a function on NATS, and before it a runtime that is missing there.
func (c *cli) deploy(ctx context.Context, s *client.Session, src *source.Source) (protocol.DeployReply, error) {
	if err := c.addMissing(ctx, s, src.Function.Runtime); err != nil {
		return protocol.DeployReply{}, err
	}
	reply, err := s.Deploy(ctx, src.Function, src.Code)
	reply.Warnings = append(src.Warnings, reply.Warnings...)
	return reply, explainMissing(err, src.Function.Runtime)
}

// printDeployed tells what is there now and how to call it.
func (c *cli) printDeployed(reply protocol.DeployReply, asJSON bool) error {
	for _, w := range reply.Warnings {
		fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).Bold("warning:"), w)
	}
	if asJSON {
		return printJSON(c.stdout, reply)
	}
	return show.Deployed(c.stdout, c.paint(c.stdout), reply)
}
