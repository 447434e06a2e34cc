package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/show"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/protocol"
)

// deployCommand puts a function on NATS.
func (c *cli) deployCommand() *cobra.Command {
	var n connect.Settings
	var o overrides
	var asJSON, noBuild bool
	var y canary
	cmd := &cobra.Command{
		Use:   "deploy [FILE|polyvoke.toml|FOLDER]",
		Short: "Deploy a function, or a new version of it",
		Long: `Deploy a function, or a new version of it. When deploy returns, the next call uses it.

FILE is a module (.wasm) or a script (.js, .py and others: polyvoke runtime ls). A folder must contain
a polyvoke.toml. That has the keys of the manifest, and "module", the path of the wasm file, or "script", the path
of the script's entry; a script is deployed with its whole folder. Flags win over polyvoke.toml. In such a folder
FILE may be left out. A module that is not built, or older than its sources, is built first.

A script needs a runtime on NATS. If it is only on this machine, it is added first.

A signature that lies beside FILE, as FILE.sig, goes with it: polyvoke sign.
With --canary the new version gets a part of the calls, and the one that answered before keeps the rest.`,
		Args: argsOrManifest(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			weight, err := y.check(cmd)
			if err != nil {
				return err
			}
			if err := c.buildUnless(cmd.Context(), noBuild, orHere(args)[0]); err != nil {
				return err
			}
			src, err := source.Read(orHere(args)[0], o.name, o.runtime)
			if src, err = c.readByExtension(cmd, &n, src, err, orHere(args)[0], o.name); err != nil {
				return err
			}
			if err := o.apply(cmd, &src.Function); err != nil {
				return err
			}
			if err := src.ReadSignature(); err != nil {
				return err
			}
			s, err := c.connect(cmd, &n)
			if err != nil {
				return err
			}
			defer s.Close()
			if weight > 0 {
				return c.deployCanary(cmd.Context(), s, src, y, weight, asJSON)
			}
			reply, err := c.deploy(cmd.Context(), s, src)
			if err != nil {
				return err
			}
			return c.printDeployed(reply, asJSON)
		},
	}
	o.addDeployed(cmd)
	y.addTo(cmd)
	addNoBuild(cmd, &noBuild)
	addConnection(cmd, &n)
	addJSON(cmd, &asJSON)
	return cmd
}

// deploy puts a function on NATS, and before it a runtime that is missing there. What is odd about the source is among
// the warnings.
func (c *cli) deploy(ctx context.Context, s *connect.Session, src *source.Source) (protocol.DeployReply, error) {
	if err := c.addMissing(ctx, s, src.Function.Runtime); err != nil {
		return protocol.DeployReply{}, err
	}
	reply, err := s.Deploy(ctx, src.Function, src.Code)
	reply.Warnings = append(src.Warnings, reply.Warnings...)
	return reply, explainMissing(err, src.Function.Runtime)
}

// deployCanary deploys a version that gets a part of the calls. If it cannot be deployed, everything is as it was.
func (c *cli) deployCanary(ctx context.Context, s *connect.Session, src *source.Source, y canary, weight int,
	asJSON bool) error {
	now, made, err := y.prepare(ctx, s, src.Function.Name)
	if err != nil {
		return err
	}
	reply, err := c.deploy(ctx, s, src)
	if err == nil && now.Value.To[0].Version == reply.Function.Version {
		err = fmt.Errorf("version %d answers already, and nothing in it has changed: there is nothing to try out",
			reply.Function.Version)
	}
	if err != nil {
		if made {
			_, again := s.RemoveAlias(ctx, now.Function, now.Alias, &now.Revision)
			err = errors.Join(err, again)
		}
		return err
	}
	reply.Warnings = slices.DeleteFunc(reply.Warnings, func(w string) bool { return w == reply.Held }) // until now
	changed, err := y.begin(ctx, s, now, reply.Function.Version, weight)
	if err != nil {
		return err
	}
	if reply.Held = fmt.Sprintf("fn.%s is answered by %v", now.Function, changed.Value); asJSON {
		return c.printDeployed(reply, asJSON)
	}
	if err := c.printDeployed(reply, asJSON); err != nil {
		return err
	}
	return c.printChanged(changed, asJSON)
}

// printDeployed tells what is there now and how to call it.
func (c *cli) printDeployed(reply protocol.DeployReply, asJSON bool) error {
	for _, w := range reply.Warnings {
		fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).Bold("warning:"), c.pasteable(w))
	}
	if asJSON {
		return printJSON(c.stdout, reply)
	}
	return show.Deployed(c.stdout, c.paint(c.stdout), reply, c.pasteable)
}
