package invoker

import (
	"context"
	"errors"
	"slices"

	"github.com/polyvoke/polyvoke/invoker/logs"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/deadline"
	"github.com/polyvoke/polyvoke/runtimes/recording"
)

// run runs a call as a process and leaves what came of it in c.reply. One that admit has refused does not run: then
// the reply says why.
func (c *call) run() {
	c.reply = protocol.Reply{ID: c.request.ID, Exit: -1}
	if !c.seen.Parent.IsZero() && !c.seen.Trace.IsZero() {
		c.reply.Header = protocol.Header{}.WithTrace(c.seen.Trace)
	}
	if c.err != nil {
		c.reply.ID = c.id()
		c.reply.Err = c.asError(c.err)
		return
	}
	c.split(&c.seen.Queue)
	c.ctx = c.source.context(c, c.f.svc.ctx)
	err := c.prepare()
	c.split(&c.seen.Ready)
	if err == nil && !c.request.DryRun {
		if c.request.Record {
			c.process.Draws = new(recording.Draws)
		}
		if c.version.grants == nil {
			err = c.execute()
		} else {
			err = c.transact()
		}
	}
	if err != nil {
		c.fail(err)
	}
	if c.process.Draws != nil {
		c.record()
	}
	if c.request.Report {
		usage := &c.process.Usage
		c.reply.ID = c.id()
		c.reply.Report = &protocol.Report{Function: c.version.ref, Duration: usage.Duration, Fuel: usage.Fuel,
			Memory: usage.Memory, Start: usage.Start, Reads: c.seen.Reads, Writes: c.seen.Writes}
	}
}

// execute runs the process to its end, and leaves its exit code and its output in c.reply. The error says what it
// failed of.
func (c *call) execute() error {
	err := c.version.program.Run(c.ctx, &c.process)
	c.dropSlot()
	if c.stream != nil {
		err = c.stream.finish(c, err)
	}
	c.log.Flush()
	c.reply.Exit = exitCode(err)
	c.reply.Body = c.stdout.Bytes()
	if c.reply.Exit > 0 && c.version.manifest.IsReply(c.reply.Exit) && !errors.Is(err, runtimes.ErrMemory) {
		return nil
	}
	return err
}

// prepare brings together what the process gets.
func (c *call) prepare() error {
	if err := c.load(); err != nil {
		return err
	}
	if err := c.accept(); err != nil {
		return err
	}
	if err := c.fetch(); err != nil {
		return err
	}
	if err := c.open(); err != nil {
		return err
	}
	s, p := c.version, &c.process
	p.Args, p.Env = s.args, s.env
	if len(c.request.Args) > 0 {
		p.Args = append(append([]string{c.f.name}, c.request.Args...), s.manifest.Args...)
	}
	if s.http {
		if err := c.tellHTTP(); err != nil {
			return err
		}
	}
	if s.manifest.Meta == protocol.MetaEnv {
		env, err := c.request.Env(c.id())
		if err != nil {
			return err
		}
		p.Env = append(env, p.Env...) // of a name that comes twice, the last value counts
	}
	c.stdin.Reset(c.request.Body)
	c.limited = runtimes.CapWriter{W: &c.stdout, N: int64(s.limits.Output)}
	c.log = logs.Writer{NC: c.f.svc.own, Function: s.ref, ID: c.hooks.id}
	p.Stdin, p.Stdout, p.Stderr = &c.stdin, &c.limited, &c.log
	p.Files, p.Wait, p.Yield = c.hooks.files, c.hooks.wait, c.hooks.yield
	if c.stream != nil && !c.request.DryRun {
		c.stream.open(c)
	}
	if !c.waited {
		p.Begin = c.received
	}
	return nil
}

// tellHTTP adds what a request of HTTP says to the environment and to the arguments, where its route has them there.
func (c *call) tellHTTP() error {
	s, p := c.version, &c.process
	env, err := c.request.CGI(c.id)
	if err != nil {
		return err
	}
	if env != nil {
		p.Env = append(env, p.Env...)
	}
	if args := c.request.RouteArgs(s.manifest); len(args) > 0 {
		p.Args = slices.Concat([]string{c.f.name}, c.request.Args, args, s.manifest.Args)
	}
	return nil
}

// load sees to it that the call's version has its program, compiling it if this is the first call of it here, while
// another receiver takes the next message.
func (c *call) load() error {
	if c.loaded {
		return nil
	}
	c.waited, c.cold = true, true
	c.receiver.handOver()
	return c.f.versions.load(c.ctx, c.version)
}

// fetch gets a body that is an object, while another receiver takes the next message.
func (c *call) fetch() (err error) {
	if c.request.Claim == nil {
		return nil
	}
	c.waited = true
	c.receiver.handOver()
	c.request.Body, err = c.f.svc.bodies.Get(c.ctx, c.request.Claim, int64(c.version.limits.Input))
	return err
}

// wait waits on behalf of a process until done is closed, while others use the processor. A call that had a slot
// needs one again afterwards.
func (c *call) wait(ctx context.Context, done <-chan struct{}) error {
	had := c.dropSlot()
	c.rest()
	err := deadline.Await(ctx, done)
	c.f.queue.Wake()
	if err == nil && had {
		err = c.takeSlot(ctx)
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
