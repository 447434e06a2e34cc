package opens_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/runtimes/module/opens"
	"github.com/polyvoke/polyvoke/runtimes/runtimestest"
)

// Paths are found in text, and what only looks like one is not.
func TestInText(t *testing.T) {
	for text, want := range map[string]string{
		`open("/kv/stock/tea")`: "/kv/stock", `open(f"/kv/stock/{key}")`: "/kv/stock", `"/kv/{bucket}/x"`: "",
		`"/kv/%s"`: "", `"/kv/" + name`: "", "x/kv/stock/": "/kv/stock", "y/obj/images": "", "'/obj/images/a.png'": "/obj/images",
		`open("/fn/price")`: "/fn/price", `"/secret/API_KEY"`: "/secret/API_KEY", "runtime/secret/secret.go": "",
		`"/http/api.example.com/v1"`: "/http/api.example.com", "net/http/server.go": "", `"/http/localhost:8080"`: "",
		`"/pub/orders/eu/new"`: "/pub/orders.eu.new", `"/pub/orders.%s"`: "", "\x00/pub/a.b\x00": "/pub/a.b",
		`connect("/sql/shop.db")`: "/sql/shop.db", "database/sql/driver": "", "/sql/": "", "": "",
		"/kv/" + strings.Repeat("x", 300): "",
	} {
		if got := strings.Join(opens.InText([]byte(text)), " "); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	if got := opens.InText([]byte(`"/kv/b/" "/kv/a"`), []byte(`"/kv/a/x"`)); !slices.Equal(got, []string{"/kv/a", "/kv/b"}) {
		t.Errorf("several texts: %q", got)
	}
	var many strings.Builder
	for i := range 10_000 {
		many.WriteString("/kv/" + strings.Repeat("a", i%200+1) + "/")
	}
	if got := opens.InText([]byte(many.String())); len(got) != opens.Most {
		t.Errorf("%d paths were found", len(got))
	}
}

// Of a module only the data is looked at.
func TestInModule(t *testing.T) {
	text := "/kv/stock/\x00"
	data := "\x0b" + string(rune(len(text))) + text
	custom := "\x00\x0c\x01x/kv/debug/"
	if got := opens.InModule([]byte("\x00asm\x01\x00\x00\x00" + custom + data)); !slices.Equal(got, []string{"/kv/stock"}) {
		t.Errorf("got %q", got)
	}
	if got := opens.InModule(runtimestest.Wasm()); len(got) > 0 {
		t.Errorf("the probe opens %q", got)
	}
}

// Whatever the bytes are, what is found is bounded and has a form.
func FuzzInModule(f *testing.F) {
	f.Add([]byte("\x00asm\x01\x00\x00\x00\x0b\x05/kv/a"))
	f.Add([]byte("/pub/a/b\x00/sql/x.db/http/a.b:1"))
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, p := range slices.Concat(opens.InModule(b), opens.InText(b)) {
			if len(p) > 270 || p[0] != '/' || strings.ContainsAny(p, "\x00\n %{") {
				t.Fatalf("%q", p)
			}
		}
	})
}
