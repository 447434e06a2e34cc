package protocol

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// What is wrong with a grant is told of with its key and what to do.
func TestGrantProblems(t *testing.T) {
	long := strings.Repeat("x", 300)
	for _, test := range []struct {
		grant     Grant
		key, text string // empty: it is right
	}{
		{Grant{KV: "stock"}, "", ""},
		{Grant{KV: "stock", Access: "rw", Keys: "eu/*", Atomic: true, Create: true, MaxKeys: 5, MaxBytes: 1 << 40}, "", ""},
		{Grant{KV: "Stock-1_x", Consistent: true, Serializable: true, MaxOps: 5}, "", ""},
		{Grant{Obj: "images", Access: "r", Keys: "größe und Länge/*.png"}, "", ""},
		{Grant{Fn: "price@2"}, "", ""},
		{Grant{Pub: "orders.*.new"}, "", ""},
		{Grant{Secret: "API_KEY.v-2"}, "", ""},
		{Grant{HTTP: "api.example.com"}, "", ""},
		{Grant{HTTP: "http://127.0.0.1:8080/v1/", Methods: []string{"GET", "PROPFIND"}, MaxBytes: 1 << 30}, "", ""},
		{Grant{Tmp: 1 << 30}, "", ""},
		{Grant{SQL: "shop", Access: "rw", Create: true, MaxBytes: 1 << 20}, "", ""},

		{Grant{}, "kv", "it grants nothing: give it one of kv, obj, fn, pub, secret, http, tmp, sql"},
		{Grant{Access: "rw"}, "kv", "it grants nothing"},
		{Grant{KV: "a", Secret: "b"}, "secret", "several things, kv, secret: write a [[grant]] for each"},
		{Grant{KV: "a", Tmp: -1}, "tmp", "several things, kv, tmp"},
		{Grant{KV: "a.b"}, "kv", "letters, digits, - and _"},
		{Grant{KV: "../a"}, "kv", "letters, digits, - and _"},
		{Grant{KV: "a b"}, "kv", "letters"},
		{Grant{KV: "a\x00"}, "kv", "letters"},
		{Grant{KV: "a>"}, "kv", "letters"},
		{Grant{KV: long}, "kv", "300 bytes; at most 251"},
		{Grant{KV: "fn_results"}, "kv", "polyvoke's own"},
		{Grant{KV: "FN_x"}, "kv", "is internal"},
		{Grant{KV: "Fn_x"}, "kv", "is internal"},
		{Grant{KV: "_x"}, "kv", "is internal"},
		{Grant{Obj: "fn_modules"}, "obj", "polyvoke's own"},
		{Grant{Obj: "FN_bodies"}, "obj", "is internal"},
		{Grant{Obj: "a/b"}, "obj", "letters"},
		{Grant{Fn: "a b"}, "fn", "write NAME or NAME@VERSION"},
		{Grant{Fn: "a@0"}, "fn", "write NAME or NAME@VERSION"},
		{Grant{Fn: "a.b"}, "fn", "write NAME"},
		{Grant{Fn: "f"}, "fn", "set allow_loop = true"},
		{Grant{Fn: "f@3"}, "fn", "set allow_loop = true"},
		{Grant{Pub: "fn.a"}, "pub", "polyvoke needs itself"},
		{Grant{Pub: "job.>"}, "pub", "polyvoke needs itself"},
		{Grant{Pub: "*.a"}, "pub", "polyvoke needs itself"},
		{Grant{Pub: ">"}, "pub", "polyvoke needs itself"},
		{Grant{Pub: "$KV.a.b"}, "pub", "belongs to the NATS server"},
		{Grant{Pub: "_INBOX.>"}, "pub", "is an inbox"},
		{Grant{Pub: "polyvoke.api.remove"}, "pub", "polyvoke needs itself"},
		{Grant{Pub: "orders/new"}, "pub", "write the subject with dots"},
		{Grant{Pub: "a..b"}, "pub", "token 2"},
		{Grant{Pub: "a.\x01"}, "pub", "control character"},
		{Grant{Pub: "a.\xff"}, "pub", "UTF-8"},
		{Grant{Pub: strings.Repeat("a.", 600) + "b"}, "pub", "1201 bytes; at most 1024"},
		{Grant{Secret: "../x"}, "secret", "no dot first"},
		{Grant{Secret: ".x"}, "secret", "no dot first"},
		{Grant{Secret: "a/b"}, "secret", "letters"},
		{Grant{Secret: "a\nb"}, "secret", "letters"},
		{Grant{Secret: long}, "secret", "300 bytes; at most 128"},
		{Grant{SQL: "shop.db"}, "sql", "without .db"},
		{Grant{SQL: "a/b"}, "sql", "letters, digits"},
		{Grant{SQL: "fn_x"}, "sql", "not fn_"},
		{Grant{SQL: long}, "sql", "1 to 64"},
		{Grant{Tmp: -1}, "tmp", "at most 1GiB"},
		{Grant{Tmp: 1<<30 + 1}, "tmp", "at most 1GiB"},

		{Grant{KV: "a", Access: "w"}, "access", `use "r" or "rw"`},
		{Grant{Fn: "a", Access: "r"}, "access", "belongs to a grant with kv or obj or sql, not to one with fn"},
		{Grant{HTTP: "a.example", Keys: "x"}, "keys", "belongs to a grant with kv or obj, not to one with http"},
		{Grant{SQL: "a", Keys: "x"}, "keys", "belongs to a grant with kv or obj"},
		{Grant{Pub: "a", Create: true}, "create", "belongs to a grant with kv or obj or sql"},
		{Grant{Obj: "a", Atomic: true}, "atomic", "belongs to a grant with kv, not to one with obj"},
		{Grant{Obj: "a", Consistent: true}, "consistent", "belongs to a grant with kv"},
		{Grant{SQL: "a", Serializable: true}, "serializable", "belongs to a grant with kv"},
		{Grant{KV: "a", Methods: []string{"GET"}}, "methods", "belongs to a grant with http"},
		{Grant{Secret: "a", MaxBytes: 5}, "max_bytes", "belongs to a grant with kv or obj or sql or http"},
		{Grant{Fn: "a", MaxKeys: 5}, "max_keys", "belongs to a grant with kv or obj"},
		{Grant{Tmp: 5, MaxOps: 5}, "max_ops", "belongs to a grant with kv or obj or fn"},
		{Grant{KV: "a", Atomic: true}, "atomic", `set access = "rw"`},
		{Grant{KV: "a", MaxKeys: 5}, "max_keys", `set access = "rw"`},
		{Grant{KV: "a", MaxBytes: 5}, "max_bytes", `set access = "rw"`},
		{Grant{KV: "a", Access: "rw", MaxKeys: -1}, "max_keys", "1 to 100000000"},
		{Grant{KV: "a", Access: "rw", MaxBytes: -1}, "max_bytes", "more than zero"},
		{Grant{KV: "a", Access: "rw", MaxBytes: 1<<50 + 1}, "max_bytes", "at most 1048576GiB"},
		{Grant{HTTP: "a.example", MaxBytes: 1<<30 + 1}, "max_bytes", "at most 1GiB"},
		{Grant{KV: "a", MaxOps: 100_001}, "max_ops", "1 to 100000"},
		{Grant{KV: "a", MaxOps: -1}, "max_ops", "1 to 100000"},
		{Grant{KV: "a", Keys: long}, "keys", "300 bytes; at most 256"},
		{Grant{KV: "a", Keys: "eu.>"}, "keys", "there is no > here"},
		{Grant{KV: "a", Keys: "größe"}, "keys", "no key has"},
		{Grant{KV: "a", Keys: "a b"}, "keys", "no key has"},
		{Grant{KV: "a", Keys: "/a"}, "keys", "begins with a slash"},
		{Grant{Obj: "a", Keys: "a\x00"}, "keys", "no key has"},
		{Grant{Obj: "a", Keys: "\xff"}, "keys", "no key has"},
		{Grant{HTTP: "a.example", Methods: []string{"get"}}, "methods", `"get" is no method in capitals`},
		{Grant{HTTP: "a.example", Methods: []string{"G E"}}, "methods", "no method"},
		{Grant{HTTP: "a.example", Methods: []string{"A\r\nHost"}}, "methods", "no method"},
		{Grant{HTTP: "a.example", Methods: []string{"CONNECT"}}, "methods", "CONNECT and TRACE are none"},
		{Grant{HTTP: "a.example", Methods: []string{"TRACE"}}, "methods", "CONNECT and TRACE are none"},
		{Grant{HTTP: "a.example", Methods: []string{"GET", "GET"}}, "methods", "stands there twice"},
		{Grant{HTTP: "a.example", Methods: []string{}}, "methods", "methods is empty"},
		{Grant{HTTP: "a.example", Methods: make([]string, 17)}, "methods", "17 entries; at most 16"},
	} {
		f := Function{Name: "f", Grants: []Grant{test.grant}}
		all := f.Problems()
		if test.key == "" {
			if len(all) > 0 {
				t.Errorf("%+v: %v", test.grant, all)
			}
			continue
		}
		if len(all) == 0 || all[0].Key != "grant[0]."+test.key || !strings.Contains(all[0].Msg, test.text) ||
			len(all[0].Msg) > 400 {
			t.Errorf("%.80v: %v, want %s: %s", test.grant, all, test.key, test.text)
		}
	}
}

