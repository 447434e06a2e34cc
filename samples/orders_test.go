package samples_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/samples"
)

// TestOrders hands orders from one function to the next by hand.
func TestOrders(t *testing.T) {
	b := newSandbox(t)
	for i, o := range samples.OrderExamples() {
		name := fmt.Sprintf("A-%d", i)
		body := fmt.Sprintf(o.Request, name)
		for _, s := range samples.Orders() {
			got := b.run(b.compile(s.Wasm), nil, []byte(body))
			if got.exit != 0 || got.stderr != "" {
				t.Fatalf("%s makes of %s: %+v", s.Name, body, got)
			}
			body = got.stdout
		}
		if want := fmt.Sprintf(o.Receipt, name); body != want {
			t.Errorf("got %s, want %s", body, want)
		}
	}
}

// TestOrderSteps holds each function to what it makes of one order, and to what it refuses.
func TestOrderSteps(t *testing.T) {
	const valid = `{"order":"A-1","item":"tea","count":7,"country":"DE"}` + "\n"
	const priced = `{"order":"A-1","item":"tea","count":7,"country":"DE","price":450,"net":3150}` + "\n"
	const taxed = `{"order":"A-1","item":"tea","count":7,"country":"DE","price":450,"net":3150,` +
		`"tax":599,"total":3749}` + "\n"
	const packed = `{"order":"A-1","item":"tea","count":7,"country":"DE","price":450,"net":3150,` +
		`"tax":599,"total":3749,"boxes":2}` + "\n"
	const receipt = `{"order":"A-1","receipt":"7 x tea at 4.50, tax 5.99, total 37.49 EUR, 2 boxes to DE"}` + "\n"
	member := func(old, new string) string { return strings.Replace(valid, old, new, 1) }
	for i, c := range []struct {
		in, want string
		refused  []string
	}{
		{"\r\n{\"count\" : 7,\"country\":\"DE\",\t\"order\":\"A-1\", \"item\":\"tea\"} ", valid, []string{
			"", " ", "{}", "[]", "null", "{", valid + "x", valid + valid, strings.TrimSuffix(valid, "}\n"),
			`{"order":"A-1","item":"tea","count":7}`,
			member(`"DE"`, `"DE","x":1`), member(`"DE"`, `"DE","count":7`), member(`"DE"`, `"DE","order":"A-2"`),
			member(`"DE"`, `"DE",`), member(`"DE"`, `7`),
			member("7", "0"), member("7", "07"), member("7", "100"), member("7", "-7"), member("7", "7.5"),
			member("7", "99999999999999999999"), member("7", `"7"`),
			member("A-1", ""), member("A-1", "a b"), member("A-1", `\u0041`), member("A-1", "Ä"), member("A-1", "\xff"),
			member("A-1", "a\x00"), member("A-1", strings.Repeat("x", 33)),
			member("A-1", strings.Repeat("x", 5000)), strings.Repeat(" ", 5000) + valid, strings.Repeat("{", 4000)}},
		{valid, priced, []string{"", "{}", "[]", member("tea", "gold"), member("7", `"x"`), member("7", "99999999999"),
			member("7", "9999999"), member("A-1", `a,b`), member("A-1", "\xff"), member("A-1", `\u0041`), valid[1:]}},
		{priced, taxed, []string{"", valid, priced + "x", strings.Replace(priced, "DE", "XX", 1),
			strings.Replace(priced, "3150", "99999999", 1), strings.Replace(priced, "3150", "-1", 1),
			strings.Repeat("{", 5000)}},
		{taxed, packed, []string{"", "null", valid, taxed + "x", strings.Replace(taxed, ":7", ":-7", 1),
			strings.Replace(taxed, "}", `,"x":1}`, 1), strings.Repeat("[", 5000)}},
		{packed, receipt, []string{"", "7", valid, packed + "x", strings.Replace(packed, ":7", `:"many"`, 1),
			strings.Repeat("[", 5000)}},
	} {
		s := samples.Orders()[i]
		b := newSandbox(t)
		p := b.compile(s.Wasm)
		if got := b.run(p, nil, []byte(c.in)); got.exit != 0 || got.stdout != c.want || got.stderr != "" {
			t.Errorf("%s makes of %s: %+v\nwant %s", s.Name, c.in, got, c.want)
		}
		for _, bad := range c.refused {
			got := b.run(p, nil, []byte(bad))
			if got.exit != 65 || got.stdout != "" || !strings.HasPrefix(got.stderr, "bad order: ") ||
				strings.Count(got.stderr, "\n") != 1 {
				t.Errorf("%s makes of %s: %+v\nwant exit 65 and a reason", s.Name, brief(bad), got)
			}
		}
	}
}

func TestOrderModules(t *testing.T) {
	b := newSandbox(t)
	languages := map[string]bool{}
	for _, s := range samples.Orders() {
		languages[s.Language] = true
		if len(s.Wasm) > maxSize {
			t.Errorf("%s: %d bytes, want at most %d", s.Name, len(s.Wasm), maxSize)
		}
		for _, path := range []string{"/root/", "/home/", "/tmp/", "/var/", "/mnt/", "/Users/"} {
			if strings.Contains(string(s.Wasm), path) {
				t.Errorf("%s: holds a path in %s", s.Name, path)
			}
		}
		for _, f := range b.compile(s.Wasm).ImportedFunctions() {
			if module, name, _ := f.Import(); module != "wasi_snapshot_preview1" {
				t.Errorf("%s: imports %s.%s", s.Name, module, name)
			}
		}
	}
	if len(languages) != 5 {
		t.Errorf("%d languages, want 5", len(languages))
	}
}
