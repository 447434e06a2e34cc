package main

import (
	"bufio"
	"bytes"
	"fmt"
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/polyvoke/polyvoke/cmd/internal/service"
)

// answering finds where a server answers HTTP.
var answering = regexp.MustCompile(`answers HTTP on (https?://\S+)`)

// httpURLOf reads lines until one says where HTTP is answered, and returns that. It returns "" if there is none.
func httpURLOf(lines *bufio.Scanner) string {
	for lines.Scan() {
		if m := answering.FindStringSubmatch(lines.Text()); m != nil {
			return m[1]
		}
	}
	return ""
}

// gatewayScript is the command gateway.
func gatewayScript(ts *testscript.TestScript, args []string) {
	words := []string{"polyvoke", "gateway", "--http", "127.0.0.1:0"}
	d, lines := begin(ts, command(ts, append(words, args...)...))
	url := httpURLOf(lines)
	if url == "" {
		ts.Fatalf("polyvoke gateway does not answer HTTP: %s", d.log)
	}
	go func() {
		for lines.Scan() {
		}
	}()
	ts.Setenv("HTTP_URL", url)
	ts.Value("servers").(map[string]*daemon)["gateway"] = d
	awaitReady(ts, url, d)
}

// awaitReady waits until functions can be called by HTTP.
func awaitReady(ts *testscript.TestScript, url string, d *daemon) {
	client := http.Client{Timeout: patience}
	last := ""
	for range 2000 {
		a, err := client.Get(url + "/readyz")
		if err == nil {
			body, _ := io.ReadAll(a.Body)
			a.Body.Close()
			if a.StatusCode == http.StatusOK {
				return
			}
			last = string(body)
		}
		time.Sleep(20 * time.Millisecond) // between two looks
	}
	ts.Fatalf("HTTP is not ready: %s\n%s", last, d.log)
}

// httpScript is the command http.
func httpScript(ts *testscript.TestScript, args []string) {
	header := http.Header{}
	for len(args) > 1 && args[0] == "-H" {
		name, value, _ := strings.Cut(args[1], ": ")
		header.Add(name, value)
		args = args[2:]
	}
	if len(args) < 2 || len(args) > 3 {
		ts.Fatalf("usage: http [-H 'NAME: VALUE']... METHOD PATH [BODY|@FILE]")
	}
	body := ""
	if len(args) == 3 {
		if body = args[2]; strings.HasPrefix(body, "@") {
			body = ts.ReadFile(body[1:])
		}
	}
	r, err := http.NewRequest(args[0], ts.Getenv("HTTP_URL")+args[1], strings.NewReader(body))
	ts.Check(err)
	if r.Header = header; header.Get("Host") != "" {
		r.Host = header.Get("Host")
	}
	client := http.Client{Timeout: patience, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	a, err := client.Do(r)
	ts.Check(err)
	defer a.Body.Close()
	got, err := io.ReadAll(a.Body)
	ts.Check(err)
	fmt.Fprintf(ts.Stdout(), "%s %s\n", a.Proto, a.Status)
	names := make([]string, 0, len(a.Header))
	for name := range a.Header {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(ts.Stdout(), "%s: %s\n", name, strings.Join(a.Header[name], ", "))
	}
	fmt.Fprintf(ts.Stdout(), "\n%s\n", got)
}

// TestSayHTTP checks what is said of where HTTP is answered. The output of a test is no terminal.
func TestSayHTTP(t *testing.T) {
	const first = "polyvoke VERSION answers HTTP on http://localhost:1\n"
	for _, tt := range []struct {
		about string
		web   service.HTTP
		want  string
	}{
		{"a console for this machine", service.HTTP{}, first + "console: http://localhost:1/_/\n"},
		{"none", service.HTTP{NoConsole: true, ConsoleToken: "secret"}, first},
		{"one with a token", service.HTTP{ConsoleToken: "secret"}, first + "console: http://localhost:1/_/login\n"},
	} {
		var out bytes.Buffer
		(&cli{stdout: &out}).sayHTTP(tt.web)("http://localhost:1")
		if got := strings.Replace(out.String(), version(), "VERSION", 1); got != tt.want {
			t.Errorf("%s: %q, want %q", tt.about, got, tt.want)
		}
	}
}
