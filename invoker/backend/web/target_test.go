package web

import (
	"errors"
	"io/fs"
	"net/url"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

func TestParseTarget(t *testing.T) {
	for _, c := range []struct{ name, host, port, path, query, part string }{
		{"api.example.com", "api.example.com", "", "", "", ""},
		{"API.Example.com:8443", "api.example.com", "8443", "", "", ""},
		{"h/v1/items", "h", "", "/v1/items", "", ""},
		{"h/%", "h", "", "/", "", ""},
		{"h?q=1", "h", "", "/", "?q=1", ""},
		{"h/%?q=1", "h", "", "/", "?q=1", ""},
		{"h/a?", "h", "", "/a", "?", ""},
		{"h/a/%", "h", "", "/a/", "", ""},
		{"h/a/%/b", "h", "", "/a//b", "", ""},
		{"h/a%2Fb", "h", "", "/a%2Fb", "", ""},
		{"h/a%2fb%7E%41", "h", "", "/a%2Fb~A", "", ""},
		{"h/a b#é\"", "h", "", "/a%20b%23%C3%A9%22", "", ""},
		{"h/a?b=c/d?e&f=%2f%2F", "h", "", "/a", "?b=c/d?e&f=%2F%2F", ""},
		{"h/a?q=a b+c#", "h", "", "/a", "?q=a%20b+c%23", ""},
		{"h/a.method", "h", "", "/a", "", ".method"},
		{"h/a?q=1.status", "h", "", "/a", "?q=1", ".status"},
		{"h?q.body", "h", "", "/", "?q", ".body"},
		{"h/%.error", "h", "", "/", "", ".error"},
		{"h/a/%.headers", "h", "", "/a/", "", ".headers"},
		{"h/a/.status", "h", "", "/a/.status", "", ""},
		{"h/health%2Estatus", "h", "", "/health.status", "", ""},
		{"h/health%2estatus.status", "h", "", "/health.status", "", ".status"},
		{"h/a.json", "h", "", "/a.json", "", ""},
		{"h/a:b@c,;=!$&'()*+", "h", "", "/a:b@c,;=!$&'()*+", "", ""},
		{"[2001:DB8::1]:8443/x", "2001:db8::1", "8443", "/x", "", ""},
		{"[::ffff:127.0.0.1]/x", "::ffff:127.0.0.1", "", "/x", "", ""},
		{"192.0.2.1/x", "192.0.2.1", "", "/x", "", ""},
	} {
		got, err := parseTarget(c.name)
		want := target{c.host, c.port, c.path, c.query, part(c.part)}
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v; want %+v", c.name, got, err, want)
		}
	}
}

