package main

import (
	"bytes"
	"context"
	"crypto/sha256"
	"debug/buildinfo"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// binary is the command, built for a platform.
type binary struct {
	platform
	path string
	info *buildinfo.BuildInfo
}

// release is a release in the making.
type release struct {
	*options
	commit   string    // in full
	date     time.Time // of the commit: what is built of it must not depend on the day
	binaries []*binary
	modules  []*module // what is in any of the binaries
	files    []string  // what is published, in o.out, in the order of being made
}

// semVer is a version as Go and Git write it.
var semVer = regexp.MustCompile(`^v(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)(-[0-9A-Za-z.-]+)?(\+[0-9A-Za-z.-]+)?$`)

// newRelease empties the folder of the release and asks Git what it is a release of.
func newRelease(ctx context.Context, o *options) (*release, error) {
	r := &release{options: o}
	if r.version == "" {
		v, err := r.describe(ctx)
		if err != nil {
			return nil, err
		}
		r.version = v
	}
	if !semVer.MatchString(r.version) {
		return nil, fmt.Errorf("%q is not a version: it must look like v1.2.3", r.version)
	}
	head, err := r.git(ctx, "log", "-1", "--format=%H %ct")
	if err != nil {
		return nil, err
	}
	commit, seconds, _ := strings.Cut(head, " ")
	r.commit = commit
	unix, err := strconv.ParseInt(seconds, 10, 64)
	if err != nil {
		return nil, fmt.Errorf("the time of the commit: %w", err)
	}
	r.date = time.Unix(unix, 0).UTC()
	if err := os.RemoveAll(o.out); err != nil {
		return nil, err
	}
	return r, os.MkdirAll(o.out, 0o755)
}

// describe returns the version that Git knows: v1.2.3 at a tag, v1.2.3-4-gabcdef behind it, v0.0.0-gabcdef without one.
func (r *release) describe(ctx context.Context) (string, error) {
	v, err := r.git(ctx, "describe", "--tags", "--always", "--dirty", "--match", "v[0-9]*")
	if err != nil {
		return "", err
	}
	if !semVer.MatchString(v) {
		v = "v0.0.0-g" + v
	}
	return v, nil
}

// git returns what a Git command prints.
func (r *release) git(ctx context.Context, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir = r.source
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("git %s in %s: %w: a release is made in a Git work tree with a commit",
			strings.Join(args, " "), r.source, problem(err))
	}
	return strings.TrimSpace(string(out)), nil
}

// problem returns the error of a command with what it wrote to stderr.
func problem(err error) error {
	if exit, ok := err.(*exec.ExitError); ok && len(exit.Stderr) > 0 {
		return fmt.Errorf("%w: %s", err, bytes.TrimSpace(exit.Stderr))
	}
	return err
}

// environment returns that of the Go tool: nothing that a user has set changes what is built.
func environment(p platform) []string {
	return append(os.Environ(), "CGO_ENABLED=0", "GOOS="+p.os, "GOARCH="+p.arch,
		"GOFLAGS=", "GOEXPERIMENT=", "GOAMD64=", "GOARM64=", "GOWORK=off")
}

// build builds the command for each platform. What it is built of is linked in by name and not left to -buildvcs, which
// is silent in a Git worktree: there, too, the bytes must be the same.
func (r *release) build(ctx context.Context) error {
	flags := fmt.Sprintf("-ldflags=-s -w -X main.released=%s -X main.releasedCommit=%s -X main.releasedDate=%s",
		r.version, r.commit, r.date.Format(time.RFC3339))
	for _, p := range r.platforms {
		file := filepath.Join(r.out, "bin", p.name(), "polyvoke")
		if p.os == "windows" {
			file += ".exe"
		}
		path, err := filepath.Abs(file)
		if err != nil {
			return err
		}
		cmd := exec.CommandContext(ctx, "go", "build",
			"-trimpath", "-buildvcs=false", "-pgo="+r.pgo, flags, "-o", path, "./cmd/polyvoke")
		cmd.Dir, cmd.Env = r.source, environment(p)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("go build for %s: %w\n%s", p, err, out)
		}
		info, err := buildinfo.ReadFile(path)
		if err != nil {
			return err
		}
		r.binaries = append(r.binaries, &binary{p, path, info})
	}
	return nil
}

// runtimes adds the runtimes of scripts, if some have been built.
func (r *release) runtimes(context.Context) error {
	zips, err := filepath.Glob(filepath.Join(r.options.runtimes, "*.runtime.zip"))
	if err != nil {
		return err
	}
	for _, zip := range zips {
		b, err := os.ReadFile(zip)
		if err != nil {
			return err
		}
		if err := r.publish(filepath.Base(zip), b); err != nil {
			return err
		}
	}
	return nil
}

// sums writes SHA256SUMS, which sha256sum -c reads.
func (r *release) sums(context.Context) error {
	var text bytes.Buffer
	for _, name := range slices.Sorted(slices.Values(r.files)) {
		b, err := os.ReadFile(filepath.Join(r.out, name))
		if err != nil {
			return err
		}
		fmt.Fprintf(&text, "%x  %s\n", sha256.Sum256(b), name)
	}
	return r.publish("SHA256SUMS", text.Bytes())
}

// publish writes a file of the release.
func (r *release) publish(name string, b []byte) error {
	r.files = append(r.files, name)
	return os.WriteFile(filepath.Join(r.out, name), b, 0o644)
}
