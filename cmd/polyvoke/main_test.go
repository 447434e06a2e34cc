package main

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/binary"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
	"github.com/polyvoke/polyvoke/samples"
)

// patience is how long a story waits for what must happen.
const patience = time.Minute

// lifetime is how long a command of a story may run beside it: no story takes as long, on a busy machine and with the
// race detector.
const lifetime = 5 * time.Minute

// raceOptions are those of the race detector in the commands of stories. It otherwise has each of them sleep for a
// second when it ends (atexit_sleep_ms), lest a race of its last moment be lost.
const raceOptions = "atexit_sleep_ms=20"

func TestMain(m *testing.M) {
	if len(os.Args) > 1 && os.Args[1] == service.CompileModule { // a service in this process has a module compiled
		main()
	}
	if what := os.Getenv(natsChildCluster); what != "" {
		os.Exit(clusterChild(os.Getenv(natsChildStore), what))
	}
	if store := os.Getenv(natsChildStore); store != "" {
		os.Exit(natsChild(store, os.Getenv(natsChildListen)))
	}
	testscript.Main(cleaned{m}, map[string]func(){"polyvoke": main})
}

// TestScripts runs the stories of testdata/script. Besides the commands of testscript they have
//
//	serve [-name NAME] [FLAG...]   starts polyvoke serve on a free port, waits until it
//	                               serves, and sets NATS_URL; NAME_URL too if it has a name
//	                               and HTTP_URL and HTTP_ADDR if it answers HTTP
//	gateway [FLAG...]              starts polyvoke gateway on a free port, waits until functions can be called
//	                               there, and sets HTTP_URL; halt gateway ends it
//	http [-H HEADER] METHOD PATH [BODY|@FILE]
//	                               asks HTTP_URL, and prints status, headers and body of the answer
//	nats                           starts NATS without polyvoke, and sets NATS_URL
//	leaf                           starts NATS with JetStream in the domain hub and two leaf nodes of it, one
//	                               without JetStream and one with its own in the domain leaf; sets
//	                               HUB_URL, LEAF_URL and LEAF_JS_URL
//	halt [NAME]                    sends it SIGTERM, and expects that it ends well (testscript itself has
//	                               a stop, which ends the story)
//	crash [NAME]                   kills it
//	dev FOLDER [FLAG...]           starts polyvoke dev on a free port, waits until the function is live, and
//	                               sets NATS_URL
//	await TEXT                     waits until polyvoke dev has printed TEXT
//	lines                          makes lines.wasm, an interpreter, and keeps it on this machine as the runtime
//	                               toy; sets BUILT to a polyvoke that compiles it in time
//	exits CODE [<FILE] CMD...      runs a command and expects an exit code
//	until TEXT CMD...              runs a command until it prints TEXT, then interrupts it,
//	                               and expects that it ends well
//
// the files that setup makes, and the folder of the samples, $SAMPLES, which a story copies from.
func TestScripts(t *testing.T) {
	scripts(t, "testdata/script")
}

// TestDemo runs the demonstration as a user would on a machine with Go: the first time by the binary that a user
// has, $BUILT, which also fills the cache of compiled modules. Under the race detector the Go samples would
// take longer to compile than they may.
func TestDemo(t *testing.T) {
	bin := buildPolyvoke(t, t.TempDir())
	scripts(t, "testdata/demo", func(env *testscript.Env) { env.Setenv("BUILT", bin) })
}

// builtOnce is the command as users have it: without the race detector and with the profile. It is built with the
// flags of a release, so that CI compiles its packages once for both.
var builtOnce = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "polyvoke-test-")
	if err != nil {
		return "", err
	}
	cmd := exec.Command("go", "build", "-pgo=auto", "-trimpath", "-o", filepath.Join(dir, "polyvoke"), ".")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return dir, fmt.Errorf("%w\n%s", err, out)
	}
	builtIn = dir
	return dir, nil
})

// builtIn is where builtOnce has built, or "".
var builtIn string

// cleaned runs tests, and removes then what they have built.
type cleaned struct{ *testing.M }

// Run runs the tests.
func (c cleaned) Run() int {
	defer func() { _ = os.RemoveAll(builtIn) }()
	return c.M.Run()
}

