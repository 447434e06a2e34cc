package frontdoor

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"reflect"
	"strings"
	"testing"
)

func TestTrust(t *testing.T) {
	proxies, err := ParsePrefixes([]string{"10.0.0.0/8", "127.0.0.1", "fd00::/8"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name, way, peer string
		headers         []string
		want            string // client, scheme and host, or the status
	}{
		{"nobody speaks", "", "192.0.2.1:5", nil, "192.0.2.1 http example.org"},
		{"forged", "", "192.0.2.1:5", []string{"X-Forwarded-For: 1.2.3.4", "X-Forwarded-Proto: https",
			"X-Forwarded-Host: evil"}, "192.0.2.1 http example.org"},
		{"a proxy", "", "10.1.2.3:5", []string{"X-Forwarded-For: 192.0.2.9", "X-Forwarded-Proto: https",
			"X-Forwarded-Host: www.example.org:8443"}, "192.0.2.9 https www.example.org:8443"},
		{"a client that forges behind a proxy", "", "10.1.2.3:5", []string{"X-Forwarded-For: 10.9.9.9, 1.2.3.4, 192.0.2.9"},
			"192.0.2.9 http example.org"},
		{"two proxies", "", "10.1.2.3:5", []string{"X-Forwarded-For: 192.0.2.9, 10.0.0.7"}, "192.0.2.9 http example.org"},
		{"in two headers", "", "10.1.2.3:5", []string{"X-Forwarded-For: 192.0.2.9", "X-Forwarded-For: 10.0.0.7"},
			"192.0.2.9 http example.org"},
		{"only proxies", "", "10.1.2.3:5", []string{"X-Forwarded-For: 10.0.0.6, 10.0.0.7"}, "10.0.0.6 http example.org"},
		{"with a port", "", "10.1.2.3:5", []string{"X-Forwarded-For: 192.0.2.9:123"}, "192.0.2.9 http example.org"},
		{"IPv6", "", "[fd00::1]:5", []string{"X-Forwarded-For: [2001:db8::1]:123"}, "2001:db8::1 http example.org"},
		{"IPv4 in IPv6", "", "[::ffff:10.0.0.1]:5", []string{"X-Forwarded-For: ::ffff:192.0.2.9"},
			"192.0.2.9 http example.org"},
		{"rubbish", "", "10.1.2.3:5", []string{"X-Forwarded-For: 192.0.2.9, unknown"}, "10.1.2.3 http example.org"},
		{"a bad scheme", "", "10.1.2.3:5", []string{"X-Forwarded-Proto: gopher"}, "400"},
		{"a bad host", "", "10.1.2.3:5", []string{"X-Forwarded-Host: a/b"}, "400"},
		{"the other way is not believed", "", "10.1.2.3:5", []string{"Forwarded: for=1.2.3.4;proto=https"},
			"10.1.2.3 http example.org"},
		{"RFC 7239", ProxyForwarded, "10.1.2.3:5",
			[]string{`Forwarded: for="[2001:db8:cafe::17]:4711";proto=https;host="www.example.org", for=10.0.0.1`},
			"2001:db8:cafe::17 https www.example.org"},
		{"RFC 7239, hidden", ProxyForwarded, "10.1.2.3:5", []string{`Forwarded: for=1.2.3.4, for=_hidden`},
			"10.1.2.3 http example.org"},
		{"RFC 7239, without for", ProxyForwarded, "10.1.2.3:5", []string{`Forwarded: for=1.2.3.4, proto=https`},
			"10.1.2.3 https example.org"},
		{"RFC 7239, broken", ProxyForwarded, "10.1.2.3:5", []string{`Forwarded: for="1.2.3.4`}, "400"},
		{"RFC 7239, the other way", ProxyForwarded, "10.1.2.3:5", []string{"X-Forwarded-For: 1.2.3.4"},
			"10.1.2.3 http example.org"},
	} {
		t.Run(c.name, func(t *testing.T) {
			trust := Trust{Proxies: proxies, Header: c.way}
			got := ""
			h := trust.wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
				got = peerOf(r).String() + " " + schemeOf(r) + " " + r.Host
				for _, name := range []string{"X-Real-Ip", "X_forwarded_for"} {
					if r.Header[name] != nil {
						t.Errorf("%s has been passed on", name)
					}
				}
				if c.way == "" && r.Header["Forwarded"] != nil || c.way != "" && r.Header["X-Forwarded-For"] != nil {
					t.Error("what nobody vouches for has been passed on")
				}
			}))
			r := httptest.NewRequest(http.MethodGet, "http://example.org/", nil)
			r.RemoteAddr = c.peer
			r.Header["X_forwarded_for"] = []string{"6.6.6.6"}
			r.Header["X-Real-Ip"] = []string{"6.6.6.6"}
			for _, line := range c.headers {
				name, value, _ := strings.Cut(line, ": ")
				r.Header.Add(name, value)
			}
			w := httptest.NewRecorder()
			h.ServeHTTP(w, r)
			if w.Code == http.StatusBadRequest {
				got = "400"
			}
			if got != c.want {
				t.Errorf("got %q, want %q", got, c.want)
			}
		})
	}
}

func TestParsePrefixes(t *testing.T) {
	got, err := ParsePrefixes([]string{"10.0.0.0/8", "::1"})
	want := []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8"), netip.MustParsePrefix("::1/128")}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for _, bad := range []string{"", "10.0.0.1/8", "host", "10.0.0.0/33", "::ffff:10.0.0.0/104", "fe80::1%eth0"} {
		if got, err := ParsePrefixes([]string{bad}); err == nil {
			t.Errorf("%q is taken as %v", bad, got)
		}
	}
}

func FuzzForwarded(f *testing.F) {
	for _, s := range []string{`for=1.2.3.4`, `for="[::1]:1";proto=https, for=_x ;host=a`, `for="\"`, `,;=`, `a=b;`, ``} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got, err := readForwarded(http.Header{"Forwarded": {s}})
		if err == nil && len(got.chain) > len(s) {
			t.Errorf("%d hops of %d bytes", len(got.chain), len(s))
		}
		for _, way := range []string{ProxyForwarded, ProxyXForwarded} {
			r := httptest.NewRequest(http.MethodGet, "http://example.org/", nil)
			r.Header["Forwarded"], r.Header["X-Forwarded-For"] = []string{s}, []string{s}
			r.Header["X-Forwarded-Host"], r.Header["X-Forwarded-Proto"] = []string{s}, []string{s}
			all := Trust{Header: way, Proxies: []netip.Prefix{netip.MustParsePrefix("0.0.0.0/0")}}
			if all.believe(r, netip.MustParseAddr("10.0.0.1")) != nil {
				continue
			}
			if !peerOf(r).IsValid() || !validHost(r.Host) {
				t.Errorf("client %q, host %q", r.RemoteAddr, r.Host)
			}
		}
	})
}
