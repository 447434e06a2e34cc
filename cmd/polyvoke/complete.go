package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
)

// completeTimeout is how long the shell may wait for names.
const completeTimeout = time.Second

// completeNames returns a completion of an argument with the names of the functions that
// are deployed. It says nothing when it cannot.
func (c *cli) completeNames(n *connect.Settings) cobra.CompletionFunc {
	return func(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
		if len(args) > 0 {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		n.Timeout = completeTimeout
		s, err := c.connect(cmd, n)
		if err != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		defer s.Close()
		functions, _ := s.List(cmd.Context())
		var names []cobra.Completion
		for _, f := range functions {
			if strings.HasPrefix(f.Name, typed) {
				names = append(names, cobra.CompletionWithDesc(f.Name, fmt.Sprintf("version %d, %s", f.Version, f.Language)))
			}
		}
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}
