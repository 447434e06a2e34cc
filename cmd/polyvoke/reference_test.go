package main

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/spf13/cobra"
)

var update = flag.Bool("update", false, "write docs/cli.md anew")

// TestReference checks that docs/cli.md says what the commands say of themselves. With -update it writes that file.
func TestReference(t *testing.T) {
	const page = "../../docs/cli.md"
	c := &cli{env: func(string) string { return "" }}
	want := cliReference(c.root())
	if *update {
		if err := os.WriteFile(page, []byte(want), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the commands say: go generate ./cmd/polyvoke writes it anew", page)
	}
}

// cliReference returns the page of all commands.
func cliReference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString(`# The command line

<!-- Generated from the commands by "go generate ./cmd/polyvoke": change them there. -->

After this page you know every command of polyvoke and every flag. It is what ` + "`polyvoke COMMAND --help`" + ` says.
Results go to stdout, all else to stderr; [errors](errors.md#exit-codes) has the exit codes. Flags may stand before or
after the arguments. Completion for bash, zsh, fish and PowerShell: ` + "`polyvoke completion --help`" + `.

`)
	for _, g := range root.Groups() {
		fmt.Fprintf(&b, "%s\n\n", g.Title)
		for _, cmd := range root.Commands() {
			if cmd.GroupID == g.ID && listed(cmd) {
				anchor := strings.ReplaceAll(cmd.CommandPath(), " ", "-")
				fmt.Fprintf(&b, "- [`%s`](#%s): %s\n", cmd.Name(), anchor, cmd.Short)
			}
		}
		b.WriteString("\n")
	}
	ls, _, err := root.Find([]string{"ls"}) // it connects as all others do
	if err != nil {
		panic(err)
	}
	_, connection := splitFlags(ls.LocalFlags())
	fmt.Fprintf(&b, "## Connection to NATS\n\nEvery command that talks to NATS has these flags. "+
		"A variable in brackets is used if the flag is not given.\n"+
		"Flags win over variables, and these over the context.\n\n```text\n%s```\n", connection.FlagUsages())
	fmt.Fprintf(&b, "\n## Flags of every command\n\n```text\n%s```\n", root.PersistentFlags().FlagUsages())
	for _, cmd := range root.Commands() {
		describe(&b, cmd)
	}
	return b.String()
}

// listed reports whether the page describes a command.
func listed(cmd *cobra.Command) bool {
	return !cmd.Hidden && cmd.Name() != "help" && cmd.Name() != "completion"
}

// describe writes what the page says about a command and those below it.
func describe(b *strings.Builder, cmd *cobra.Command) {
	if !listed(cmd) {
		return
	}
	fmt.Fprintf(b, "\n## %s\n\n```text\n", cmd.CommandPath())
	if cmd.Runnable() {
		fmt.Fprintf(b, "%s\n", cmd.UseLine())
	}
	if cmd.HasSubCommands() {
		fmt.Fprintf(b, "%s COMMAND\n", cmd.CommandPath())
	}
	text := cmd.Long
	if text == "" {
		text = cmd.Short + "."
	}
	fmt.Fprintf(b, "\n%s\n", text)
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(b, "\nAliases: %s\n", cmd.NameAndAliases())
	}
	if cmd.HasExample() {
		fmt.Fprintf(b, "\nExamples:\n%s\n", cmd.Example)
	}
	own, connection := splitFlags(cmd.LocalFlags())
	printFlags(b, "Flags:", own)
	if connection.Lookup("js-user") != nil {
		printFlags(b, "Connection to NATS:", connection)
	} else if connection.HasAvailableFlags() {
		b.WriteString("\nConnection to NATS: see above\n")
	}
	b.WriteString("```\n")
	for _, sub := range cmd.Commands() {
		describe(b, sub)
	}
}
