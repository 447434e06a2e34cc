package main

import (
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/invoker/trust"
)

// trustOptions say whose functions are served.
type trustOptions struct {
	file     string // of a policy; empty: none
	required bool
	policy   *trust.Policy // once they have been read; nil: anybody's
}

// addTo adds the flags.
func (o *trustOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.file, "trust", "", "file that says whose signatures count for which functions: docs/trust.md")
	f.BoolVar(&o.required, "require-signature", false, "serve only functions that are signed; needs --trust")
	_ = cmd.MarkFlagFilename("trust", "toml")
}

// read reads the policy.
func (o *trustOptions) read(cmd *cobra.Command) (err error) {
	if o.file == "" {
		if o.required {
			return usageError(cmd, "--require-signature needs --trust FILE, which says whose signatures count")
		}
		return nil
	}
	if o.policy, err = trust.ReadPolicy(o.file); err != nil {
		return usageError(cmd, "--trust: %v", err)
	}
	o.policy.Required = o.policy.Required || o.required
	return nil
}
