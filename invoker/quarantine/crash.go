package quarantine

import (
	"bytes"
	"context"
	"os"
	"regexp"
	"runtime/debug"
	"runtime/pprof"
	"strconv"
	"strings"
)

// labelKey is the key of the label that the goroutines of a module have, for its digest. Go prints the labels of a
// goroutine that crashes; profiles have them, too.
const labelKey = "module"

// labelled returns a context with a module's label, for pprof.SetGoroutineLabels.
func (d digest) labelled() context.Context {
	return pprof.WithLabels(context.Background(), pprof.Labels(labelKey, d.String()))
}

// recordCrash has Go write into a file why it crashes, if it does, with the labels of the goroutine.
func recordCrash(path string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer f.Close() // Go duplicates the descriptor
	const setting = "tracebacklabels=1"
	if v := os.Getenv("GODEBUG"); !strings.Contains(v, setting) {
		err = os.Setenv("GODEBUG", strings.TrimPrefix(v+","+setting, ",")) // Go reads it again
	}
	if err != nil {
		return err
	}
	return debug.SetCrashOutput(f, debug.CrashOptions{})
}

// crash is what Go wrote about its end. The zero crash is that of a process that was killed: nothing.
type crash struct {
	reason string // the first line
	module string // the digest of the module whose goroutine crashed, or "" if none is named
	raised bool   // the process raised the signal itself; nobody sent it
}

// What a crash says: a signal with its code, which is positive if the kernel raised it for a fault; the first
// goroutine, which is the one that crashed; and that a resource was exhausted. A line of a panic's own text never
// begins so: Go indents it.
var (
	signalCode = regexp.MustCompile(`(?m)^PC=\S+ m=\S+ sigcode=(-?\d+)`)
	goroutine  = regexp.MustCompile(`(?m)^goroutine \d+ .*`)
	label      = regexp.MustCompile(`labels:\{.*"?` + labelKey + `"?: "?(sha256:[0-9a-f]{64})\b`)
	exhausted  = regexp.MustCompile(
		`(?i)^(fatal error|runtime):.*(memory|new OS thread|newosproc|thread exhaustion|program exceeds)`)
)

// readCrash reads what Go wrote. A module that finds a resource exhausted need not be the one that took it, so such a
// crash names no module.
func readCrash(text []byte) crash {
	first, _, _ := bytes.Cut(text, []byte("\n"))
	c := crash{reason: string(first), raised: len(text) > 0}
	if m := signalCode.FindSubmatch(text); m != nil {
		code, err := strconv.Atoi(string(m[1]))
		c.raised = err == nil && code > 0
	}
	if m := label.FindSubmatch(goroutine.Find(text)); m != nil && c.raised && !exhausted.Match(text) {
		c.module = string(m[1])
	}
	return c
}
