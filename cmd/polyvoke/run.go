package main

import (
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/localrun"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/protocol"
)

// runCommand runs a function's process without NATS.
func (c *cli) runCommand() *cobra.Command {
	var o overrides
	var cache, record string
	var noBuild bool
	var grantDirs []string
	cmd := &cobra.Command{
		Use:   "run [FILE|polyvoke.toml|FOLDER] [ARG...]",
		Short: "Run a function on this machine, without NATS",
		Long: `Run a function on this machine, without NATS: stdin is the request, stdout the
reply, and environment, files and limits are those that it will have as a function. Flags for
polyvoke stand before the file, arguments for the function after it. In a function's folder the file may be left out.
There a module that is not built, or older than its sources, is built first.

What the manifest grants is an empty folder in memory, unless --grant-dir says which folder of this machine is to
stand for it. What a bucket's folder has is what the process finds there, and it writes there at once: without NATS
a call is no transaction.

The exit code is the function's. Other exit codes: 124 its time or its fuel was used up, 125 it trapped or reached
its memory limit, 126 the module cannot be run, 127 there is no such file.`,
		Args: argsOrManifest(-1),
		RunE: func(cmd *cobra.Command, args []string) error {
			args = orHere(args)
			if err := c.buildUnless(cmd.Context(), noBuild, args[0]); err != nil {
				return err
			}
			src, err := source.Read(args[0], o.name, o.runtime)
			if errors.Is(err, os.ErrNotExist) {
				return &exit.Error{Code: exit.NotFound, Msg: err.Error(), Err: err}
			}
			if err != nil {
				return err
			}
			if err := o.apply(cmd, &src.Function); err != nil {
				return err
			}
			for _, w := range src.Warnings {
				fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).Bold("warning:"), w)
			}
			folders, err := grantFolders(cmd, &src.Function, grantDirs)
			if err != nil {
				return err
			}
			src.Function.Args = append(args[1:], src.Function.Args...)
			config := localrun.Config{
				Cache: service.CacheDir(cache), Stdin: c.stdin, Stdout: c.stdout, Stderr: c.stderr, Waiting: c.waiting,
				Folders: folders, Note: func(text string) { fmt.Fprintf(c.stderr, "%s %s\n", c.paint(c.stderr).Dim("note:"), text) },
			}
			if record != "" {
				config.Record = func(r *protocol.Recording) error { return writeRecording(record, r) }
			}
			return localrun.Run(cmd.Context(), src, config)
		},
	}
	o.addTo(cmd)
	addNoBuild(cmd, &noBuild)
	cmd.Flags().StringVar(&cache, "cache", "",
		"folder for compiled modules (default: polyvoke/modules in the user's cache folder)")
	cmd.Flags().StringVar(&record, "record", "",
		"write what the process is given and comes to into this file, for polyvoke replay")
	cmd.Flags().StringArrayVar(&grantDirs, "grant-dir", nil,
		"folder that stands for what is granted: "+localrun.FolderForms+"; can be repeated")
	_ = cmd.RegisterFlagCompletionFunc("grant-dir", completeGrantDir)
	cmd.Flags().SetInterspersed(false)
	return cmd
}

// grantFolders reads what stands for grants, and lets the manifest have what it does not grant.
func grantFolders(cmd *cobra.Command, f *protocol.Function, texts []string) ([]localrun.Folder, error) {
	var folders []localrun.Folder
	for _, text := range texts {
		folder, err := localrun.ParseFolder(text)
		if err != nil {
			return nil, usageError(cmd, "--grant-dir %v", err)
		}
		folders = append(folders, folder)
	}
	if len(folders) == 0 {
		return nil, nil
	}
	return folders, localrun.GrantFolders(f, folders)
}

// completeGrantDir offers the kinds, and then folders.
func completeGrantDir(_ *cobra.Command, _ []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	kinds := []cobra.Completion{"kv:", "obj:", "sql:", "secret:", "pub:"}
	if strings.Contains(typed, ":") {
		return nil, cobra.ShellCompDirectiveDefault
	}
	return kinds, cobra.ShellCompDirectiveNoSpace | cobra.ShellCompDirectiveNoFileComp
}