// What a grant of HTTP names means the same to whoever reads it.
func TestHTTPTarget(t *testing.T) {
	for s, want := range map[string]string{
		"api.example.com": "https://api.example.com/", "https://api.example.com:443/": "https://api.example.com/",
		"http://a.example:8080/v1": "http://a.example:8080/v1", "http://a.example:80": "http://a.example/",
		"192.0.2.1/x": "https://192.0.2.1/x", "[2001:db8::1]:8443/a/b": "https://[2001:db8::1]:8443/a/b",
		"localhost:8080": "https://localhost:8080/", "xn--bcher-kva.example": "https://xn--bcher-kva.example/",
		"1.2.3.example": "https://1.2.3.example/", "*.example.com:8443/v1": "https://*.example.com:8443/v1",
		"http://*.example.com": "http://*.example.com/",

		"ftp://a.example": "scheme", "user@a.example": "user", "a.example?x": "character", "a.example#x": "character",
		"a.example/%2e%2e": "character", "*.*.example.com": "character", "a.example\\b": "character", "a b": "character",
		"a.example/../b": "segment", "a.example/./b": "segment", "a.example//b": "segment", "bücher.example": "character",
		"": "no host", "A.example": "no host", ".example": "no host", "a..b": "no host", "a.example.": "no host",
		"/a": "no host", "a.example:0": "port", "a.example:65536": "port", "a.example:080": "port", "a.example:": "port",
		"127.1": "ends with a number", "2130706433": "ends with a number", "0x7f000001": "ends with a number",
		"0x7f.1": "ends with a number", "127.0.0.01": "ends with a number", "a.0x1": "ends with a number",
		"1.2.3.4.5": "ends with a number", "[::1": "IPv6", "[fe80::1%25eth0]": "character", "[::FFFF]": "IPv6",
		"[127.0.0.1]": "IPv6", "::1": "no host", "-a.example": "label", strings.Repeat("a", 64) + ".example": "label",
		strings.Repeat("a.", 600): "1200 bytes", "a.example/\r\nHost: b": "character",
		"https://http://a.example": "scheme", "*.com": "without a dot", "*.127.0.0.1": "an address", "*.": "no host",
		"*.[::1]": "an address", "*": "character", "a*.example.com": "character", "*.0.0.1": "ends with a number",
	} {
		got, err := ParseHTTPTarget(s)
		switch {
		case strings.Contains(want, "://") && (err != nil || got.String() != want):
			t.Errorf("%q: %v, %v, want %s", s, got, err, want)
		case !strings.Contains(want, "://") && (CodeOf(err) != CodeRefused || !strings.Contains(fmt.Sprint(err), want)):
			t.Errorf("%q: %v, %v, want an error with %q", s, got, err, want)
		}
	}
}

