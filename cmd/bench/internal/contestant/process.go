package contestant

import (
	"bytes"
	"context"
	"os/exec"

	"github.com/polyvoke/polyvoke/cmd/bench/internal/guest"
)

// process is the oldest way to run a function.
func process() Contestant {
	return Contestant{
		Name:  Machine,
		About: "os/exec of the same source compiled for this machine; no sandbox. Its CPU is that of parent and child",
		Open: func(_ context.Context, s Setup) (Runner, error) {
			if s.Guest.Native == "" {
				return nil, errNoNative
			}
			return &processRunner{guest: s.Guest, replies: make([]bytes.Buffer, s.Callers)}, nil
		},
	}
}

// processRunner starts a program of the operating system.
type processRunner struct {
	guest   *guest.Guest
	replies []bytes.Buffer // by caller
}

// Run implements Runner.
func (p *processRunner) Run(ctx context.Context, caller int, body []byte) ([]byte, error) {
	out := &p.replies[caller]
	out.Reset()
	cmd := exec.CommandContext(ctx, p.guest.Native)
	cmd.Args, cmd.Env = p.guest.Args, p.guest.Env
	if p.guest.NativeArgs != nil {
		cmd.Args, cmd.Env = append([]string{p.guest.Native}, p.guest.NativeArgs...), p.guest.NativeEnv
	}
	cmd.Stdin, cmd.Stdout = bytes.NewReader(body), out
	if err := cmd.Run(); err != nil {
		return nil, err
	}
	return out.Bytes(), check(p.guest, body, out.Bytes())
}

// Close implements Runner.
func (p *processRunner) Close() error { return nil }