// notTargets are names that mean nothing, with what the reason says.
var notTargets = map[string]string{
	"":                                 "no name",
	".":                                "no name",
	"..":                               "no name",
	"h/../x":                           "no name",
	"h//x":                             "no name",
	"h/x/":                             "no name",
	"/h":                               "no name",
	"h/\xff":                           "no name",
	"h/%2e%2e/x":                       "servers take away",
	"h/%2E/x":                          "servers take away",
	"h/..%2Fx":                         "servers take away",
	"h/a%2F..%2Fx":                     "servers take away",
	"h/a/..%5Cx":                       "servers take away",
	"h/a/..\\x":                        "servers take away",
	"h/%252e%252e/x":                   "servers take away",
	"h/..;/x":                          "servers take away",
	"h/..;a=b/x":                       "servers take away",
	"h/%25252525252525252e":            "several times",
	"h/a\r\nHost: evil":                "control character",
	"h/a%0d%0aHost: evil":              "control character",
	"h/a%00":                           "control character",
	"h/a?b\r\n\r\nGET / ":              "control character",
	"h/a?\x7f":                         "control character",
	"h/%zz":                            "begins no escape",
	"h/a%":                             "begins no escape",
	"h/a%2":                            "begins no escape",
	"h/a?q=%":                          "begins no escape",
	"h/%+1":                            "begins no escape",
	"user@h/x":                         "a user",
	"user:pass@h/x":                    "a user",
	"h:80@evil/x":                      "a user",
	"h:/x":                             "port",
	"h:0/x":                            "port",
	"h:080/x":                          "port",
	"h:65536/x":                        "port",
	"h:+80/x":                          "port",
	"h:80:90/x":                        "no name of a host",
	"?q":                               "0 bytes",
	":80/x":                            "0 bytes",
	"h./x":                             "no name of a host",
	"h..h/x":                           "no name of a host",
	"-h/x":                             "no name of a host",
	"h h/x":                            "no name of a host",
	"h\r\n/x":                          "no name of a host",
	"h%2ecom/x":                        "no name of a host",
	"h\\evil/x":                        "no name of a host",
	"ｅxample.com/x":                    "no name of a host",
	"2130706433/x":                     "ends with a number",
	"0x7f000001/x":                     "ends with a number",
	"0x7f.1/x":                         "ends with a number",
	"017700000001/x":                   "ends with a number",
	"0177.0.0.1/x":                     "ends with a number",
	"127.1/x":                          "ends with a number",
	"127.0.0.0x1/x":                    "ends with a number",
	"example.1/x":                      "ends with a number",
	"example.0x/x":                     "ends with a number",
	"[::1%25lo]/x":                     "no IPv6 address",
	"[fe80::1%lo]/x":                   "no IPv6 address",
	"[127.0.0.1]/x":                    "no IPv6 address",
	"[::1/x":                           "no IPv6 address",
	"[::1]x/y":                         "no IPv6 address",
	"::1/x":                            "no name of a host",
	strings.Repeat("h", 64):            "no name of a host",
	strings.Repeat("h.", 200) + "h":    "bytes",
	"h/" + strings.Repeat("x", 10_000): "at most",
}

func TestParseTargetRefuses(t *testing.T) {
	for name, why := range notTargets {
		got, err := parseTarget(name)
		if !errors.Is(err, fs.ErrInvalid) || !strings.Contains(err.Error(), why) {
			t.Errorf("%.60q: %+v, %v; want %q", name, got, err, why)
		}
	}
}

// FuzzParseTarget checks that a target is a URL that says nothing else than it, and that it can be spelled as a name.
func FuzzParseTarget(f *testing.F) {
	for name := range notTargets {
		f.Add(name)
	}
	for _, name := range []string{"h/a?b=c.status", "[2001:db8::1]:80/%/%", "h?%41%2f", "h/%.body", "192.0.2.1:1/x;y"} {
		f.Add(name)
	}
	f.Fuzz(func(t *testing.T, name string) {
		got, err := parseTarget(name)
		if err != nil || got.path == "" {
			return
		}
		p := place{"https", got.host, "443", got.path, got.query}
		if got.port != "" {
			p.port = got.port
		}
		u, err := url.Parse(p.String())
		if err != nil {
			t.Fatalf("%q is %q: %v", name, p, err)
		}
		if u.Hostname() != got.host || u.EscapedPath() != got.path || u.User != nil || u.Fragment != "" || u.Opaque != "" ||
			"?"+u.RawQuery != got.query && got.query != "" || p.url().String() != p.String() {
			t.Fatalf("%q is %q: %#v", name, p, u)
		}
		if strings.ContainsFunc(p.String(), func(r rune) bool { return r <= ' ' || r >= 0x7f }) ||
			strings.Contains(got.path+"/", "/../") || strings.Contains(got.path+"/", "/./") {
			t.Fatalf("%q is %q", name, p)
		}
		to, err := redirected(place{scheme: "https", host: "other", port: "443", path: "/"}, p.String())
		if err != nil || to != p && !strings.Contains(got.path, "//") {
			t.Fatalf("%q is %q, and a redirect there leads to %q, %v", name, p, to, err)
		}
	})
}

func FuzzHeaders(f *testing.F) {
	for _, s := range []string{"A: b\n", "A: b\r\nC: d", ":", "A:\x00", "Host: x", "a b: c", "Content-length: 5", "A: \u00e9"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		h, err := parseHeaders(text)
		if err != nil {
			return
		}
		again, err := parseHeaders(formatHeaders(h))
		if err != nil || formatHeaders(again) != formatHeaders(h) {
			t.Fatalf("%q is %q, and again %q, %v", text, h, again, err)
		}
		for _, name := range reserved {
			if h[name] != nil {
				t.Fatalf("%q sets %s", text, name)
			}
		}
	})
}

