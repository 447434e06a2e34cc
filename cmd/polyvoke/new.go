package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// newCommand begins a function.
func (c *cli) newCommand() *cobra.Command {
	var list, asJSON bool
	cmd := &cobra.Command{
		Use:   "new [LANG NAME]",
		Short: "Create a function: a folder with a working program",
		Long: `Create a function: the folder NAME with a small working program in the language LANG, its polyvoke.toml, a
request to try it with, and the next steps. On a terminal, new asks for what is left out; elsewhere, without LANG, it
lists the languages.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if list {
				return argsBetween(0, 0)(cmd, args)
			}
			if len(args) == 0 || c.asks() {
				return argsBetween(0, 2)(cmd, args)
			}
			return argsBetween(2, 2)(cmd, args)
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) (names []cobra.Completion,
			_ cobra.ShellCompDirective) {
			for _, l := range project.Languages() {
				if len(args) == 0 {
					names = append(names, cobra.CompletionWithDesc(l.Name, l.Title))
				}
			}
			return names, cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if asJSON && (list || len(args) == 0) {
				return printJSON(c.stdout, map[string]any{"languages": project.Languages()})
			}
			if list || len(args) == 0 && !c.asks() {
				return c.listLanguages(list)
			}
			if len(args) < 2 {
				var err error
				if args, err = askFor(c.stdin, c.stderr, args); err != nil {
					return err
				}
			}
			return c.create(args[0], args[1], asJSON)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the languages")
	addJSON(cmd, &asJSON)
	return cmd
}

// listLanguages prints the languages, and what to type next unless that is all that was asked for.
func (c *cli) listLanguages(only bool) error {
	project.List(c.stdout, c.paint(c.stdout))
	if !only {
		fmt.Fprintln(c.stderr, "choose one, and a name: polyvoke new LANG NAME, such as polyvoke new go hello")
	}
	return nil
}

// asks reports whether a user can be asked.
func (c *cli) asks() bool {
	in, ok := c.stdin.(*os.File)
	return ok && terminal.Is(in) && terminal.Is(c.stderr)
}

// mostTries is how often the same is asked.
const mostTries = 3

// askFor asks for what is missing of LANG and NAME.
func askFor(in io.Reader, out io.Writer, args []string) ([]string, error) {
	lines := bufio.NewScanner(in)
	questions := []struct {
		text  string
		check func(string) error
	}{
		{"Language (" + strings.Join(names(), ", ") + "): ", func(s string) error {
			_,
				err := project.Find(s)
			return err
		}},
		{"Name of the function: ", protocol.CheckName},
	}
	for len(args) < len(questions) {
		q, answer, err := questions[len(args)], "", error(nil)
		for range mostTries {
			fmt.Fprint(out, q.text)
			if !lines.Scan() {
				fmt.Fprintln(out)
				return nil, &exit.Error{Code: exit.Usage, Msg: "nothing was chosen: type polyvoke new LANG NAME " +
					"(polyvoke new --list lists the languages)"}
			}
			answer = strings.TrimSpace(lines.Text())
			if err = q.check(answer); err == nil {
				break
			}
			fmt.Fprintln(out, err)
		}
		if err != nil {
			return nil, err
		}
		args = append(args, answer)
	}
	return args, nil
}

// names returns what the languages are called.
func names() []string {
	var all []string
	for _, l := range project.Languages() {
		all = append(all, l.Name)
	}
	return all
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
	_, err = fmt.Fprintf(c.stdout, "%s is a function in %s: %s. Next:\n  cd %s\n  %s\n",
		c.paint(c.stdout).Bold(filepath.Join(".", name)),
		l.Title, strings.Join(files, ", "), name, strings.Join(l.Steps(name), "\n  "))
	return err
}
