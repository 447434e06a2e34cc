package main

import (
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// groups are the headings of the commands in polyvoke --help, and which stand below them.
var groups = []struct {
	id, title string
	commands  []string
}{
	{"write", "Write a function:", []string{"new", "build", "run", "dev", "inspect", "lint", "sign"}},
	{"operate", "Serve, deploy and call:", []string{"serve", "gateway", "deploy", "call", "logs", "top", "ls", "info", "rm",
		"alias", "promote", "rollback", "history", "audit", "runtime", "key", "secret", "kv", "obj"}},
	{"jobs", "Durable calls:", []string{"job", "dead", "pause", "resume", "replay"}},
	{"machine", "This machine:", []string{"demo", "doctor", "cache", "completion", "version", "help"}},
}

// addGroups puts the commands under their headings.
func addGroups(root *cobra.Command) {
	for _, g := range groups {
		root.AddGroup(&cobra.Group{ID: g.id, Title: g.title})
		for _, name := range g.commands {
			switch cmd, _, err := root.Find([]string{name}); {
			case name == "help":
				root.SetHelpCommandGroupID(g.id)
			case err == nil && cmd != root:
				cmd.GroupID = g.id
			}
		}
	}
}

// usage prints how a command is used: the commands below it by group, and its flags, those of the connection under a
// heading of their own.
func usage(cmd *cobra.Command) error {
	var b strings.Builder
	b.WriteString("Usage:\n")
	if cmd.Runnable() && !cmd.HasSubCommands() {
		fmt.Fprintf(&b, "  %s\n", cmd.UseLine())
	}
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "  %s COMMAND\n", cmd.CommandPath())
	}
	if len(cmd.Aliases) > 0 {
		fmt.Fprintf(&b, "\nAliases:\n  %s\n", cmd.NameAndAliases())
	}
	if cmd.HasExample() {
		fmt.Fprintf(&b, "\nExamples:\n%s\n", cmd.Example)
	}
	printCommands(&b, cmd)
	own, connection := splitFlags(cmd.LocalFlags())
	printFlags(&b, "Flags:", own)
	printFlags(&b, "Connection to NATS, as for the nats command:", connection)
	printFlags(&b, "Flags of every command:", cmd.InheritedFlags())
	if cmd.HasAvailableSubCommands() {
		fmt.Fprintf(&b, "\n%s COMMAND --help describes a command.\n", cmd.CommandPath())
	}
	_, err := io.WriteString(cmd.OutOrStderr(), b.String())
	return err
}

// printCommands lists the commands below one: group by group, or under one heading if there are no groups.
func printCommands(w io.Writer, cmd *cobra.Command) {
	list := func(title, id string) {
		for _, sub := range cmd.Commands() {
			if sub.GroupID != id || !sub.IsAvailableCommand() && sub.Name() != "help" {
				continue
			}
			if title != "" {
				fmt.Fprintf(w, "\n%s\n", title)
				title = ""
			}
			fmt.Fprintf(w, "  %-11s %s\n", sub.Name(), sub.Short)
		}
	}
	for _, g := range cmd.Groups() {
		list(g.Title, g.ID)
	}
	list("Commands:", "")
}

// connectionFlag is the annotation of flags that say how to reach NATS.
const connectionFlag = "polyvoke_connection"

// markConnection marks the flags that are new in a set as those of the connection.
func markConnection(set *pflag.FlagSet, add func()) {
	before := map[string]bool{}
	set.VisitAll(func(f *pflag.Flag) { before[f.Name] = true })
	add()
	set.VisitAll(func(f *pflag.Flag) {
		if !before[f.Name] {
			f.Annotations = map[string][]string{connectionFlag: {"true"}}
		}
	})
}

// splitFlags returns the flags of the connection apart from the others.
func splitFlags(all *pflag.FlagSet) (own, connection *pflag.FlagSet) {
	own = pflag.NewFlagSet("own", pflag.ContinueOnError)
	connection = pflag.NewFlagSet("connection", pflag.ContinueOnError)
	connection.SortFlags = false
	for _, first := range []string{"server", "context"} {
		if f := all.Lookup(first); f != nil && f.Annotations[connectionFlag] != nil {
			connection.AddFlag(f)
		}
	}
	all.VisitAll(func(f *pflag.Flag) {
		switch {
		case f.Annotations[connectionFlag] == nil:
			own.AddFlag(f)
		case connection.Lookup(f.Name) == nil:
			connection.AddFlag(f)
		}
	})
	return own, connection
}

// printFlags prints the flags of a set below a heading, if there are any.
func printFlags(w io.Writer, title string, set *pflag.FlagSet) {
	if set.HasAvailableFlags() {
		fmt.Fprintf(w, "\n%s\n%s", title, set.FlagUsages())
	}
}
