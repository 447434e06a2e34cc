package wasi_test

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/runtimes"
	"github.com/polyvoke/polyvoke/runtimes/files"
)

// spy is a guest that carries secrets from call to call wherever it can; testdata/spies/README.md describes them.
type spy struct {
	name   string
	wasm   func() ([]byte, error)
	calls  int    // that plain go test makes for each start kind
	memory uint64 // limit
	byes   bool   // it says bye when it ends well
}

// spies returns all of them.
func spies() []spy {
	return []spy{
		{"C", committed("c"), 1500, 8 << 20, true},
		{"Rust", committed("rust"), 1000, 8 << 20, true},
		{"Go", goSpy, 120, 32 << 20, false},
	}
}

// committed returns a function that reads a module of the repository.
func committed(lang string) func() ([]byte, error) {
	return func() ([]byte, error) { return os.ReadFile(filepath.Join("testdata", "spies", lang, "spy.wasm")) }
}

// goSpy builds the spy in Go, once.
var goSpy = sync.OnceValues(func() ([]byte, error) {
	out := filepath.Join(cacheDir, "spy.wasm")
	cmd := exec.Command("go", "build", "-trimpath", "-ldflags=-s -w", "-o", out, "./testdata/spies/go")
	cmd.Env = append(os.Environ(), "GOOS=wasip1", "GOARCH=wasm", "GOFLAGS=")
	if b, err := cmd.CombinedOutput(); err != nil {
		return nil, errors.New(err.Error() + "\n" + string(b))
	}
	return os.ReadFile(out)
})

