package invoker

import (
	"context"
	"errors"

	"github.com/polyvoke/polyvoke/invoker/logs"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
)

// run runs an admitted call as a process, and answers it.
func (f *function) run(c *call) {
	ctx := c.context(f.v.ctx)
	defer ctx.Cancel()
	reply := protocol.Reply{ID: c.request.ID, Exit: -1}
	err := f.prepare(ctx, c)
	if err == nil && !c.request.DryRun {
		err = c.version.program.Run(ctx, &c.process)
		f.dropSlot(c)
		c.log.Flush()
		reply.Exit = exitCode(err)
		reply.Body = c.stdout.Bytes()
		if reply.Exit > 0 && c.version.manifest.IsReply(reply.Exit) && !errors.Is(err, runtimes.ErrMemory) {
			err = nil
		}
	}
	if err != nil {
		f.fail(c, &reply, err)
	}
	if c.request.Report {
		reply.ID = c.id()
		reply.Report = &protocol.Report{Function: c.version.ref, Duration: c.process.Usage.Duration,
			Fuel: c.process.Usage.Fuel, Memory: c.process.Usage.Memory, Start: c.process.Usage.Start}
	}
	f.reply(ctx, c, &reply)
}

// prepare brings together what the process gets.
func (f *function) prepare(ctx context.Context, c *call) error {
	if err := f.load(ctx, c); err != nil {
		return err
	}
	if err := f.fetch(ctx, c); err != nil {
		return err
	}
	s := c.version
	p := &c.process
	p.Args, p.Env = s.args, s.env
	if len(c.request.Args) > 0 {
		p.Args = append(append([]string{f.name}, c.request.Args...), s.manifest.Args...)
	}
	if s.manifest.Meta == protocol.MetaEnv {
		env, err := c.request.Env(c.id())
		if err != nil {
			return err
		}
		p.Env = append(env, s.env...) // of a name that comes twice, the last value counts
	}
	c.stdin.Reset(c.request.Body)
	c.limited = runtimes.CapWriter{W: &c.stdout, N: int64(s.limits.Output)}
	c.log = logs.Writer{NC: f.v.own, Function: s.ref, ID: c.hooks.id}
	p.Stdin, p.Stdout, p.Stderr = &c.stdin, &c.limited, &c.log
	c.function = f
	p.Files, p.Wait, p.Yield = c.hooks.files, c.hooks.wait, c.hooks.yield
	if !c.waited {
		p.Begin = c.received
	}
	return nil
}

// fetch gets a body that is an object, while another receiver takes the next message.
func (f *function) fetch(ctx context.Context, c *call) error {
	if c.request.Claim == nil {
		return nil
	}
	c.waited = true
	c.receiver.handOver()
	var err error
	c.request.Body, err = f.v.bodies.Get(ctx, c.request.Claim, int64(c.version.limits.Input))
	return err
}

// wait waits on behalf of a process until done is closed, while others use the processor. A call that had a slot
// needs one again afterwards.
func (f *function) wait(ctx context.Context, c *call, done <-chan struct{}) error {
	had := f.dropSlot(c)
	f.rest(c)
	err := deadline.Await(ctx, done)
	f.wake()
	if err == nil && had {
		err = f.takeSlot(ctx, c)
	}
	return err
}

// exitCode returns the code that a process ended itself with, or -1 if it did not.
func exitCode(err error) int {
	if err == nil {
		return 0
	}
	var exit *runtimes.ExitError
	if errors.As(err, &exit) {
		return int(exit.Code)
	}
	return -1
}