// A target has what is below its path, as it is sent, and nothing else.
func TestHTTPTargetHas(t *testing.T) {
	target, err := ParseHTTPTarget("api.example.com/v1")
	if err != nil {
		t.Fatal(err)
	}
	for s, want := range map[string]bool{
		"https://api.example.com/v1": true, "https://api.example.com/v1/a?b=c": true, "https://API.example.com:443/v1": true,
		"https://api.example.com/v1/%C3%A4": true,
		"https://api.example.com/":          false, "https://api.example.com/v10": false, "https://api.example.com/v2": false,
		"http://api.example.com/v1": false, "https://api.example.com:8443/v1": false, "https://a@api.example.com/v1": false,
		"https://api.example.com.evil.example/v1": false, "https://evil.example/v1": false,
		"https://api.example.com/v1/../v2": false, "https://api.example.com/v1/%2e%2e/v2": false,
		"https://api.example.com/v1/%2fv2": false, "https://api.example.com/v1/..%5cv2": false,
	} {
		u, err := url.Parse(s)
		if err != nil || target.Has(u) != want {
			t.Errorf("%s: %t, %v", s, !want, err)
		}
	}
}

// A wildcard has all names below its own, and not itself.
func TestHTTPTargetWildcard(t *testing.T) {
	target, err := ParseHTTPTarget("*.example.com")
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]bool{"a.example.com": true, "a.b.example.com": true, "*.example.com": true,
		"example.com": false, ".example.com": false, "aexample.com": false, "a.example.com.evil.example": false,
		"127.0.0.1": false, "": false} {
		if target.HasHost(host) != want {
			t.Errorf("%s: %t", host, !want)
		}
	}
}

