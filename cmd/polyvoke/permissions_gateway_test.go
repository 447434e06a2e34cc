package main

import (
	"bufio"
	"context"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// TestPermissionsOfGateway has a gateway do all that it can, as the user that docs/permissions.md shows.
func TestPermissionsOfGateway(t *testing.T) {
	users := "users = [\n" + string(configuration(t, "gateway.conf"))
	conf := strings.Replace(string(configuration(t, "strict.conf")), "users = [", users, 1)
	conf = strings.Replace(conf, `publish: ["_INBOX.caller.>"`, `publish: ["_INBOX.gateway.>", "_INBOX.caller.>"`, 1)
	g := guardBy(t, []byte(conf))
	g.deployAll(t)
	code, said := g.polyvoke(t, "admin", "x", "key", "create", "--rate", "100/s")
	if code != 0 {
		t.Fatalf("key create: %d: %s", code, said)
	}
	key := ""
	for _, word := range strings.Fields(said) {
		if strings.HasPrefix(word, "pv_") {
			key = word
		}
	}
	url, log := g.gateway(t)
	large := strings.Repeat("x", 3<<20)
	for _, c := range []struct {
		method, path, body string
		status             int
		want               string
	}{
		{"GET", "/readyz", "", 200, "ok"},
		{"POST", "/fn/echo", "hi", 200, "hi"},
		{"POST", "/fn/echo", large, 200, large},
		{"POST", "/job/echo", "hi", 202, "job"},
		{"POST", "/job/echo", large, 202, "job"},
		{"GET", "/_/", "", 200, "echo"},
	} {
		status, location, body := ask(t, c.method, url+c.path, key, c.body)
		if status != c.status || !strings.Contains(body, c.want) {
			t.Errorf("%s %s: %d: %.500s\n%s", c.method, c.path, status, body, log.text())
			continue
		}
		if location == "" {
			continue
		}
		if _, _, outcome := ask(t, "GET", url+location, key, ""); !strings.Contains(outcome, c.body) {
			t.Errorf("the job %s: %.500s\n%s", location, outcome, log.text())
		}
	}
	if said := strings.ToLower(log.text()); strings.Contains(said, "permi") {
		t.Errorf("the gateway may not do what it must:\n%s", said)
	}
}

// gateway starts one, and returns where it answers and what it logs.
func (g *guarded) gateway(t *testing.T) (url string, log *safe) {
	t.Helper()
	ctx, stop := context.WithCancel(context.Background())
	out, ready := io.Pipe()
	ended := make(chan struct{})
	log = newSafe()
	go func() {
		defer close(ended)
		run(ctx, []string{"gateway", "--server", g.ClientURL(), "--user", "gateway", "--password", "g",
			"--inbox-prefix", "_INBOX.gateway", "--http", "127.0.0.1:0", "--http-auth", "key"}, nil, ready, log, environment(nil))
		ready.Close()
	}()
	t.Cleanup(func() { stop(); <-ended })
	lines := bufio.NewScanner(out)
	if url = httpURLOf(lines); url == "" {
		t.Fatalf("polyvoke gateway does not answer HTTP: %s", log.text())
	}
	go func() {
		for lines.Scan() {
		}
	}()
	return url, log
}

// ask makes a request, again as long as the answer is that there is none yet: 503 of what begins, 202 of a job that runs.
func ask(t *testing.T, method, url, key, body string) (status int, location, got string) {
	t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) { // between two looks
		r, err := http.NewRequest(method, url, strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		r.Header.Set("X-Api-Key", key)
		a, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		text, err := io.ReadAll(a.Body)
		a.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		again := a.StatusCode == http.StatusServiceUnavailable || method == "GET" && a.StatusCode == http.StatusAccepted
		if !again || time.Now().After(deadline) {
			return a.StatusCode, a.Header.Get("Location"), string(text)
		}
	}
}
