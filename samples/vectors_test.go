package samples_test

import (
	"bytes"
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/tetratelabs/wazero"

	"github.com/polyvoke/polyvoke/samples"
)

var badInput = regexp.MustCompile(`^bad input: [^\n]+\n$`)

// TestGreet holds all languages to the same requests and replies.
func TestGreet(t *testing.T) {
	vectors := append(readVectors(t, "greet/vectors.json"), largeVectors()...)
	languages := 0
	for _, s := range samples.All() {
		if !strings.HasPrefix(s.Name, "greet-") {
			continue
		}
		languages++
		t.Run(s.Name, func(t *testing.T) {
			b := newSandbox(t)
			b.check(b.build(s), vectors)
		})
	}
	if languages != 7 {
		t.Errorf("%d languages, want 7", languages)
	}
}

func TestWordcount(t *testing.T) {
	b := newSandbox(t)
	p := b.build(find(t, "wordcount"))
	b.check(p, readVectors(t, "wordcount/vectors.json"))

	line := "The quick brown fox jumps over the lazy dog, doesn't it? Été 東京\n"
	n := 10<<20/len(line) + 1
	b.check(p, []vector{{
		About: "10 MiB",
		Stdin: strings.Repeat(line, n),
		Stdout: fmt.Sprintf(`{"lines":%d,"words":%d,"bytes":%d,"top":[["the",%d],["brown",%[5]d],["doesn't",%[5]d],`+
			`["dog",%[5]d],["fox",%[5]d],["it",%[5]d],["jumps",%[5]d],["lazy",%[5]d],["over",%[5]d],["quick",%[5]d]]}`+"\n",
			n, 13*n, n*len(line), 2*n, n),
		Log: fmt.Sprintf("counted %d bytes, 12 different words\n", n*len(line)),
	}})
}

// check runs p on every vector. Where v.Exit is not 0, stderr is one line that says why.
func (b sandbox) check(p wazero.CompiledModule, vectors []vector) {
	b.t.Helper()
	for _, v := range vectors {
		got := b.run(p, v.Args, v.body())
		if got.exit != v.Exit {
			b.t.Errorf("%s: exit %d, want %d; stderr %s", v.About, got.exit, v.Exit, brief(got.stderr))
		}
		if got.stdout != v.Stdout {
			b.t.Errorf("%s: stdout\n%s, want\n%s", v.About, brief(got.stdout), brief(v.Stdout))
		}
		if v.Log != "" && got.stderr != v.Log {
			b.t.Errorf("%s: stderr\n%s, want\n%s", v.About, brief(got.stderr), brief(v.Log))
		}
		if v.Exit != 0 && !badInput.MatchString(got.stderr) {
			b.t.Errorf("%s: stderr %s, want one line that starts with \"bad input: \"", v.About, brief(got.stderr))
		}
	}
}

// brief quotes s, shortened in the middle.
func brief(s string) string {
	const most = 400
	if len(s) <= most {
		return fmt.Sprintf("%q", s)
	}
	return fmt.Sprintf("%q ... %q (%d bytes)", s[:most/2], s[len(s)-most/2:], len(s))
}

func find(t *testing.T, name string) samples.Sample {
	t.Helper()
	for _, s := range samples.All() {
		if s.Name == name {
			return s
		}
	}
	t.Fatalf("there is no sample %s", name)
	return samples.Sample{}
}

// largeVectors are those too large for a file.
func largeVectors() []vector {
	const million = 1 << 20
	ada := "greeting Ada\n"
	hello := `{"greeting":"Hello, Ada!"}` + "\n"
	long := strings.Repeat("Zoë 李\t", million/8)
	escaped := strings.Repeat(`Zoë 李\t`, million/8)
	return []vector{
		greeting("a name of 1 MiB", strings.Repeat("x", million), strings.Repeat("x", million)),
		greeting("a name of 1 MiB and escapes", strings.ReplaceAll(long, "\t", `\u0009`), escaped),
		greeting("a name of escapes only", strings.Repeat(`\ud83d\ude00\u0000`, million/16),
			strings.Repeat(`😀\u0000`, million/16)),
		{About: "4 MiB of another member", Stdin: `{"x":"` + strings.Repeat("y", 4*million) + `","name":"Ada"}`,
			Stdout: hello, Log: ada},
		{About: "4 MiB of white space", Stdin: `{"name":"Ada"}` + strings.Repeat(" ", 4*million), Stdout: hello, Log: ada},
		{About: "many small members", Stdin: `{` + strings.Repeat(`"k":[{"v":"w"},-1.5e3],`, 50_000) + `"name":"Ada"}`,
			Stdout: hello, Log: ada},
		{About: "a name many times", Stdin: `{` + strings.Repeat(`"name":"Bob",`, 100_000) + `"name":"Ada"}`,
			Stdout: hello, Log: ada},
		{About: "100,000 levels", Stdin: `{"name":"Ada","x":` + strings.Repeat("[", 100_000) + strings.Repeat("]", 100_000) +
			`}`, Exit: 65},
		{About: "100,000 objects", Stdin: strings.Repeat(`{"name":`, 100_000) + `"Ada"` +
			strings.Repeat("}", 100_000), Exit: 65},
		{About: "a million open brackets", Stdin: strings.Repeat("[", million), Exit: 65},
		{About: "a million quotes", Stdin: `{` + strings.Repeat(`"`, million), Exit: 65},
		{About: "a million zero bytes", Stdin64: bytes.Repeat([]byte{0}, million), Exit: 65},
	}
}

// greeting is the vector of a name: as it stands in the request, and in the reply.
func greeting(about, name, escaped string) vector {
	return vector{
		About:  about,
		Stdin:  `{"name":"` + name + `"}`,
		Stdout: `{"greeting":"Hello, ` + escaped + `!"}` + "\n",
		Log:    "greeting " + escaped + "\n",
	}
}