// Requests to addresses of this machine and of private networks are told apart.
func TestHTTPTargetPrivate(t *testing.T) {
	for s, want := range map[string]bool{"localhost": true, "a.localhost": true, "127.0.0.1": true, "10.1.2.3": true,
		"192.168.0.1": true, "172.16.0.1": true, "169.254.169.254": true, "100.64.0.1": true, "0.0.0.0": true, "[::1]": true,
		"[fd00::1]": true, "[fe80::1]": true, "[::ffff:10.0.0.1]": true, "192.0.2.1": false, "[2001:db8::1]": false,
		"api.example.com": false, "localhost.example": false} {
		target, err := ParseHTTPTarget(s)
		if err != nil || target.Private() != want {
			t.Errorf("%s: %t, %v", s, !want, err)
		}
	}
}

// Of two grants that speak of one file nobody could say which holds.
func TestTwinGrants(t *testing.T) {
	for _, test := range []struct {
		a, b Grant
		twin bool
	}{
		{Grant{KV: "a"}, Grant{KV: "b"}, false},
		{Grant{KV: "a"}, Grant{Obj: "a"}, false},
		{Grant{KV: "a"}, Grant{KV: "a", Keys: "eu/*"}, true},
		{Grant{KV: "a", Keys: "eu/*"}, Grant{KV: "a", Keys: "us/*", Access: "rw"}, false},
		{Grant{KV: "a", Keys: "eu/*"}, Grant{KV: "a", Keys: "*.x"}, true},
		{Grant{KV: "a", Keys: "eu"}, Grant{KV: "a", Keys: "eux"}, false},
		{Grant{Fn: "a"}, Grant{Fn: "a"}, true},
		{Grant{Fn: "a"}, Grant{Fn: "a@1"}, false},
		{Grant{Pub: "a.*"}, Grant{Pub: "a.b"}, true},
		{Grant{Pub: "a.*"}, Grant{Pub: "b.>"}, false},
		{Grant{Secret: "a"}, Grant{Secret: "a"}, true},
		{Grant{Secret: "a"}, Grant{Secret: "A"}, false},
		{Grant{HTTP: "a.example"}, Grant{HTTP: "https://a.example:443/x"}, true},
		{Grant{HTTP: "a.example/x"}, Grant{HTTP: "a.example/xy"}, false},
		{Grant{HTTP: "a.example"}, Grant{HTTP: "http://a.example"}, false},
		{Grant{HTTP: "*.a.example"}, Grant{HTTP: "b.a.example/x"}, true},
		{Grant{HTTP: "*.a.example"}, Grant{HTTP: "*.b.a.example"}, true},
		{Grant{HTTP: "*.a.example"}, Grant{HTTP: "a.example"}, false},
		{Grant{Tmp: 5}, Grant{Tmp: 6}, true},
		{Grant{SQL: "a"}, Grant{SQL: "a", Access: "rw"}, true},
	} {
		for _, pair := range [][]Grant{{test.a, test.b}, {test.b, test.a}} {
			all := (&Function{Name: "f", Grants: pair}).Problems()
			twin := len(all) == 1 && strings.HasPrefix(all[0].Key, "grant[1].") && strings.Contains(all[0].Msg, "grant 1 speaks")
			if twin != test.twin || len(all) > 1 {
				t.Errorf("%v: %v", pair, all)
			}
		}
	}
}