// buildPolyvoke puts the command of builtOnce into a folder.
func buildPolyvoke(t *testing.T, dir string) string {
	t.Helper()
	built, err := builtOnce()
	if err != nil {
		t.Fatal(err)
	}
	bin := filepath.Join(dir, "polyvoke")
	if err := os.Link(filepath.Join(built, "polyvoke"), bin); err != nil {
		t.Fatal(err)
	}
	return bin
}

// scripts runs the stories of a folder.
func scripts(t *testing.T, dir string, setups ...func(*testscript.Env)) {
	cache := t.TempDir()
	goCache, err := exec.Command("go", "env", "GOCACHE").Output()
	if err != nil {
		t.Fatalf("these tests need the go command: %v", err)
	}
	samplesFolder, err := filepath.Abs("../../samples")
	if err != nil {
		t.Fatal(err)
	}
	toy := sync.OnceValues(func() (*toy, error) { return makeToy(t) })
	testscript.Run(t, testscript.Params{
		Dir: dir,
		Setup: func(env *testscript.Env) error {
			env.Setenv("HOME", env.Getenv("WORK"))
			env.Setenv("XDG_CACHE_HOME", cache)
			env.Setenv("NATS_TIMEOUT", "30s") // the machine may be busy with other stories
			env.Setenv("GOCACHE", strings.TrimSpace(string(goCache)))
			env.Setenv("SAMPLES", samplesFolder)
			env.Setenv("GORACE", cmp.Or(os.Getenv("GORACE"), raceOptions))
			env.Values["servers"] = map[string]*daemon{}
			for _, f := range setups {
				f(env)
			}
			return setup(env.Getenv("WORK"))
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"serve": plain(serveScript), "nats": plain(natsScript), "leaf": plain(leafScript), "halt": plain(haltScript),
			"crash": plain(crashScript), "publish": plain(publishScript),
			"gateway": plain(gatewayScript), "http": plain(httpScript),
			"exits": plain(exitsScript), "until": plain(untilScript), "again": plain(againScript),
			"readenv": plain(readenvScript), "tty": plain(ttyScript), "dev": plain(devScript), "await": plain(awaitScript),
			"lines": plain(func(ts *testscript.TestScript, _ []string) { linesScript(ts, toy) }),
		},
	})
}

// plain makes a command of f that cannot be negated.
func plain(f func(ts *testscript.TestScript, args []string)) func(*testscript.TestScript, bool, []string) {
	return func(ts *testscript.TestScript, neg bool, args []string) {
		if neg {
			ts.Fatalf("this command cannot be negated")
		}
		f(ts, args)
	}
}

// setup makes the files that stories use: the C sample, the probe (a copy of stdin to stdout, or
// what its first argument says), large.bin with 3 MB, a module that takes minutes to compile, and
// modules that are none.
func setup(dir string) error {
	all := samples.All()
	greet := all[slices.IndexFunc(all, func(s samples.Sample) bool { return s.Name == "greet-c" })].Wasm
	large := make([]byte, 3_000_000)
	random := rand.NewChaCha8([32]byte{})
	_, _ = random.Read(large)
	const magic, version1 = "\x00asm", "\x01\x00\x00\x00"
	const types, start = "\x01\x04\x01\x60\x00\x00", "\x03\x02\x01\x00"
	for name, b := range map[string][]byte{
		"greet.wasm":     greet,
		"probe.wasm":     runtimestest.Wasm(),
		"large.bin":      large,
		"padded.wasm":    padded(runtimestest.Wasm(), 2<<20),
		"text.wasm":      []byte("I am not a module.\n"),
		"truncated.wasm": greet[:len(greet)/2],
		"component.wasm": []byte(magic + "\x0d\x00\x01\x00"),
		"foreign.wasm":   []byte(magic + version1 + types + "\x02\x0d\x01\x03env\x05ouija\x00\x00"),
		"bomb.wasm":      bomb(10_000, 100),
		"none.wasm":      []byte(none),
		"nostart.wasm":   []byte(magic + version1 + types + start + "\x0a\x04\x01\x02\x00\x0b"),
	} {
		if err := os.WriteFile(filepath.Join(dir, name), b, 0o600); err != nil {
			return err
		}
	}
	return nil
}

