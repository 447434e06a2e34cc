package doctor

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/interpreters"
	"github.com/polyvoke/polyvoke/cmd/internal/modulecache"
	"github.com/polyvoke/polyvoke/cmd/internal/project"
	"github.com/polyvoke/polyvoke/cmd/internal/source"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

const (
	// dialTime is how long a server on this machine may take to say what it is.
	dialTime = 500 * time.Millisecond
	// toolTime is how long the tool chain may take to show that it works.
	toolTime = 5 * time.Second
	// largeCache is worth a word.
	largeCache = 2 << 30
)

// checkMachine looks at folders, the function at hand, and ports.
func (c *Config) checkMachine(ctx context.Context) (r results) {
	c.checkCache(&r)
	c.checkData(&r)
	c.checkPort(ctx, &r)
	c.checkRuntimes(&r)
	c.checkFolder(ctx, &r)
	return r
}

// checkCache looks at the folder of compiled modules.
func (c *Config) checkCache(r *results) {
	if c.Cache == "" {
		r.add("cache", Warning, "there is no cache folder: modules are compiled again at each start",
			"set HOME or XDG_CACHE_HOME, or give --cache")
		return
	}
	if problem, remedy := writable(c.Cache); problem != "" {
		r.add("cache", Problem, problem, remedy)
		return
	}
	cache, err := modulecache.Read(c.Cache)
	if err != nil {
		r.add("cache", Problem, fmt.Sprintf("%s cannot be read: %v", c.Cache, err),
			"chown it to this user, or name another folder with --cache")
		return
	}
	unused, bytes := cache.Unused()
	found := fmt.Sprintf("%s, %s, %s", c.Cache, terminal.Plural(len(cache.Entries), "compiled module"),
		terminal.Bytes(cache.Size))
	if len(unused) > 0 && bytes > largeCache {
		r.add("cache", Warning, found+", "+terminal.Bytes(bytes)+" of it unused",
			"polyvoke cache clear --unused")
		return
	}
	r.ok("cache", "%s", found)
}

// checkData looks at the folder of the server that polyvoke serve brings.
func (c *Config) checkData(r *results) {
	if c.Data == "" {
		r.add("data", Warning, "there is no folder for data", "set HOME, or start polyvoke serve with --store")
		return
	}
	if problem, remedy := writable(c.Data); problem != "" {
		r.add("data", Problem, problem, strings.ReplaceAll(remedy, "--cache", "--store"))
		return
	}
	r.ok("data", "%s, for polyvoke serve", c.Data)
}

// writable says why a folder cannot be used, if that is so. One that does not exist can if it can be made.
func writable(dir string) (problem, remedy string) {
	info, err := os.Stat(dir)
	if errors.Is(err, fs.ErrNotExist) {
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", ""
		}
		return writable(parent)
	}
	switch {
	case err != nil:
		return fmt.Sprintf("%s cannot be examined: %v", dir, err), "name another folder with --cache"
	case !info.IsDir():
		return dir + " is a file, and must be a folder", "remove it, or name another folder with --cache"
	}
	f, err := os.CreateTemp(dir, ".doctor-*")
	if err != nil {
		return dir + " cannot be written", "chown it to this user, or name another folder with --cache"
	}
	f.Close()
	os.Remove(f.Name())
	if mode := info.Mode().Perm(); mode&0o022 != 0 && mode&fs.ModeSticky == 0 && runtime.GOOS != "windows" &&
		strings.HasSuffix(dir, "modules") {
		return fmt.Sprintf("%s can be written by others (mode %04o), who could put code into it", dir, mode),
			"chmod go-w " + dir
	}
	return "", ""
}