func TestParseRules(t *testing.T) {
	for text, want := range map[string]string{
		"api.example.com":       "https api.example.com 443 ",
		"http://h:8080/v1/":     "http h 8080 /v1",
		"http://h":              "http h 80 ",
		"*.example.com/a[b]":    "https *.example.com 443 /a%5Bb%5D",
		"[2001:db8::1]:8443/~x": "https 2001:db8::1 8443 /~x",
	} {
		r, err := parseRule(protocol.Grant{HTTP: text})
		if err != nil || strings.Join([]string{r.Scheme, r.Host, r.port, r.path}, " ") != want {
			t.Errorf("%s: %+v, %v", text, r, err)
		}
	}
	for _, g := range []protocol.Grant{{HTTP: ""}, {HTTP: "*"}, {HTTP: "ftp://h"}, {HTTP: "h/.."}, {HTTP: "h/a//b"},
		{HTTP: "h?q"}, {HTTP: "u@h"}, {HTTP: "127.1"}, {HTTP: "h:x"}, {HTTP: "a.*.com"}, {HTTP: "h/..;x"},
		{HTTP: "h", Methods: []string{"get"}}, {HTTP: "h", Methods: []string{"CONNECT"}},
		{HTTP: "h", Methods: []string{"GET\r\nX: y"}}, {HTTP: "h/%2e%2e"}} {
		_, err := New(Config{}).Open(t.Context(), &protocol.Function{Name: "f"}, []protocol.Grant{g})
		if protocol.CodeOf(err) != protocol.CodeRefused {
			t.Errorf("%+v: %v", g, err)
		}
	}
}

func TestAllowed(t *testing.T) {
	rules, err := parseRules([]protocol.Grant{
		{HTTP: "api.example.com/v1", Methods: []string{"GET", "POST"}},
		{HTTP: "api.example.com/v1/admin", Methods: []string{"GET"}},
		{HTTP: "*.wild.example"},
		{HTTP: "http://plain.example:8080"},
		{HTTP: "both.example/secure"},
		{HTTP: "http://both.example"},
		{HTTP: "http://192.0.2.1"},
	})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ name, method, want string }{
		{"api.example.com/v1", "GET", "https://api.example.com/v1"},
		{"api.example.com/v1/x", "POST", "https://api.example.com/v1/x"},
		{"api.example.com:443/v1/x", "POST", "https://api.example.com/v1/x"},
		{"api.example.com/v1?x", "HEAD", "EACCES"},
		{"api.example.com/v1x", "GET", "ENOENT"},
		{"api.example.com/v1%2Fx", "GET", "ENOENT"},
		{"api.example.com/V1", "GET", "ENOENT"},
		{"api.example.com/%", "GET", "ENOENT"},
		{"api.example.com/%/v1", "GET", "ENOENT"},
		{"api.example.com:80/v1", "GET", "ENOENT"},
		{"example.com/v1", "GET", "ENOENT"},
		{"api.example.com.evil.example/v1", "GET", "ENOENT"},
		{"xapi.example.com/v1", "GET", "ENOENT"},
		{"a.wild.example/x", "GET", "https://a.wild.example/x"},
		{"a.b.wild.example/x", "HEAD", "https://a.b.wild.example/x"},
		{"wild.example/x", "GET", "ENOENT"},
		{"awild.example/x", "GET", "ENOENT"},
		{"plain.example:8080/x", "GET", "http://plain.example:8080/x"},
		{"plain.example/x", "GET", "ENOENT"},
		{"both.example/secure/x", "GET", "https://both.example/secure/x"},
		{"both.example/other", "GET", "http://both.example/other"},
		{"192.0.2.1/x", "GET", "http://192.0.2.1/x"},
	} {
		to, err := parseTarget(c.name)
		if err != nil {
			t.Fatal(err)
		}
		p, _, err := find(rules, to, c.method)
		got := p.String()
		if err != nil {
			got = errnoName(err)
		}
		if got != c.want {
			t.Errorf("%s %s: %s, %v; want %s", c.method, c.name, got, err, c.want)
		}
	}
}