// none is a module that writes "none" to stdout and ends with exit code 1: fd_write, then proc_exit.
const none = "\x00asm\x01\x00\x00\x00\x01\x10\x03`\x04\x7f\x7f\x7f\x7f\x01\x7f`\x01\x7f\x00`\x00\x00" +
	"\x02F\x02\x16wasi_snapshot_preview1\bfd_write\x00\x00" +
	"\x16wasi_snapshot_preview1\tproc_exit\x00\x01" +
	"\x03\x02\x01\x02\x05\x03\x01\x00\x01\a\x13\x02\x06_start\x00\x02\x06memory\x02\x00" +
	"\n\x14\x01\x12\x00A\x01A\x00A\x01A\b\x10\x00\x1aA\x81\x00\x10\x01\v" +
	"\v\x17\x01\x00A\x00\v\x11\f\x00\x00\x00\x05\x00\x00\x00\x00\x00\x00\x00none\n"

// bomb returns a function of loops in a row, each of which changes one of fewer than 128 variables:
// little to read, much to compile.
func bomb(loops, variables int) []byte {
	code := "\x01" + string([]byte{byte(variables)}) + "\x7f"
	for i := range loops {
		v := string([]byte{byte(i % variables)})
		code += "\x03\x40\x20" + v + "\x41\x01\x6a\x22" + v + "\x0d\x00\x0b" // while (v += 1);
	}
	code += "\x0b"
	b := []byte("\x00asm\x01\x00\x00\x00\x01\x04\x01\x60\x00\x00\x03\x02\x01\x00\x05\x03\x01\x00\x01" +
		"\x07\x13\x02\x06_start\x00\x00\x06memory\x02\x00")
	body := append(binary.AppendUvarint([]byte{1}, uint64(len(code))), code...)
	return append(binary.AppendUvarint(append(b, 10), uint64(len(body))), body...)
}

// padded returns a module with a custom section of n bytes behind it.
func padded(wasm []byte, n int) []byte {
	section := append([]byte{4}, "fill"...)
	random := rand.NewChaCha8([32]byte{})
	fill := make([]byte, n)
	_, _ = random.Read(fill)
	section = append(section, fill...)
	out := append(slices.Clone(wasm), 0)
	size := len(section)
	for ; size >= 0x80; size >>= 7 {
		out = append(out, byte(size)|0x80)
	}
	return append(append(out, byte(size)), section...)
}

// daemon is a polyvoke that serves.
type daemon struct {
	cmd  *exec.Cmd
	done chan error
	log  *safeBuffer

	lines chan string // of polyvoke dev
}

// safeBuffer is a buffer for two goroutines.
type safeBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *safeBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *safeBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

// command makes a command in the story's folder and environment.
func command(ts *testscript.TestScript, args ...string) *exec.Cmd {
	cmd := exec.Command(args[0], args[1:]...)
	cmd.Dir = ts.MkAbs(".")
	names := []string{"HOME", "PATH", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "GOCACHE", "GORACE", "NATS_TIMEOUT",
		"NO_COLOR", "CLICOLOR_FORCE"}
	for _, w := range new(connect.Settings).Words() {
		names = append(names, w.Env)
	}
	for _, k := range names {
		cmd.Env = append(cmd.Env, k+"="+ts.Getenv(k))
	}
	return cmd
}

// begin starts a command of a story and returns lines of its stdout.
func begin(ts *testscript.TestScript, cmd *exec.Cmd) (*daemon, *bufio.Scanner) {
	d, lines, end, err := start(cmd)
	ts.Check(err)
	ts.Defer(end)
	return d, lines
}

// start starts a command. Lines are those of its stdout; end kills it if it still runs.
func start(cmd *exec.Cmd) (d *daemon, lines *bufio.Scanner, end func(), err error) {
	d = &daemon{cmd: cmd, done: make(chan error, 1), log: &safeBuffer{}}
	cmd.Stderr = d.log
	out, in := io.Pipe()
	cmd.Stdout = in
	if err := cmd.Start(); err != nil {
		return nil, nil, nil, err
	}
	go func() {
		err := cmd.Wait()
		in.Close()
		d.done <- err
	}()
	// A watchdog, so that a command that says nothing ends, and with it the wait for its lines.
	watchdog := time.AfterFunc(lifetime, func() { _ = cmd.Process.Kill() })
	return d, bufio.NewScanner(out), func() {
		watchdog.Stop()
		_ = cmd.Process.Kill()
		_, _ = io.Copy(io.Discard, out)
	}, nil
}

