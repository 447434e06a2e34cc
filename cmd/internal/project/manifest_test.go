package project

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"github.com/polyvoke/polyvoke/protocol"
)

// Each thing that is wrong is told of with its line, its key and what to write instead.
func TestManifestProblems(t *testing.T) {
	for _, test := range []struct{ text, want string }{
		{`memroy = "1MiB"`, "1: unknown key memroy: the keys here are allow_loop, args, "},
		{"nmae = \"a\"", "1: unknown key nmae: did you mean name?"},
		{"memory = \"1MiB\"", "1: unknown key memory: memory stands in [limits]"},
		{"[limits]\nname = \"a\"", "2: unknown key limits.name: name stands above all tables"},
		{"[limit]\nmemory = \"1MiB\"", "1: unknown key limit: did you mean limits?"},
		{"\n[limits]\n\nmemroy = \"64MiB\"", "4: unknown key limits.memroy: did you mean memory?"},
		{"limits.memroy = 1", "1: unknown key limits.memroy: did you mean memory?"},
		{"limits = { memroy = 1 }", "1: unknown key limits.memroy: did you mean memory?"},
		{"[[triggers]]\nsubject = \"a\"", "1: unknown key triggers: did you mean trigger?"},
		{"[trigger]\nsubject = \"a\"", "1: trigger must be a list of tables, not a table: write [[trigger]] above it"},
		{"[[trigger]]\nsubject = \"a\"\n[[trigger]]\nsubjct = \"b\"",
			"4: unknown key trigger[1].subjct: did you mean subject?"},
		{"[[trigger]]\nqueue = \"a\"", "1: trigger 1: it has no source: give it one of subject, stream, schedule, kv, object"},
		{"[[trigger]]\nsubject = \"a\"\nstream = \"S\"",
			"3: trigger 1: it has several sources, subject, stream: write a [[trigger]] for each"},
		{"[[trigger]]\nstream = \"S\"\nordered = \"true\"", "3: trigger[0].ordered must be true or false, not a string: " +
			"write true without quotes"},
		{"[[trigger]]\nstream = \"S\"\ncreate = 1", "3: trigger[0].create must be true or false, not a number, such as true"},
		{"[[trigger]]\nstream = \"S\"\nbatch = 0", "3: trigger[0].batch = 0: it can be 1 to 1000"},
		{"[[trigger]]\nstream = \"S\"\nwindow = \"1s\"", "3: trigger 1: window = \"1s\" is how long a batch waits"},
		{"[[trigger]]\nkv = \"prices\"\nfilter = \"a\"", "3: trigger 1: filter belongs to a trigger with stream, not to one"},
		{"[[trigger]]\nsubject = \"a\"\n[[trigger]]\nsubject = \"b\"\n\nqueue = \"q\"",
			"6: trigger 2: queue \"q\" is that of every NATS service"},
		{"environment = { A = \"1\" }", "1: unknown key environment: did you mean env?"},
		{"[env]\nA = 5", "2: env.A must be a string: write \"5\""},
		{"[env]\nA = []", "2: env.A must be a string, not a list"},
		{"env = \"A=1\"", "1: env must be a table of strings, not a string, such as { LANG = \"en\" }"},
		{"args = \"one\"", "1: args must be a list of strings, not a string: write [\"one\"]"},
		{"args = [1]", "1: args must be a list of strings, not a list, such as [\"--fast\"]"},
		{"replies = 1", "1: replies must be a list of numbers, not a number: write [1]"},
		{"replies = [65]", "1: replies: 65 cannot be a reply"},
		{"name = 5", "1: name must be a string, not a number: write \"5\""},
		{"name = \"so not\"", "1: name: function name \"so not\""},
		{"start = \"frehs\"", "1: start = \"frehs\": did you mean fresh?"},
		{"start = \"whenever\"", "1: start = \"whenever\": use one of auto, fresh, reset, prefork, checkpoint"},
		{"optimize = 3", "1: optimize = 3: it can be 0 to 2"},
		{"\noptimize = -1", "2: optimize = -1: it can be 0 to 2"},
		{"optimize = \"2\"", "1: optimize must be a number, not a string: write 2 without quotes"},
		{"meta = \"env \"", "1: meta = \"env \": did you mean env?"},
		{"needs = [\"Job\"]", "1: needs: \"Job\" is no word"},
		{"[limits]\ntimeout = 5", "2: limits.timeout must be a duration, not a number: write it with its unit, such " +
			"as \"5s\" or \"5ms\""},
		{"[limits]\ntimeout = \"5\"", "2: limits.timeout: duration \"5\": write it with its unit"},
		{"[limits]\ntimeout = \"5 sec\"", "2: limits.timeout: duration \"5 sec\": did you mean \"5s\"?"},
		{"[limits]\ntimeout = \"1h\"", "2: limits.timeout must be more than zero and at most 15m"},
		{"[limits]\ntimeout = \"-1s\"", "2: limits.timeout: duration \"-1s\" must be longer than zero"},
		{"[limits]\nmemory = \"64M\"", "2: limits.memory: size \"64M\": did you mean \"64MiB\"?"},
		{"[limits]\nmemory = \"64mb\"", "2: limits.memory: size \"64mb\": did you mean \"64MB\"?"},
		{"[limits]\nmemory = \"lots\"", "2: limits.memory: size \"lots\": write a whole number and a unit"},
		{"[limits]\nmemory = -1", "2: limits.memory: size \"-1\" must be more than zero"},
		{"[limits]\nmemory = 1.5", "2: limits.memory must be a size, not a fraction, such as \"64MiB\""},
		{"[limits]\nstack = 10", "2: limits.stack must be at least 64KiB"},
		{"[limits]\nqueue = \"16\"", "2: limits.queue must be a number, not a string: write 16 without quotes"},
		{"[limits]\nqueue = 0", "2: limits.queue = 0: it can be 1 to 10000"},
		{"[limits]\nfuel = 2_000_000_000_000_000", "2: limits.fuel = 2000000000000000: it can be 1 to 10^15"},
		{"limits = true", "1: limits must be a table, not true or false, such as limits = { timeout = \"500ms\" }"},
		{"runtime = \"a b\"", "1: runtime"},
		{"name = 1979-05-27", "1: name must be a string, not a date"},
		{"text = \"\"\"\nname = 1\n\"\"\"\n\n[limits]\nx = 1", "1: unknown key text: the keys here"},
		{"# [limits]\n'name' = \"a\"\n[ \"limits\" ]\n\"memroy\" = 1",
			"4: unknown key limits.memroy: did you mean memory?"},
		{"args = [\n \"]\", # ]\n '''\n]''',\n]\nnmae = 1", "6: unknown key nmae: did you mean name?"},
	} {
		_, err := ParseManifest("f.toml", "", test.text+"\n")
		if err == nil || protocol.CodeOf(err) != protocol.CodeRefused || !slices.ContainsFunc(strings.Split(err.Error(),
			"\n"), func(l string) bool { return strings.HasPrefix(l, "f.toml:"+test.want) }) {
			t.Errorf("%q: error\n%v\nwant a line with\nf.toml:%s", test.text, err, test.want)
		}
	}
}

