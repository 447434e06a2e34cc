package main

import (
	"cmp"
	"os"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/protocol"
)

// addConnection adds flags for the settings n. The flag --timeout is left out where the command
// has a --timeout of its own that means something else.
func addConnection(cmd *cobra.Command, n *connect.Settings) {
	f := cmd.Flags()
	markConnection(f, func() {
		for _, w := range n.Words() {
			short := ""
			if w.Flag == "server" {
				short = "s"
			}
			f.StringVarP(w.Value, w.Flag, short, "", w.Usage+" ["+w.Env+"]")
		}
		f.BoolVar(&n.TLSFirst, "tlsfirst", false, "start with the TLS handshake, before the server's INFO")
		if f.Lookup("timeout") == nil {
			f.DurationVar(&n.Timeout, "timeout", 0, "how long to wait for NATS to answer [NATS_TIMEOUT]")
			f.Lookup("timeout").DefValue = connect.DefaultTimeout.String() // to show; it comes after NATS_TIMEOUT
		}
	})
}

// connect reaches NATS on behalf of a command, with what its flags, the environment and the
// context say.
func (c *cli) connect(cmd *cobra.Command, n *connect.Settings, more ...nats.Option) (*connect.Session, error) {
	c.reach = reachOf(n, c.env)
	if err := n.Resolve(c.env); err != nil {
		return nil, err
	}
	return c.connectTo(cmd, n, more...)
}

// connectTo reaches NATS on behalf of a command, with these settings and no others.
func (c *cli) connectTo(cmd *cobra.Command, n *connect.Settings, more ...nats.Option) (*connect.Session, error) {
	s, err := connect.To(n, "polyvoke/"+version()+" "+cmd.Name(), more...)
	if err != nil {
		return nil, err
	}
	s.Progress, s.Waiting = c.progress, c.waiting
	host, _ := os.Hostname() // without one it is not stated
	s.Stated = protocol.Stated{Host: host, User: cmp.Or(c.env("USER"), c.env("LOGNAME"), c.env("USERNAME")),
		Tool: "polyvoke/" + version()}
	return s, nil
}
