package trust

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// author is somebody with a key.
type author struct {
	seed   []byte
	signer string
}

func newAuthor(t testing.TB) author {
	seed, signer, err := NewKey()
	if err != nil {
		t.Fatal(err)
	}
	return author{seed, signer}
}

// function returns a version that an author has signed.
func (a author) function(t testing.TB, name string) *protocol.Function {
	f := &protocol.Function{Name: name, Digest: protocol.Digest([]byte(name))}
	s, err := Sign(f, a.seed)
	if err != nil {
		t.Fatal(err)
	}
	f.Signature = &s
	return f
}

func TestPolicy(t *testing.T) {
	ada, bob, eve := newAuthor(t), newAuthor(t), newAuthor(t)
	policy := Policy{Signers: []Signer{
		{Name: "Ada", Key: ada.signer, Functions: []string{"orders-*", "hello"}},
		{Name: "Bob", Key: bob.signer, Functions: []string{"hello"}},
	}}
	strict := policy
	strict.Required = true
	unsigned := &protocol.Function{Name: "hello"}
	free := &protocol.Function{Name: "free"}
	for _, tt := range []struct {
		about  string
		policy *Policy
		f      *protocol.Function
		want   string
	}{
		{"no policy", nil, unsigned, ""},
		{"a signature that nobody asks for", nil, eve.function(t, "hello"), ""},
		{"signed by the first", &policy, ada.function(t, "hello"), ""},
		{"signed by the second", &policy, bob.function(t, "hello"), ""},
		{"a pattern", &policy, ada.function(t, "orders-eu"), ""},
		{"no signature", &policy, unsigned, "it is not signed"},
		{"no signature, of another name", &policy, free, ""},
		{"no signature, of another name, but required", &strict, free, "it is not signed"},
		{"somebody else's", &policy, eve.function(t, "hello"), "not in the service's trust policy"},
		{"somebody else's, of a name that is free", &policy, eve.function(t, "free"), ""},
		{"somebody else's, but required", &strict, eve.function(t, "free"), "not in the service's trust policy"},
		{"a signer for other names", &policy, bob.function(t, "orders-eu"), "Bob"},
		{"a signer for other names, but required", &strict, bob.function(t, "free"), "Bob"},
	} {
		err := tt.policy.Check(tt.f)
		switch {
		case tt.want == "" && err != nil:
			t.Errorf("%s: %v", tt.about, err)
		case tt.want != "" && (err == nil || protocol.CodeOf(err) != protocol.CodeForbidden ||
			!strings.Contains(err.Error(), tt.want)):
			t.Errorf("%s: %v, want code 403 and %q", tt.about, err, tt.want)
		}
	}
}

// Whatever is changed after the signature is noticed, by whatever policy.
func TestTampered(t *testing.T) {
	ada, eve := newAuthor(t), newAuthor(t)
	policy := &Policy{Signers: []Signer{{Key: ada.signer, Functions: []string{"hello", "other"}}}}
	for name, change := range map[string]func(f *protocol.Function){
		"the module":   func(f *protocol.Function) { f.Digest = protocol.Digest([]byte("another")) },
		"the name":     func(f *protocol.Function) { f.Name = "other" },
		"a limit":      func(f *protocol.Function) { f.Limits.Fuel = 1 },
		"a grant":      func(f *protocol.Function) { f.Grants = []protocol.Grant{{Secret: "KEY"}} },
		"the value":    func(f *protocol.Function) { f.Signature.Value = "A" + f.Signature.Value[1:] },
		"the signer":   func(f *protocol.Function) { f.Signature.Signer = eve.signer },
		"a checksum":   func(f *protocol.Function) { f.Signature.Signer = f.Signature.Signer[:54] + "AA" },
		"the whole":    func(f *protocol.Function) { *f.Signature = protocol.Signature{} },
		"another kind": func(f *protocol.Function) { f.Signature.Signer = "A" + f.Signature.Signer[1:] },
	} {
		f := ada.function(t, "hello")
		change(f)
		if f.Signature.Value == ada.function(t, "hello").Signature.Value && name == "the value" {
			f.Signature.Value = "B" + f.Signature.Value[1:]
		}
		if err := policy.Check(f); protocol.CodeOf(err) != protocol.CodeForbidden {
			t.Errorf("%s: %v", name, err)
		}
	}
	given := ada.function(t, "hello")
	given.Version, given.Size, given.Language = 3, 99, "C"
	if err := policy.Check(given); err != nil {
		t.Errorf("what the registry gives counts: %v", err)
	}
}

