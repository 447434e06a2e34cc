package main

import (
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/module"
)

// inspection is what inspect knows about a file, in the names of its JSON.
type inspection struct {
	File     string         `json:"file"`
	Size     int64          `json:"size"`
	Digest   string         `json:"digest"`
	Language string         `json:"language,omitempty"`
	Runnable bool           `json:"runnable"`
	Problem  string         `json:"problem,omitempty"` // why it is not
	Memory   string         `json:"memory,omitempty"`
	Imports  []inspectItem  `json:"imports"`
	Exports  []inspectItem  `json:"exports"`
	Custom   []inspectExtra `json:"custom"`
}

// inspectItem is an import or an export.
type inspectItem struct {
	Module string `json:"module,omitempty"`
	Name   string `json:"name"`
	Kind   string `json:"kind"`
	Type   string `json:"type,omitempty"`
}

// inspectExtra is a custom section.
type inspectExtra struct {
	Name string `json:"name"`
	Size int    `json:"size"`
}

// inspectCommand shows what is in a module, without running it.
func (c *cli) inspectCommand() *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "inspect FILE.wasm",
		Short: "Show what a module imports and exports, and whether it can be a function",
		Long:  "Show what a module imports and exports, and whether it can be a function. The exit code is 126 if it cannot.",
		Args:  argsBetween(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			b, err := os.ReadFile(args[0])
			if err != nil {
				return missing(args[0], err)
			}
			i, problem := inspect(args[0], b)
			switch {
			case asJSON:
				err = printJSON(c.stdout, i)
			default:
				c.printInspection(i)
			}
			if err == nil && problem != nil {
				err = &exitError{exitNotRunnable, fmt.Sprintf("%s: %v", args[0], problem), problem}
			}
			return err
		},
	}
	addJSON(cmd, &asJSON)
	return cmd
}

// inspect describes a module; problem is why it cannot be a function.
func inspect(file string, b []byte) (i inspection, problem error) {
	i = inspection{File: file, Size: int64(len(b)), Digest: protocol.Digest(b)}
	i.Imports, i.Exports, i.Custom = []inspectItem{}, []inspectItem{}, []inspectExtra{}
	m, err := module.Parse(b)
	if err != nil {
		i.Problem = err.Error()
		return i, err
	}
	i.Language = m.Language()
	for _, im := range m.Imports {
		i.Imports = append(i.Imports, inspectItem{im.Module, im.Name, im.Kind.String(), im.Signature})
	}
	for _, ex := range m.Exports {
		i.Exports = append(i.Exports, inspectItem{"", ex.Name, ex.Kind.String(), ex.Signature})
	}
	for _, s := range m.Custom {
		i.Custom = append(i.Custom, inspectExtra{s.Name, s.Size})
	}
	for _, memory := range m.Memories {
		i.Memory = memory.String()
	}
	if err := m.CheckProcess(); err != nil {
		i.Problem = err.Error()
		return i, err
	}
	i.Runnable = true
	return i, nil
}

// printInspection prints an inspection for people.
func (c *cli) printInspection(i inspection) {
	p := c.paint(c.stdout)
	verdict := "yes, deploy it with polyvoke deploy " + i.File
	if !i.Runnable {
		verdict = p.Red("no")
	}
	var custom []string
	for _, s := range i.Custom {
		custom = append(custom, fmt.Sprintf("%s (%s)", s.Name, terminal.Bytes(int64(s.Size))))
	}
	terminal.Facts(c.stdout, p, i.File, [][2]string{
		{"size", terminal.Bytes(i.Size)}, {"digest", i.Digest}, {"language", i.Language}, {"memory", i.Memory},
		{"custom", strings.Join(custom, ", ")}, {"function", verdict},
	})
	for _, part := range []struct {
		title string
		items []inspectItem
	}{{"imports", i.Imports}, {"exports", i.Exports}} {
		if len(part.items) == 0 {
			continue
		}
		fmt.Fprintf(c.stdout, "  %s\n", p.Bold(part.title))
		for _, it := range part.items {
			fmt.Fprintf(c.stdout, "    %s\n", join(" ", it.Module, it.Name, p.Dim(join(" ", it.Kind, it.Type))))
		}
	}
}
