package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// kills is how often TestKill kills the server.
const kills = 20

// victim is a server that is killed while it is used.
type victim struct {
	t     *testing.T
	dir   string
	url   string
	tried int // the number of the last deployment that was begun
	acked int // the number of the last deployment that was confirmed
}

// TestKill kills serve during deploys and calls, again and again. Each time it must start again with
// every deployment that was confirmed, and with no version that is half there.
func TestKill(t *testing.T) {
	v := &victim{t: t, dir: t.TempDir()}
	if err := setup(v.dir); err != nil {
		t.Fatal(err)
	}
	for range kills {
		v.round()
	}
	t.Logf("%d deployments, %d confirmed", v.tried, v.acked)
	if v.acked < kills {
		t.Errorf("only %d deployments were confirmed: too few to show anything", v.acked)
	}
}

// round starts the server, checks what it has, uses it, and kills it.
func (v *victim) round() {
	cmd := exec.Command("polyvoke", "serve", "--listen", "127.0.0.1:0", "--store", filepath.Join(v.dir, "store"))
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+v.dir)
	d, lines, end, err := start(cmd)
	if err != nil {
		v.t.Fatal(err)
	}
	defer end()
	if v.url = servingURL(lines); v.url == "" {
		v.t.Fatalf("it does not start again: %s", d.log)
	}
	v.check()

	var users sync.WaitGroup
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	confirmed := make(chan struct{}, 1)
	users.Go(func() { v.deploys(ctx, confirmed) })
	users.Go(func() {
		for ctx.Err() == nil {
			v.run(ctx, "call", "victim", "hello")
		}
	})
	select {
	case <-confirmed:
	case <-ctx.Done():
		v.t.Fatalf("nothing could be deployed: %s", d.log)
	}
	// The moment is drawn by lot: anywhere in the next deployments.
	<-time.After(rand.N(60 * time.Millisecond))
	if err := d.cmd.Process.Kill(); err != nil {
		v.t.Fatal(err)
	}
	_ = d.wait() // it was killed
	cancel()
	users.Wait()
}

// run runs a command against the server and returns its exit code and output.
func (v *victim) run(ctx context.Context, args ...string) (int, string) {
	var stdout, stderr bytes.Buffer
	env := map[string]string{"NATS_URL": v.url, "HOME": v.dir}
	code := run(ctx, args, strings.NewReader(""), &stdout, &stderr, func(k string) string { return env[k] })
	return code, stdout.String() + stderr.String()
}

// deploys deploys version after version, a small module and a large one in turn, until it fails.
func (v *victim) deploys(ctx context.Context, confirmed chan<- struct{}) {
	for ctx.Err() == nil {
		v.tried++
		file := []string{"probe.wasm", "padded.wasm"}[v.tried%2]
		code, _ := v.run(ctx, "deploy", filepath.Join(v.dir, file), "--name", "victim", "--env", fmt.Sprint("NUMBER=", v.tried))
		if code != 0 {
			return
		}
		v.acked = v.tried
		select {
		case confirmed <- struct{}{}:
		default:
		}
	}
}

// check checks that the function is what was confirmed last, or what was tried since, and that each
// version that is there can be called.
func (v *victim) check() {
	v.t.Helper()
	ctx, cancel := context.WithTimeout(v.t.Context(), patience)
	defer cancel()
	if v.acked == 0 {
		return
	}
	code, out := v.run(ctx, "info", "victim", "--json")
	var i protocol.InfoReply
	if err := json.Unmarshal([]byte(out), &i); code != 0 || err != nil {
		v.t.Fatalf("info: exit %d, %v: %s", code, err, out)
	}
	if n, _ := strconv.Atoi(i.Function.Env["NUMBER"]); n < v.acked || n > v.tried {
		v.t.Errorf("deployment %d is there; %d was confirmed, %d was tried", n, v.acked, v.tried)
	}
	for _, f := range i.Versions[max(0, len(i.Versions)-4):] {
		if code, out := v.run(ctx, "call", f.Ref().String(), "hello"); code != 0 || out != "hello" {
			v.t.Errorf("%s: exit %d: %s", f.Ref(), code, out)
		}
	}
}
