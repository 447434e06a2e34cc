package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// The vectors have manifests as they are on the wire, and what is signed of them.
func TestSignatureVectors(t *testing.T) {
	vectors(t, "signatures.txtar", func(in, _ string) string {
		f, err := ParseFunction([]byte(in))
		if err != nil {
			t.Fatal(err)
		}
		return string(f.Canonical()) + "\n" + string(f.SignedText())
	})
}

// A signature is checked before anything is done with it.
func TestSignatureForm(t *testing.T) {
	signer, value := "U"+strings.Repeat("A", 55), strings.Repeat("A", 86)
	for _, tt := range []struct{ signer, value, want string }{
		{signer, value, ""},
		{"A" + signer[1:], value, ""},
		{"", value, "no signer"},
		{"S" + signer[1:], value, "no signer"},
		{signer + "A", value, "no signer"},
		{signer[:55] + "1", value, "no signer"},
		{signer[:55] + "a", value, "no signer"},
		{signer, "", "64 bytes"},
		{signer, value + "A", "64 bytes"},
		{signer, value + "==", "64 bytes"},
		{signer, value[:85] + "B", "64 bytes"}, // two spellings of one value are one too many
		{signer, strings.Repeat("+", 86), "64 bytes"},
		{signer, value[:43] + "\n" + value[43:], "64 bytes"},
	} {
		s := Signature{Signer: tt.signer, Value: tt.value}
		f := Function{Name: "f", Signature: &s}
		err := f.Check()
		switch {
		case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
			t.Errorf("%q %q: %v, want %q", tt.signer, tt.value, err, tt.want)
		case err != nil && CodeOf(err) != CodeRefused:
			t.Errorf("%q %q: code %d", tt.signer, tt.value, CodeOf(err))
		}
	}
}

// What a deployment fills in is not signed; all else is.
func TestAuthored(t *testing.T) {
	signed := Function{Name: "f", Digest: "sha256:" + strings.Repeat("0", 64), Runtime: "python"}
	stored := signed
	stored.Runtime, stored.Limits.Memory, stored.Version, stored.Language = "python@3", 64<<20, 7, "Python"
	matches := func(f *Function) bool {
		for _, a := range f.Authored() {
			if bytes.Equal(a.SignedText(), signed.SignedText()) {
				return true
			}
		}
		return false
	}
	if !matches(&stored) {
		t.Error("what a deployment has filled in is signed")
	}
	for name, change := range map[string]func(f *Function){
		"name":    func(f *Function) { f.Name = "g" },
		"digest":  func(f *Function) { f.Digest = "sha256:" + strings.Repeat("1", 64) },
		"env":     func(f *Function) { f.Env = map[string]string{"A": "b"} },
		"runtime": func(f *Function) { f.Runtime = "ruby@3" },
		"timeout": func(f *Function) { f.Limits.Timeout = 1 },
		"grant":   func(f *Function) { f.Grants = []Grant{{Secret: "KEY"}} },
	} {
		f := stored
		change(&f)
		if matches(&f) {
			t.Errorf("another %s is not noticed", name)
		}
	}
	module := Function{Name: "f", Digest: signed.Digest}
	module.Limits.Memory = 64 << 20
	if len(module.Authored()) != 1 {
		t.Error("the memory of a module is not signed")
	}
}

// FuzzCanonical checks that the form that is signed is JSON, that it is its own form, and that it means what the manifest
// does: two manifests of one form are the same.
func FuzzCanonical(f *testing.F) {
	f.Add(`{"name":"greet","env":{"é\u2028":"\u0001<&>","\ud83d\ude00":"x","a":"b"},"args":["\u007f","\\\""]}`)
	f.Add(`{"name":"a","limits":{"timeout":"3s","memory":"64MiB"},"job":{"rate":"1/s"},"trigger":[{"subject":"a.*"}]}`)
	f.Fuzz(func(t *testing.T, manifest string) {
		m, err := ParseFunction([]byte(manifest))
		if err != nil {
			return
		}
		once := m.Canonical()
		if !json.Valid(once) {
			t.Fatalf("%s is no JSON", once)
		}
		back, err := ParseFunction(once)
		if err != nil {
			t.Fatalf("%s: %v", once, err)
		}
		if again := back.Canonical(); !bytes.Equal(once, again) {
			t.Fatalf("%s and then %s", once, again)
		}
		m.Language, m.Digest, m.Signature, m.Needs = "", "", nil, nil
		if !m.Same(&back) {
			t.Fatalf("%s is another manifest than %s", once, manifest)
		}
	})
}
