package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/modulecache"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

// cacheCommand shows the folder of compiled modules.
func (c *cli) cacheCommand() *cobra.Command {
	var dir string
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "cache",
		Short: "Show or clear the compiled modules on this machine",
		Long: `Show the folder of compiled modules: where it is, how much is in it, and how much of that is unused:
made by another version of polyvoke, left by a compilation that was killed, or not read for 30 days.`,
		Args:              c.noCommand,
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			cache, err := readCache(dir)
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(c.stdout, cache)
			}
			unused, bytes := cache.Unused()
			terminal.Facts(c.stdout, c.paint(c.stdout), cache.Dir, [][2]string{
				{"compiled", fmt.Sprintf("%s, %s", terminal.Plural(len(cache.Entries), "module"),
					terminal.Bytes(cache.Size))},
				{"unused", fmt.Sprintf("%s, %s: polyvoke cache clear --unused removes them",
					terminal.Plural(len(unused), "module"), terminal.Bytes(bytes))},
				{"copies", fmt.Sprintf("%s as deployed, %s: they stay", terminal.Plural(cache.Sources, "module"),
					terminal.Bytes(cache.SourcesSize))},
			})
			return nil
		},
	}
	cmd.PersistentFlags().StringVar(&dir, "cache", "",
		"folder for compiled modules (default: polyvoke/modules in the user's cache folder)")
	addJSON(cmd, &asJSON)
	cmd.AddCommand(c.cacheClearCommand(&dir))
	return cmd
}

// cacheClearCommand clears that folder.
func (c *cli) cacheClearCommand(dir *string) *cobra.Command {
	var unused, asJSON bool
	cmd := &cobra.Command{
		Use:   "clear",
		Short: "Remove compiled modules, all or only the unused ones",
		Long: `Remove compiled modules. It is safe beside polyvoke serve: what that has loaded goes on, and what it
needs later is compiled again. Modules as they were deployed are not touched.`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(*cobra.Command, []string) error {
			cache, err := readCache(*dir)
			if err != nil {
				return err
			}
			done, err := cache.Clear(unused)
			if err != nil {
				msg := fmt.Sprintf("some of %s could not be removed: %v", cache.Dir, err)
				return &exit.Error{Code: exit.Failed, Msg: msg, Err: err}
			}
			if asJSON {
				return printJSON(c.stdout, done)
			}
			fmt.Fprintf(c.stdout, "removed %s, %s, from %s\n", terminal.Plural(done.Removed, "compiled module"),
				terminal.Bytes(done.Freed), cache.Dir)
			if done.Kept > 0 {
				fmt.Fprintf(c.stdout, "kept %s, made just now: repeat the command in %d s to remove them too\n",
					terminal.Plural(done.Kept, "compiled module"), int(modulecache.Fresh.Seconds()))
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&unused, "unused", false, "only the unused ones")
	addJSON(cmd, &asJSON)
	return cmd
}

// readCache reads the folder that is named, or the user's.
func readCache(named string) (*modulecache.Cache, error) {
	dir := service.CacheDir(named)
	if dir == "" {
		return nil, &exit.Error{Code: exit.Failed,
			Msg: "there is no cache folder on this machine: set HOME or XDG_CACHE_HOME, or name a folder with --cache",
			Err: errors.ErrUnsupported}
	}
	cache, err := modulecache.Read(dir)
	if err != nil {
		return nil, &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("the cache cannot be read: %v", err), Err: err}
	}
	return cache, nil
}
