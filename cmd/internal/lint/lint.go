// Package lint finds what a deployment would refuse or warn of, without NATS. In goes a function as it lies on disk;
// out comes a [Report] with what was found. The checks are those of a deployment, in the order of a deployment: those of
// package source on the machine of whoever deploys, and those of packages control and trust in an invoker.
package lint

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/localrun"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/invoker/control"
	"github.com/polyvoke/polyvoke/invoker/trust"
	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes"
)

// Levels of findings.
const (
	Error   = "error"   // a deployment would be refused
	Warning = "warning" // it would be warned of
)

// What was checked.
const (
	CheckSource    = "source" // the manifest, the module, or the script
	CheckSignature = "signature"
	CheckTrust     = "trust"
	CheckSize      = "size"
	CheckSubjects  = "subjects" // triggers and loops
	CheckGrants    = "grants"
	CheckStart     = "start" // whether it can be compiled, and begins
)

// Finding is something that is wrong, or may be.
type Finding struct {
	Level string `json:"level"` // Error or Warning
	Check string `json:"check"`
	Text  string `json:"text"` // that of a manifest begins with FILE:LINE:
}

// Report is what was found about one function.
type Report struct {
	Path     string    `json:"path"`
	Function string    `json:"function,omitempty"`
	Digest   string    `json:"digest,omitempty"`
	Size     int64     `json:"size,omitempty"` // of the module or the script, in bytes
	Signer   string    `json:"signer,omitempty"`
	Start    string    `json:"start,omitempty"`        // start kind
	Reason   string    `json:"start_reason,omitempty"` // for it
	Findings []Finding `json:"findings"`
}

// Config says against what functions are checked.
type Config struct {
	Trust  *trust.Policy    // whose signatures count; nil: anybody's
	Module int64            // size of the largest module
	Try    runtimes.Runtime // compiles the function and has it begin; nil: that is left out
}

// New returns a report without findings.
func New(path string) *Report { return &Report{Path: path, Findings: []Finding{}} }

// Errors returns how many findings are errors.
func (r *Report) Errors() (n int) {
	for _, f := range r.Findings {
		if f.Level == Error {
			n++
		}
	}
	return n
}

// Refused takes note of why a source cannot be read: each line of the error is a finding. The error that it returns
// says that it could not be looked at, such as a file that is missing.
func (r *Report) Refused(check string, err error) error {
	switch exit.Of(err) {
	case exit.NotRunnable, exit.Usage:
	default:
		return err
	}
	for line := range strings.Lines(err.Error()) {
		r.add(Error, check, strings.TrimSpace(line))
	}
	return nil
}

func (r *Report) add(level, check, text string) {
	r.Findings = append(r.Findings, Finding{Level: level, Check: check,
		Text: protocol.CleanValue(text, 4*protocol.MaxErrorText)})
}

// Check checks a source that was read. The error says that it could not be tried, through no fault of its own.
func (r *Report) Check(ctx context.Context, src *source.Source, c Config) error {
	if err := src.ReadSignature(); err != nil {
		if err := r.Refused(CheckSignature, err); err != nil {
			return err
		}
		src.Function.Signature = nil
	}
	f := src.Function
	f.Digest = protocol.Digest(src.Code)
	r.Function, r.Digest, r.Size = f.Name, f.Digest, int64(len(src.Code))
	if f.Signature != nil {
		r.Signer = f.Signature.Signer
	}
	r.judge(CheckSubjects, control.Check(&f, protocol.DefaultLine))
	r.judge(CheckSize, control.CheckSize(f.Name, r.Size, c.Module))
	r.judge(CheckTrust, c.Trust.Check(&f))
	for _, text := range src.Warnings {
		r.add(Warning, CheckSource, text)
	}
	for _, text := range control.Advice(&f, src.Code) {
		r.add(Warning, CheckGrants, text)
	}
	if c.Try == nil {
		return nil
	}
	return r.try(ctx, src, c.Try)
}

// judge takes note of what an invoker would refuse, if it is anything.
func (r *Report) judge(check string, err error) {
	if err != nil {
		r.add(Error, check, protocol.MessageOf(err))
	}
}

// try compiles a source, which finds out how its processes begin.
func (r *Report) try(ctx context.Context, src *source.Source, rt runtimes.Runtime) error {
	p, err := localrun.Compile(ctx, rt, src)
	var refused *runtimes.ModuleError
	switch {
	case errors.As(err, &refused):
		r.add(Error, CheckStart, refused.Reason)
		return nil
	case protocol.CodeOf(err) == protocol.CodeNotFound:
		r.add(Warning, CheckStart, protocol.MessageOf(err)+", so it was not tried")
		return nil
	case err != nil:
		return r.Refused(CheckStart, err)
	}
	start := p.Start()
	r.Start, r.Reason = start.Kind, start.Reason
	return p.Close(ctx)
}

// Print prints the report: a line for each finding.
func (r *Report) Print(w io.Writer, p terminal.Paint) {
	for _, f := range r.Findings {
		at := r.Path + ": "
		if strings.HasPrefix(f.Text, r.Path) || f.Check == CheckSource && f.Level == Error {
			at = "" // it says so itself
		}
		level := p.Bold(f.Level)
		if f.Level == Error {
			level = p.Red(f.Level)
		}
		terminal.Line(w, fmt.Sprintf("%s%s (%s, %s)", at, f.Text, level, f.Check))
	}
}