// All that is wrong is told of at once, in the order of lines, up to a number.
func TestManifestProblemsTogether(t *testing.T) {
	_, err := ParseManifest("f.toml", "", "module = \"a.wasm\"\nnmae = \"a\"\n[limits]\nmemroy = 1\ntimeout = "+
		"5\n[build]\nsuorce = \"a\"\n")
	want := "f.toml:2: unknown key nmae: did you mean name?\nf.toml:4: unknown key limits.memroy: did you mean " +
		"memory?\n" +
		"f.toml:5: limits.timeout must be a duration, not a number: write it with its unit, such as \"5s\" or " +
		"\"5ms\"\nf.toml:7: unknown key build.suorce: did you mean source?"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
	text := "module = \"a.wasm\"\n"
	for i := range 25 {
		text += fmt.Sprintf("zzzzzzzzzz%d = 1\n", i)
	}
	_, err = ParseManifest("f.toml", "", text)
	if lines := strings.Split(err.Error(), "\n"); len(lines) != protocol.MaxProblems+1 ||
		lines[len(lines)-1] != "f.toml: and 15 more" {
		t.Errorf("got\n%v", err)
	}
	_, err = ParseManifest("f.toml", "", "module = \"a.wasm\"\n\"a\\nb\\u001b[31m\" = 1\n")
	if err == nil || strings.ContainsAny(err.Error(), "\n\x1b") {
		t.Errorf("a key of two lines: %q", err)
	}
	if _, err = ParseManifest("f.toml", "", "name = \"greet\"\n"); err == nil ||
		err.Error() != `f.toml: module: say which file it is, such as module = "greet.wasm" or script = "greet.py"` {
		t.Errorf("no module: %v", err)
	}
	if m, err := ParseManifest("f.toml", "other", "name = \"so not\"\nmodule = \"a.wasm\"\nversion = "+
		"3\n"); err != nil || m.Function.Name != "other" || m.Function.Version != 0 {
		t.Errorf("a name in place of a wrong one: %+v, %v", m, err)
	}
}