// There are bounds of how many grants, buckets and bytes there are.
func TestGrantBounds(t *testing.T) {
	many := func(n int, one func(i int) Grant) (all []Grant) {
		for i := range n {
			all = append(all, one(i))
		}
		return all
	}
	for _, test := range []struct {
		f    Function
		text string // empty: it is right
	}{
		{Function{Grants: many(32, func(i int) Grant { return Grant{Secret: fmt.Sprint("s", i)} })}, ""},
		{Function{Grants: many(33, func(i int) Grant { return Grant{Secret: fmt.Sprint("s", i)} })}, "33 grants; at most 32"},
		{Function{Grants: many(8, func(i int) Grant { return Grant{KV: fmt.Sprint("b", i)} })}, ""},
		{Function{Grants: many(9, func(i int) Grant { return Grant{Obj: fmt.Sprint("b", i)} })}, "9 buckets of kv and obj"},
		{Function{Grants: many(9, func(i int) Grant { return Grant{KV: "b", Keys: fmt.Sprint(i, "/*")} })}, ""},
		{Function{Grants: []Grant{{Tmp: 1 << 30}}, Limits: Limits{Memory: MaxMemory}}, "make one smaller"},
		{Function{Grants: []Grant{{Fn: "f"}}, AllowLoop: true}, ""},
	} {
		test.f.Name = "f"
		if err := test.f.Check(); (err == nil) != (test.text == "") || !strings.Contains(fmt.Sprint(err), test.text) {
			t.Errorf("%d grants: %v, want %q", len(test.f.Grants), err, test.text)
		}
	}
}

