package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/invoker/trust"
)

// signCommand signs a function.
func (c *cli) signCommand() *cobra.Command {
	var o overrides
	var key string
	var noBuild bool
	cmd := &cobra.Command{
		Use:   "sign [FILE|polyvoke.toml|FOLDER]",
		Short: "Sign a function, for services that run only what is signed",
		Long: `Sign a function: its name, its module or script, and its manifest. The signature is written beside FILE, as
FILE.sig, and deploy sends it. After a change of any of them, sign again. Flags that deploy gets must be given to sign,
too.

KEYFILE has the seed of an nkey of a user or an account. polyvoke sign keygen makes one, and so do nk and nsc. polyvoke
serve --trust FILE says whose signatures count: docs/trust.md.`,
		Args: argsOrManifest(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if key == "" {
				return usageError(cmd, "--key is missing: name a file with the seed of an nkey, such as polyvoke sign keygen makes")
			}
			if err := c.buildUnless(cmd.Context(), noBuild, orHere(args)[0]); err != nil {
				return err
			}
			src, err := source.Read(orHere(args)[0], o.name, o.runtime)
			if err != nil {
				return err
			}
			if err := o.apply(cmd, &src.Function); err != nil {
				return err
			}
			return c.sign(src, key)
		},
	}
	o.addDeployed(cmd)
	cmd.Flags().StringVar(&key, "key", "", "file with the seed of the nkey that signs")
	_ = cmd.MarkFlagFilename("key")
	addNoBuild(cmd, &noBuild)
	cmd.AddCommand(c.signKeygenCommand())
	return cmd
}

// sign signs a source with the seed that a file has.
func (c *cli) sign(src *source.Source, key string) error {
	seed, err := os.ReadFile(key)
	if err != nil {
		return source.Missing(key, err)
	}
	if err := src.Sign(seed); err != nil {
		return err
	}
	fmt.Fprintf(c.stderr, "signed %s as %s: %s\n", src.Function.Name, src.Function.Signature.Signer, src.SignatureFile())
	return nil
}

// signKeygenCommand makes a key.
func (c *cli) signKeygenCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "keygen KEYFILE",
		Short: "Make a key to sign with, and print its public half",
		Args:  argsBetween(1, 1),
		RunE: func(_ *cobra.Command, args []string) error {
			seed, signer, err := trust.NewKey()
			if err != nil {
				return err
			}
			if err := writeNew(args[0], append(seed, '\n')); err != nil {
				return err
			}
			_, err = fmt.Fprintln(c.stdout, signer)
			return err
		},
	}
}

// writeNew writes a secret to a file that is not there yet.
func writeNew(path string, secret []byte) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return &exit.Error{Code: exit.Failed, Msg: path + ": there is such a file already: choose another name", Err: err}
	}
	if err != nil {
		return source.Missing(path, err)
	}
	_, err = f.Write(secret)
	return errors.Join(err, f.Close())
}