// A file of a seed may be as nk, nsc and people write it; what is none is refused, and never repeated.
func TestSeeds(t *testing.T) {
	ada := newAuthor(t)
	f := &protocol.Function{Name: "hello"}
	for _, file := range []string{string(ada.seed), "\n  " + string(ada.seed) + "  \r\n",
		ada.signer + "\n" + string(ada.seed) + "\n", "-----BEGIN USER NKEY SEED-----\n" + string(ada.seed) + "\n------END"} {
		if s, err := Sign(f, []byte(file)); err != nil || s.Signer != ada.signer {
			t.Errorf("%q: %v", file, err)
		}
	}
	for name, file := range map[string][]byte{
		"none": nil, "a public key": []byte(ada.signer), "a broken seed": append(bytes.Clone(ada.seed[:50]), "AAAAAAAA"...),
		"much": bytes.Repeat([]byte("S"), maxSeed+1),
	} {
		if _, err := Sign(f, file); err == nil || bytes.Contains([]byte(err.Error()), ada.seed[:20]) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestParsePolicy(t *testing.T) {
	ada := newAuthor(t)
	good := "[[signer]]\nname = \"Ada\"\nkey = \"" + ada.signer + "\"\nfunctions = [\"orders-*\"]\n"
	p, err := ParsePolicy([]byte("required = true\n" + good))
	if err != nil || !p.Required || len(p.Signers) != 1 || !p.Signers[0].For("orders-eu") || p.Signers[0].For("hello") {
		t.Errorf("%+v, %v", p, err)
	}
	for _, tt := range []struct{ text, want string }{
		{"required = yes", "line 1"},
		{good + "[[signer]]\nkey = U\n", "line 6"},
		{"requird = true", "requird is no key"},
		{strings.Replace(good, "name", "nmae", 1), "signer.nmae is no key"},
		{strings.Replace(good, ada.signer, string(ada.seed), 1), "key is a seed"},
		{strings.Replace(good, ada.signer, "", 1), "write the public nkey"},
		{strings.Replace(good, ada.signer, ada.signer[:55]+"A", 1), "write the public nkey"},
		{strings.Replace(good, "\"orders-*\"", "", 1), "functions is missing"},
		{strings.Replace(good, "orders-*", "[a", 1), "no name and no pattern"},
		{strings.Replace(good, "orders-*", strings.Repeat("a", 65), 1), "no name and no pattern"},
		{strings.Repeat(good, maxSigners+1), "at most 1000"},
		{strings.Repeat("#", maxPolicy+1), "at most"},
	} {
		if ada.signer[55] == 'A' && strings.Contains(tt.text, ada.signer) {
			continue // this key is what the case would make of it
		}
		_, err := ParsePolicy([]byte(tt.text))
		if err == nil || !strings.Contains(err.Error(), tt.want) || strings.Contains(err.Error(), string(ada.seed)) {
			t.Errorf("%.60q: %v, want %q", tt.text, err, tt.want)
		}
	}
}

func TestReadPolicy(t *testing.T) {
	file := filepath.Join(t.TempDir(), "trust.toml")
	if _, err := ReadPolicy(file); err == nil {
		t.Error("there is no such file")
	}
	if err := os.WriteFile(file, []byte("required = true\nmore = 1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := ReadPolicy(file); err == nil || !strings.Contains(err.Error(), "trust.toml: more is no key") {
		t.Error(err)
	}
}

// FuzzParsePolicy checks that whatever is read can be used.
func FuzzParsePolicy(f *testing.F) {
	f.Add("required = true\n[[signer]]\nkey = \"U\"\nfunctions = [\"*\"]\n")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePolicy([]byte(text))
		if err != nil {
			return
		}
		if err := p.Check(&protocol.Function{Name: "hello"}); err != nil && protocol.CodeOf(err) != protocol.CodeForbidden {
			t.Error(err)
		}
	})
}

// BenchmarkCheck is what a version costs when it is loaded, in the case that costs most.
func BenchmarkCheck(b *testing.B) {
	ada := newAuthor(b)
	policy := &Policy{Signers: []Signer{{Key: ada.signer, Functions: []string{"hello"}}}}
	f := ada.function(b, "hello")
	for b.Loop() {
		if err := policy.Check(f); err != nil {
			b.Fatal(err)
		}
	}
}
