package control

import (
	"strings"
	"testing"
	"testing/fstest"

	"github.com/polyvoke/polyvoke/protocol"
	"github.com/polyvoke/polyvoke/runtimes/script"
)

// The author of a function is told of what it opens and may not, and of what will not go as it looks.
func TestGranted(t *testing.T) {
	code, err := script.Pack(fstest.MapFS{
		"shop.py": {Data: []byte(`open("/kv/stock/tea"); open("/kv/prices/tea"); open("/secret/KEY")`)},
	}, "shop.py", nil)
	if err != nil {
		t.Fatal(err)
	}
	f := &protocol.Function{Name: "shop", Runtime: "python",
		Triggers: []protocol.Trigger{{Subject: "orders.*"}, {Subject: "other"}},
		Grants: []protocol.Grant{{KV: "stock"}, {HTTP: "http://127.0.0.1:8080/v1"}, {HTTP: "api.example.com"},
			{Pub: "orders.new"}, {Pub: "done.>"}}}
	want := []string{
		"shop seems to open /kv/prices, which is not granted",
		"shop seems to open /secret/KEY, which is not granted",
		"shop may ask http://127.0.0.1:8080/v1, which is of an invoker's own machine",
		"shop may write to /pub/orders.new and is called by orders.*: a loop",
	}
	got := Advice(f, code)
	if len(got) != len(want) {
		t.Fatalf("got %q", got)
	}
	for i := range want {
		if !strings.HasPrefix(got[i], want[i]) {
			t.Errorf("got %q, want %q", got[i], want[i])
		}
	}
	f.AllowLoop = true
	if got := Advice(f, []byte("no script")); len(got) != 1 {
		t.Errorf("with allow_loop, and without a script: %q", got)
	}
}

// There are only so many warnings, however much a module names.
func TestGrantedIsBounded(t *testing.T) {
	data := ""
	for i := range 20 {
		data += "/kv/bucket" + string(rune('a'+i)) + "/"
	}
	module := "\x00asm\x01\x00\x00\x00\x0b" + string([]byte{byte(len(data)&0x7f | 0x80), byte(len(data) >> 7)}) + data
	got := Advice(&protocol.Function{Name: "f"}, []byte(module))
	if len(got) != mostGrantWarnings+1 || !strings.HasSuffix(got[mostGrantWarnings], "12 more paths that are not granted") {
		t.Errorf("got %q", got)
	}
}
