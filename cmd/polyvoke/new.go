package main

import (
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/project"
)

// newCommand begins a function.
func (c *cli) newCommand() *cobra.Command {
	var list, asJSON bool
	cmd := &cobra.Command{
		Use:   "new LANG NAME",
		Short: "Create a function: a folder with a working program",
		Long: `Begin a function: make the folder NAME with a small program in the language LANG that works, its
polyvoke.toml, a request to try it with, and the next steps.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return argsBetween(0, 0)(cmd, args)
			}
			return argsBetween(2, 2)(cmd, args)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []cobra.Completion, _ cobra.ShellCompDirective) {
			for _, l := range project.Languages() {
				if len(args) == 0 {
					names = append(names, cobra.CompletionWithDesc(l.Name, l.Title))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if list && asJSON {
				return printJSON(c.stdout, map[string]any{"languages": project.Languages()})
			}
			if list {
				project.List(c.stdout, c.paint(c.stdout))
				return nil
			}
			return c.create(args[0], args[1], asJSON)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the languages")
	addJSON(cmd, &asJSON)
	return cmd
}

// create makes the folder, and says what to do with it.
func (c *cli) create(lang, name string, asJSON bool) error {
	l, err := project.Find(lang)
	if err != nil {
		return err
	}
	files, err := project.Create(".", name, l)
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(c.stdout, map[string]any{"name": name, "language": l.Title, "files": files})
	}
	_, err = fmt.Fprintf(c.stdout, "%s is a function in %s: %s. Next:\n  cd %s\n  %s\n", c.paint(c.stdout).Bold(filepath.Join(".", name)),
		l.Title, strings.Join(files, ", "), name, strings.Join(l.Steps(name), "\n  "))
	return err
}