// servingURL reads lines until one says where a server serves, and drops those behind it. It
// returns "" if there is none.
func servingURL(lines *bufio.Scanner) string {
	for lines.Scan() {
		if m := serving.FindStringSubmatch(lines.Text()); m != nil {
			go func() {
				for lines.Scan() {
				}
			}()
			return m[1]
		}
	}
	return ""
}

var serving = regexp.MustCompile(`serves \d+ functions? on (nats://\S+)`)

// serveScript is the command serve.
func serveScript(ts *testscript.TestScript, args []string) {
	name := ""
	if len(args) > 1 && args[0] == "-name" {
		name, args = args[1], args[2:]
	}
	words := []string{"polyvoke", "serve"}
	if !slices.Contains(args, "--server") {
		words = append(words, "--listen", "127.0.0.1:0", "--store", ts.MkAbs("store"+name))
	}
	d, lines := begin(ts, command(ts, append(words, args...)...))
	if slices.Contains(args, "--http") {
		url := httpURLOf(lines)
		ts.Setenv("HTTP_URL", url)
		ts.Setenv("HTTP_ADDR", strings.TrimPrefix(url, "http://"))
	}
	url := servingURL(lines)
	if url == "" {
		ts.Fatalf("polyvoke serve does not serve: %s", d.log)
	}
	ts.Setenv("NATS_URL", url)
	ts.Setenv(name+"_URL", url)
	ts.Value("servers").(map[string]*daemon)[name] = d
}

// natsScript is the command nats.
func natsScript(ts *testscript.TestScript, args []string) {
	s, err := natsd.Start(natsd.Config{Listen: "127.0.0.1:0", Store: ts.MkAbs("nats")})
	ts.Check(err)
	ts.Defer(s.Close)
	ts.Setenv("NATS_URL", s.URL())
}

// server returns a server by its name.
func server(ts *testscript.TestScript, args []string) *daemon {
	d := ts.Value("servers").(map[string]*daemon)[strings.Join(args, " ")]
	if d == nil {
		ts.Fatalf("no server %q", args)
	}
	return d
}

// haltScript is the command halt.
func haltScript(ts *testscript.TestScript, args []string) {
	d := server(ts, args)
	ts.Check(d.cmd.Process.Signal(syscall.SIGTERM))
	if err := d.wait(); err != nil {
		ts.Fatalf("polyvoke serve ended with %v\n%s", err, d.log)
	}
}

// crashScript is the command crash.
func crashScript(ts *testscript.TestScript, args []string) {
	d := server(ts, args)
	ts.Check(d.cmd.Process.Kill())
	if d.wait() == nil {
		ts.Fatalf("polyvoke serve ended well although it was killed")
	}
}

// wait waits for the process; its watchdog bounds that.
func (d *daemon) wait() error { return <-d.done }

// exitsScript is the command exits.
func exitsScript(ts *testscript.TestScript, args []string) {
	want, err := strconv.Atoi(args[0])
	ts.Check(err)
	args = args[1:]
	input := ""
	if file, ok := strings.CutPrefix(args[0], "<"); ok {
		input, args = ts.ReadFile(file), args[1:]
	}
	cmd := command(ts, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(input), ts.Stdout(), ts.Stderr()
	ts.Check(cmd.Start())
	watchdog := time.AfterFunc(patience, func() { _ = cmd.Process.Kill() })
	defer watchdog.Stop()
	_ = cmd.Wait() // the exit code says it all
	if got := cmd.ProcessState.ExitCode(); got != want {
		ts.Fatalf("exit code %d, want %d", got, want)
	}
}

// againScript is the command again: it runs a command again and again, until its stdout has a text.
func againScript(ts *testscript.TestScript, args []string) {
	for end := time.Now().Add(patience); ; {
		out, err := command(ts, args[1:]...).Output()
		if strings.Contains(string(out), args[0]) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("%q does not come: %v: %s", args[0], err, out)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

// untilScript is the command until.
func untilScript(ts *testscript.TestScript, args []string) {
	d, lines := begin(ts, command(ts, args[1:]...))
	for lines.Scan() {
		ts.Logf("%s", lines.Text())
		if strings.Contains(lines.Text(), args[0]) {
			ts.Check(d.cmd.Process.Signal(os.Interrupt))
			for lines.Scan() {
			}
			if err := d.wait(); err != nil {
				ts.Fatalf("it ended with %v: %s", err, d.log)
			}
			return
		}
	}
	ts.Fatalf("it ended before it printed %q: %s", args[0], d.log)
}
