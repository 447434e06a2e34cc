package project

import (
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// grantProblems are grants that cannot be, and what a line of them is refused with.
var grantProblems = []struct{ keys, want string }{
	{`access = "rw"`, `2: grant 1: it grants nothing: give it one of kv, obj, fn, pub, secret, http, tmp, sql`},
	{"kv = \"a\"\nobj = \"b\"", `4: grant 1: it grants several things, kv, obj: write a [[grant]] for each`},
	{`kv = "fn_functions"`, `3: grant 1: kv: bucket fn_functions is polyvoke's own`},
	{`kv = 5`, `3: grant[0].kv must be a string, not a number: write "5"`},
	{`bucket = "a"`, `3: unknown key grant[0].bucket: the keys here are access, atomic`},
	{"kv = \"a\"\nacess = \"rw\"", `4: unknown key grant[0].acess: did you mean access?`},
	{"kv = \"a\"\naccess = \"w\"", `4: grant[0].access = "w": did you mean`},
	{"kv = \"a\"\nmethods = [\"GET\"]", `4: grant 1: methods belongs to a grant with http, not to one with kv`},
	{"kv = \"a\"\nmax_keys = 0", `4: grant[0].max_keys = 0: it can be 1 to`},
	{`tmp = "64M"`, `3: grant[0].tmp: size "64M": did you mean "64MiB"?`},
	{`tmp = "2GiB"`, `3: grant 1: tmp must be more than zero and at most 1GiB`},
	{`http = "http://user@example.com"`, `3: grant 1: http = "http://user@example.com" has a user`},
	{`pub = "job.*"`, `3: grant 1: pub: subject "job.*" takes messages that polyvoke needs itself`},
	{"kv = \"a\"\n[[grant]]\nkv = \"a\"", `5: grant 2: kv = "a" speaks of files that grant 1 speaks of too`},
	{"secret = \"A\"\n[[trigger]]\nkv = \"b\"\naccess = \"r\"", `6: unknown key trigger[0].access: access stands in [grant]`},
}

// Each wrong key and value of [[grant]] is refused with its line, its key and what to do.
func TestGrantProblems(t *testing.T) {
	for _, test := range grantProblems {
		text := "module = \"a.wasm\"\n[[grant]]\n" + test.keys + "\n"
		_, err := ParseManifest("f.toml", "", text)
		found := err != nil && slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(l string) bool {
			return strings.HasPrefix(strings.TrimPrefix(l, "f.toml:"), test.want)
		})
		if protocol.CodeOf(err) != protocol.CodeRefused || !found {
			t.Errorf("%q: error\n%v\nwant a line with\n%s", text, err, test.want)
		}
	}
}
