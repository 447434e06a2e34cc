package main

import (
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/invoker/backend/secrets"
	"github.com/polyvoke/polyvoke/invoker/backend/secrets/sealed"
)

// secretOptions say where secrets of functions are, and what opens them.
type secretOptions struct {
	folder string   // empty: there is none
	files  []string // of keys
	keys   *sealed.Keys
}

// addTo adds the flags.
func (o *secretOptions) addTo(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.folder, "secrets", "",
		"folder with a file for each secret that functions can be granted (systemd: %d of LoadCredential)")
	f.StringArrayVar(&o.files, "secrets-key", nil,
		"file with a key that opens sealed secrets; several times for several, the first of which seals: docs/secrets.md")
	_ = cmd.MarkFlagDirname("secrets")
	_ = cmd.MarkFlagFilename("secrets-key")
}

// read checks the folder, and reads the keys.
func (o *secretOptions) read(cmd *cobra.Command) (err error) {
	if o.folder != "" {
		if err := (secrets.Folder{Dir: o.folder}).Check(); err != nil {
			return usageError(cmd, "--secrets: %v", err)
		}
	}
	if len(o.files) == 0 {
		return nil
	}
	if o.keys, err = sealed.ReadKeys(o.files...); err != nil {
		return usageError(cmd, "--secrets-key: %v", err)
	}
	return nil
}

// source returns what has the secrets of the folder, or nil.
func (o *secretOptions) source() secrets.Source {
	if o.folder == "" {
		return nil
	}
	return secrets.Folder{Dir: o.folder}
}