// A grant needs an invoker that knows grants, and a default that is written out is no other version.
func TestGrantsOfAVersion(t *testing.T) {
	f := Function{Name: "f", Grants: []Grant{{KV: "b"}, {HTTP: "a.example"}, {Obj: "o", Keys: "*"}}}
	if !slices.Equal(f.Needed(), []string{"grant"}) {
		t.Errorf("it needs %q", f.Needed())
	}
	g := Function{Name: "f", Grants: []Grant{{KV: "b", Access: "r", MaxOps: DefaultMaxOps},
		{HTTP: "a.example", Methods: []string{"GET", "HEAD"}}, {Obj: "o"}}}
	if !f.Same(&g) || f.Grants[0].Access != "" {
		t.Errorf("%v is not %v", f.Grants, g.Grants)
	}
	if g.Grants[0].Access = AccessWrite; f.Same(&g) {
		t.Error("what may be written is the same as what may not")
	}
	if want := []string{"/http", "/kv/b", "/obj/o"}; !slices.Equal(f.Mounts(), want) {
		t.Errorf("mounts %q, want %q", f.Mounts(), want)
	}
	for _, test := range []struct{ got, want string }{{f.Grants[0].String(), "kv b r"}, {g.Grants[0].String(), "kv b rw"},
		{f.Grants[1].String(), "http a.example GET,HEAD"}, {f.Grants[2].String(), "obj o/* r"},
		{Grant{Tmp: 64 << 20}.String(), "tmp 64MiB"}} {
		if test.got != test.want {
			t.Errorf("%q, want %q", test.got, test.want)
		}
	}
}

// A star is any characters, none too.
func TestGrantCovers(t *testing.T) {
	for _, test := range []struct {
		keys, key string
		want      bool
	}{
		{"", "a", true}, {"*", "a/b.c", true}, {"eu/*", "eu/a", true}, {"eu/*", "eu/", true}, {"eu/*", "eua", false},
		{"*/tea", "eu/tea", true}, {"*/tea", "tea", false}, {"a*b*c", "abc", true}, {"a*b*c", "axxbyyc", true},
		{"a*b*c", "acb", false}, {"a*b*b", "ab", false}, {"**", "", true}, {"a", "a", true}, {"a", "ab", false},
		{"*aab", "aaab", true}, {"a*a", "a", false}, {"*ab*ab*", "abxab", true}, {"*ab*ab*", "aab", false},
	} {
		if got := (Grant{KV: "b", Keys: test.keys}).Covers(test.key); got != test.want {
			t.Errorf("%q covers %q: %t", test.keys, test.key, got)
		}
	}
}

// A pattern overlaps whatever it covers, and nothing else without a star.
func FuzzKeyPatterns(f *testing.F) {
	f.Add("a*b", "axb")
	f.Add("*a*", "b*a")
	f.Add("a*", "*b")
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > MaxKeyPattern || len(b) > MaxKeyPattern {
			return
		}
		overlap := overlapKeys(a, b)
		if overlap != overlapKeys(b, a) {
			t.Fatalf("%q and %q overlap in one direction only", a, b)
		}
		if !strings.Contains(b, "*") && overlap != matchKeys(a, b) {
			t.Fatalf("%q overlaps %q: %t, and covers it: %t", a, b, overlap, !overlap)
		}
		if !overlapKeys(a, a) || !matchKeys(a, strings.ReplaceAll(a, "*", "")) {
			t.Fatalf("%q does not overlap itself", a)
		}
	})
}

// What is read as a target is written as one that means the same, and has what is below it.
func FuzzParseHTTPTarget(f *testing.F) {
	for _, s := range []string{"api.example.com/v1", "http://127.0.0.1:80", "[::1]:1/a/", "0x7f.1", "a@b", "https://a:0"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		target, err := ParseHTTPTarget(s)
		if err != nil {
			if CodeOf(err) != CodeRefused {
				t.Fatalf("code %d: %v", CodeOf(err), err)
			}
			return
		}
		again, err := ParseHTTPTarget(target.String())
		if err != nil || again != target || !target.Covers(again) {
			t.Fatalf("%q is written as %q: %+v, %v", s, target, again, err)
		}
		u, err := url.Parse(target.String())
		if err != nil || u.Hostname() != target.Host || u.User != nil || !target.Has(u) {
			t.Fatalf("%q: net/url takes %q for %+v, %v", s, target, u, err)
		}
	})
}
