package cloudevents

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"

	"github.com/polyvoke/polyvoke/protocol"
)

// message reads the headers and the body of a vector.
func message(in string) (protocol.Header, []byte) {
	head, body, ok := strings.Cut(in, "\n\n")
	if !ok {
		head, body, _ = strings.Cut(in, "\n")
	}
	h := protocol.Header{}
	for line := range strings.Lines(head) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		h[name] = append(h[name], value)
	}
	return h, []byte(strings.TrimSuffix(body, "\n"))
}

func TestVectors(t *testing.T) {
	archive, err := txtar.ParseFile("testdata/events.txtar")
	if err != nil || len(archive.Files) < 20 || len(archive.Files)%2 != 0 {
		t.Fatalf("%d files, %v", len(archive.Files), err)
	}
	for i := 0; i < len(archive.Files); i += 2 {
		in, want := archive.Files[i], archive.Files[i+1]
		t.Run(in.Name, func(t *testing.T) {
			if want.Name != in.Name+".want" {
				t.Fatalf("%s follows", want.Name)
			}
			if diff := cmp.Diff(strings.TrimSuffix(string(want.Data), "\n"), read(string(in.Data))); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// read returns what Parse reads of a vector, in the form of the vectors.
func read(in string) string {
	e, err := Parse(message(in))
	if err != nil {
		return fmt.Sprintf("error %d: %v", protocol.CodeOf(err), err)
	}
	var out strings.Builder
	for _, name := range slices.Sorted(maps.Keys(e.Attributes)) {
		fmt.Fprintf(&out, "%s: %s\n", name, e.Attributes[name])
	}
	if len(e.Data) == 0 {
		return out.String()
	}
	return out.String() + "\n" + string(e.Data)
}

// What a function publishes is an event, also to whoever reads it, and keeps the headers of the message.
func TestNew(t *testing.T) {
	at := time.Date(2026, 12, 1, 8, 0, 0, 0, time.FixedZone("", 3600))
	e := New("price", "order 7 €", at, []byte("x"))
	h := e.Message(protocol.Header{protocol.HeaderID: {"order 7 €"}, "CE-Type": {"another"}, "content-type": {"text/plain"}})
	want := protocol.Header{"ce-specversion": {"1.0"}, "ce-id": {"order%207%20%E2%82%AC"}, "ce-source": {"/polyvoke/price"},
		"ce-type": {"price.reply"}, "ce-time": {"2026-12-01T07:00:00Z"}, protocol.HeaderID: {"order 7 €"}}
	if diff := cmp.Diff(want, h); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	back, err := Parse(h, e.Data)
	if diff := cmp.Diff(e, back); diff != "" || err != nil {
		t.Errorf("read back: %v\n%s", err, diff)
	}
	if got := e.Request(nil)["ce-id"]; !slices.Equal(got, []string{"order 7 €"}) {
		t.Errorf("a process gets the id %q", got)
	}
}

// An event has bounds.
func TestBounds(t *testing.T) {
	for name, change := range map[string]func(a map[string]string){
		"too many": func(a map[string]string) {
			for i := range MaxAttributes {
				a[fmt.Sprintf("x%d", i)] = ""
			}
		},
		"a long name":        func(a map[string]string) { a[strings.Repeat("x", MaxName+1)] = "1" },
		"long values":        func(a map[string]string) { a["x"] = strings.Repeat("x", MaxValues) },
		"data":               func(a map[string]string) { a["data"] = "1" },
		"an empty subject":   func(a map[string]string) { a[Subject] = "" },
		"a bad source":       func(a map[string]string) { a[Source] = "%zz" },
		"a bad type of data": func(a map[string]string) { a[DataContentType] = "/" },
	} {
		e := New("f", "1", time.Unix(0, 0), nil)
		change(e.Attributes)
		if err := e.Check(); protocol.CodeOf(err) != protocol.CodeBadRequest {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// FuzzParse checks that what is read as an event is one, and comes back from both modes as it was.
func FuzzParse(f *testing.F) {
	f.Add("ce-specversion", "1.0", "ce-id", "%20", "Content-Type", "", []byte("{}"))
	f.Add("", "", "", "", "Content-Type", inJSON,
		[]byte(`{"specversion":"1.0","id":"1","source":"/s","type":"t","n":7,"data":"x"}`))
	f.Add("ce-specversion", "1.0", "ce-id", `"a\"b"`, "ce-source", "/s", []byte("x"))
	f.Fuzz(func(t *testing.T, k1, v1, k2, v2, k3, v3 string, body []byte) {
		for _, required := range []protocol.Header{{}, {"ce-source": {"/s"}, "ce-type": {"t"}}} {
			required[k1], required[k2], required[k3] = []string{v1}, []string{v2}, []string{v3}
			e, err := Parse(required, body)
			if err != nil {
				if protocol.CodeOf(err) != protocol.CodeBadRequest {
					t.Fatalf("code %d: %v", protocol.CodeOf(err), err)
				}
				continue
			}
			comesBack(t, e)
		}
	})
}

// comesBack checks that an event is read again from either mode, and that no value of it can begin another header.
func comesBack(t *testing.T, e Event) {
	t.Helper()
	if err := e.Check(); err != nil {
		t.Fatalf("%+v is no event: %v", e, err)
	}
	h := e.Message(nil)
	for name, values := range h {
		if strings.ContainsFunc(name+values[0], func(r rune) bool { return r < ' ' || r > '~' }) {
			t.Fatalf("header %q: %q", name, values)
		}
	}
	back, err := Parse(h, e.Data)
	if err != nil || !maps.Equal(back.Attributes, e.Attributes) {
		t.Fatalf("binary mode: %v\n%q\n%q", err, e.Attributes, back.Attributes)
	}
	members := map[string]any{"data_base64": e.Data}
	for name, value := range e.Attributes {
		members[name] = value
	}
	text, err := json.Marshal(members)
	if err != nil {
		t.Fatal(err)
	}
	back, err = Parse(protocol.Header{contentType: {inJSON}}, text)
	if err != nil || !maps.Equal(back.Attributes, e.Attributes) || string(back.Data) != string(e.Data) {
		t.Fatalf("structured mode: %v\n%q\n%q", err, e, back)
	}
}