// module returns the spy's module.
func (s spy) module(t testing.TB) []byte {
	t.Helper()
	b, err := s.wasm()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

const (
	mark       = 0xb7     // 15 of them and a secret are a record
	prefix     = "sEcReT" // of every secret
	secretSize = 16
	outputCap  = 64 << 10
)

// mission is one call of a spy: what it is given, and what comes of it.
type mission struct {
	mode, secret string
	timeout      time.Duration // 0 means a minute
	process      *runtimes.Process
	out, log     bytes.Buffer
	err          error

	cancel func()
	hidden bool // the spy has said that it is done but for its end
}

// newMission returns a mission with a secret of its own.
func newMission(mode string) *mission {
	return &mission{mode: mode, secret: prefix + rand.Text()[:secretSize-len(prefix)], timeout: time.Minute}
}

// record returns the secret as spies look for it.
func (m *mission) record() []byte {
	b := bytes.Repeat([]byte{mark}, 15)
	return append(append(b, m.secret...), mark)
}

// run sends the spy out.
func (m *mission) run(ctx context.Context, g runtimes.Program) {
	ctx, m.cancel = context.WithTimeout(ctx, m.timeout)
	defer m.cancel()
	told := m.mode
	if told == "late" {
		told = "loop"
	}
	body := fmt.Sprintf("%-16s%s%s", told, m.secret, bytes.Repeat(m.record(), 256))
	o := spy{}.options("") // the usual arguments
	m.process = &runtimes.Process{
		Args: o.Args, Env: o.Env,
		Stdin:  strings.NewReader(body),
		Stdout: &runtimes.CapWriter{W: m, N: outputCap},
		Stderr: &runtimes.CapWriter{W: &m.log, N: outputCap},
		Files:  files.Static(files.Map{"id": m.record(), "headers/Secret": m.record()}),
	}
	m.err = g.Run(ctx, m.process)
}

// Write takes the spy's output. A spy that would never end is stopped once its secret is hidden.
func (m *mission) Write(b []byte) (int, error) {
	m.out.Write(b)
	if !m.hidden && bytes.Contains(m.out.Bytes(), []byte("\nhidden\n")) {
		m.hidden = true
		if m.mode == "loop" || m.mode == "sleep" {
			m.cancel()
		}
	}
	return len(b), nil
}

// report is what a spy has said.
type report struct {
	took        time.Duration
	start, call string            // what it has drawn at random before its first read, and after it
	state       map[string]string // by name
	found       map[string]string // secrets of others by place
}

// lines are what a spy says of itself.
var lines = regexp.MustCompile(`(?s)^spy (\w+)\nstart (\w+)\ncall (\w+)\nstate ([^\n]*)\n(.*?)hidden\n`)

// read reads the output of a spy. It returns complaints about what does not look like a report. Each complaint begins
// with the place that it is about, and a colon.
func (m *mission) read() (report, []string) {
	r := report{state: map[string]string{}, found: map[string]string{}}
	parts := lines.FindSubmatch(m.out.Bytes())
	if parts == nil {
		return r, []string{fmt.Sprintf("report: none but %.300q", m.out.Bytes())}
	}
	var bad []string
	if string(parts[1]) != m.secret {
		bad = append(bad, fmt.Sprintf("report: it was told %s and says %s", m.secret, parts[1]))
	}
	r.start, r.call = string(parts[2]), string(parts[3])
	for _, word := range strings.Fields(string(parts[4])) {
		name, value, _ := strings.Cut(word, "=")
		r.state[name] = value
	}
	for line := range strings.Lines(string(parts[5])) {
		if words := strings.Fields(line); len(words) == 3 && words[0] == "found" {
			r.found[words[1]] = words[2]
		} else {
			bad = append(bad, fmt.Sprintf("report: it says %q", line))
		}
	}
	return r, bad
}

// secrets are what all secrets look like.
var secrets = regexp.MustCompile(prefix + `[A-Z2-7]*`)

// judge returns complaints about what has crossed from another call to this one. Its state must be that of usual.
func (m *mission) judge(s spy, usual report) (report, []string) {
	var bad []string
	for what, b := range map[string][]byte{"stdout": m.out.Bytes(), "stderr": m.log.Bytes()} {
		for _, other := range secrets.FindAll(b, -1) {
			if !strings.HasPrefix(m.secret, string(other)) { // the cap may cut one
				bad = append(bad, fmt.Sprintf("%s: it has the secret %s", what, other))
				break
			}
		}
	}
	if !m.hidden && m.mode == "late" {
		if bytes.Contains(m.out.Bytes(), []byte("\nfound ")) {
			bad = append(bad, fmt.Sprintf("report: it says %q", m.out.Bytes()))
		}
		return report{}, bad
	}
	r, wrong := m.read()
	bad = append(bad, wrong...)
	for place, secret := range r.found {
		bad = append(bad, fmt.Sprintf("%s: it has the secret %s", place, secret))
	}
	for name, want := range usual.state {
		if got := r.state[name]; got != want {
			bad = append(bad, fmt.Sprintf("%s: %s, in a new process %s", name, got, want))
		}
	}
	if n := bytes.Count(m.out.Bytes(), []byte("bye\n")); s.byes && n != m.byes() {
		bad = append(bad, fmt.Sprintf("handlers: %d ran at the end, not %d", n, m.byes()))
	}
	return r, bad
}

// byes is how many handlers run at the end.
func (m *mission) byes() int {
	switch m.mode {
	case "return", "unread", "exit":
		return 1
	}
	return 0
}

// ending returns a complaint if the spy has not ended as its mode says, or "".
func (m *mission) ending() string {
	var exit *runtimes.ExitError
	var trap *runtimes.TrapError
	ok := false
	switch m.mode {
	case "return", "unread", "close":
		ok = m.err == nil
	case "exit":
		ok = errors.As(m.err, &exit) && exit.Code == 7
	case "trap":
		ok = errors.As(m.err, &trap)
	case "panic":
		ok = errors.As(m.err, &trap) || errors.As(m.err, &exit) && exit.Code == 2
	case "loop", "sleep":
		ok = errors.Is(m.err, context.Canceled)
	case "late":
		ok = errors.Is(m.err, context.DeadlineExceeded)
	case "recurse", "hoard":
		ok = errors.As(m.err, &trap) || errors.Is(m.err, runtimes.ErrMemory)
	case "flood":
		ok = errors.Is(m.err, runtimes.ErrOutput)
	}
	if ok {
		return ""
	}
	return fmt.Sprintf("end: mode %s ended with the error %v", m.mode, m.err)
}
