package service

import (
	"context"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/script"
	"github.com/polyvoke/polyvoke/runtimes/tiered"
	"github.com/polyvoke/polyvoke/runtimes/wasi"
)

// layers puts together the runtime that an invoker compiles and runs functions with. Each layer is a runtimes.Runtime
// on top of the next one, and its runtimes.Program wraps one of that:
//
//	Invoker             the code and the manifest of a version            a call
//	  |                                                                     |
//	invoker/programs    versions that need the same share a program         |
//	  |                                                                     |
//	invoker/quarantine  refuses what has killed the process before        writes down what runs
//	  |                                                                     |
//	runtimes/script     a script becomes a file for its interpreter       puts the interpreter's arguments first
//	  |                                                                     |
//	runtimes/tiered     of an edited module, compiles first what was used waits if it needs the rest
//	  |                                                                     |
//	runtimes/wasi       checks, rewrites and compiles a module            runs a process in a sandbox
//
// The first two are the invoker's own: Invoker.Serve adds them. [github.com/polyvoke/polyvoke/cmd/internal/localrun]
// has script on top of wasi, and nothing else. end closes what layers made.
func layers(ctx context.Context, c Config, interpreters script.Source) (rt runtimes.Runtime, end func(), err error) {
	sandbox, endSandbox, err := Sandbox(ctx, c.Cache, c.Limits, wasi.Config{IdleMemory: c.IdleMemory, Log: c.Log})
	if err != nil {
		return nil, nil, err
	}
	edited := tiered.New(sandbox, c.Log)
	return script.New(edited, interpreters), func() {
		edited.Close(context.WithoutCancel(ctx))
		endSandbox()
	}, nil
}