func TestMeant(t *testing.T) {
	all := []string{"memory", "timeout", "name", "env", "to"}
	for word, want := range map[string]string{
		"memroy": "memory", "memmory": "memory", "Memory": "memory", "tiemout": "timeout", "nam": "name",
		"environment": "env", "mem": "memory",
		"xyz": "", "": "", strings.Repeat("memory", 1000): "", "é": "",
	} {
		got := strings.TrimSuffix(strings.TrimPrefix(meant(word, all), "did you mean "), "?")
		if got != want {
			t.Errorf("%.40q: %q, want %q", word, got, want)
		}
	}
}

// The line of a key is one that has it.
func TestKeyLines(t *testing.T) {
	text := "a = 1\n\"b.c\" = 2\n[t.u]\nx.y = '''\n[no]\n''' # no = 1\nz = [\n{ q = \"]\" },\n]\n[[l]]\nk = " +
		"\"\\\"\"\n[[l]]\n[l.m]\nn = \"\"\"a\\\"\"\"\"\n[[l.s]]\n[[l.s]]\np = 1"
	want := map[string]int{"a": 1, "b.c": 2, "t": 3, "t.u": 3, "t.u.x": 4, "t.u.x.y": 4, "t.u.z": 7, "l": 10,
		"l[0]": 10, "l[0].k": 11, "l[1]": 12,
		"l.m": 13, "l[1].m.n": 14, "l.s": 15, "l[1].s[0]": 15, "l[1].s[1]": 16, "l[1].s[1].p": 17}
	if got := keyLines(text); !maps.Equal(got, want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
}

// FuzzKeyLines gives strangers' texts: the scanner ends, and if the text is TOML it has found the keys.
func FuzzKeyLines(f *testing.F) {
	for _, s := range []string{"a = 1", "[a.b]\n\"c d\" = '''x'''", "[[a]]\nb = [1, [2]]\n[[a]]", "a.b.c = { d = 1 }",
		"[", "a = \"\\", "\"\"\"", "[[a", "a = 1 # [b]\r\n'c' = 2"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		lines := keyLines(text)
		n := strings.Count(text, "\n") + 1
		for k, l := range lines {
			if l < 1 || l > n {
				t.Fatalf("%q is in line %d of %d", k, l, n)
			}
		}
		var values map[string]any
		if _, err := toml.Decode(text, &values); err != nil {
			return
		}
		for k := range values {
			if lines[k] == 0 {
				t.Fatalf("no line for %q: %v", k, lines)
			}
		}
	})
}