// checkPort looks whether polyvoke serve could listen where it does by default.
func (c *Config) checkPort(ctx context.Context, r *results) {
	l, err := net.Listen("tcp", c.Listen)
	if err == nil {
		l.Close()
		r.ok("port", "%s is free, for polyvoke serve", c.Listen)
		return
	}
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	if who := greeting(ctx, c.Listen); who != "" {
		r.ok("port", "%s has %s", c.Listen, who)
		return
	}
	r.add("port", Warning, c.Listen+" is taken by a program that is not a NATS server",
		"end it, or start polyvoke serve with --listen 127.0.0.1:4333 and give clients --server nats://127.0.0.1:4333")
}

// greeting returns which NATS server listens on an address, or "" if what is there is none.
func greeting(ctx context.Context, addr string) string {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", addr)
	if err != nil {
		return ""
	}
	defer conn.Close()
	deadline, _ := ctx.Deadline()
	_ = conn.SetDeadline(deadline)
	const longest = 64 << 10
	line, err := bufio.NewReaderSize(conn, longest).ReadSlice('\n')
	text, ok := strings.CutPrefix(string(line), "INFO ")
	if err != nil || !ok {
		return ""
	}
	var info struct {
		Version string `json:"version"`
	}
	if json.Unmarshal([]byte(text), &info) != nil {
		return ""
	}
	return "NATS " + info.Version
}

// checkRuntimes looks for what runs scripts here.
func (c *Config) checkRuntimes(r *results) {
	var names []string
	for _, i := range interpreters.Here().List() {
		names = append(names, i.Name+" "+i.Version)
	}
	if names == nil {
		r.add("runtimes", Note, "no runtime for scripts is on this machine",
			"polyvoke runtime get NAME gets one; compiled functions need none")
		return
	}
	r.ok("runtimes", "%s", strings.Join(names, ", "))
}

// checkFolder looks at the function in the folder, if there is one.
func (c *Config) checkFolder(ctx context.Context, r *results) {
	path := filepath.Join(c.Folder, project.ManifestName)
	if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		r.add("manifest", Note, "there is no "+project.ManifestName+" in this folder",
			"polyvoke new makes a folder with one; polyvoke deploy FILE.wasm needs none")
		return
	}
	p, err := project.Open(path)
	if err != nil {
		r.add("manifest", Problem, err.Error(), "correct the file")
		return
	}
	if p.Script == "" {
		c.checkTools(ctx, r, p)
		if _, err := os.Stat(p.Module); err != nil {
			r.add("manifest", Note, fmt.Sprintf("%s: %s is not there yet", path, p.Module), "polyvoke build makes it")
			return
		}
	}
	src, err := source.Read(path, "", "")
	if err != nil {
		r.add("manifest", Problem, err.Error(), "correct the file")
		return
	}
	r.ok("manifest", "%s: the function %s, %s", path, src.Function.Name, terminal.Bytes(int64(len(src.Code))))
	c.checkScript(r, p, src)
}

// checkScript looks for the runtime of a script.
func (c *Config) checkScript(r *results, p *project.Project, src *source.Source) {
	if p.Script == "" {
		return
	}
	name := src.Function.Runtime
	if _, err := interpreters.Here().Info(name); err != nil {
		r.add("runtime", Warning, name+" is not on this machine, so polyvoke run cannot run the script here",
			interpreters.Remedy(name))
		return
	}
	r.ok("runtime", "%s is on this machine", name)
}

// checkTools looks for the compiler of a project.
func (c *Config) checkTools(ctx context.Context, r *results, p *project.Project) {
	ctx, cancel := context.WithTimeout(ctx, toolTime)
	defer cancel()
	language, err := p.Tools(ctx)
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		r.add("tool chain", Warning,
			"the compiler of "+language+" did not answer within "+toolTime.String(),
			"polyvoke build waits longer")
	case err != nil:
		r.add("tool chain", Problem, err.Error(), "install it, or build elsewhere and copy the module here")
	case language == "":
		r.ok("tool chain", "build.command in %s says what to run", p.Manifest)
	default:
		r.ok("tool chain", "that of %s works", language)
	}
}
