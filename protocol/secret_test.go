package protocol

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"time"
)

// Keys of the bucket are those of functions and names, and nothing else.
func TestSecretKey(t *testing.T) {
	for key, want := range map[string][2]string{
		"greet.API_KEY": {"greet", "API_KEY"}, "_.tls.key": {"_", "tls.key"}, "a-b_c.1": {"a-b_c", "1"},
		"f." + strings.Repeat("n", 128): {"f", strings.Repeat("n", 128)},
	} {
		function, name, err := ParseSecretKey(key)
		if err != nil || [2]string{function, name} != want {
			t.Errorf("%s: %s, %s, %v", key, function, name, err)
		}
		if got, err := SecretKey(function, name); got != key || err != nil {
			t.Errorf("%s is %s, %v", key, got, err)
		}
	}
	for _, key := range []string{"", ".", "f", "f.", ".n", "__.n", "_f.n", "f..n", "f.n.", "f.a..b", "f.a b", "f.*", "f.>",
		"f.ä",
		"f.a/b", "f.a\nb", "f." + strings.Repeat("n", 129), strings.Repeat("f", 65) + ".n"} {
		if _, _, err := ParseSecretKey(key); err == nil || CodeOf(err) != CodeBadRequest {
			t.Errorf("%q: %v", key, err)
		}
	}
}

// What is sealed is for one key of the bucket.
func TestSecretText(t *testing.T) {
	for _, value := range []string{"", "hunter22", "a\nb\n", strings.Repeat("x", MaxSecretValue)} {
		text, err := SecretText("f.n", []byte(value))
		if err != nil {
			t.Fatal(err)
		}
		if got, err := ParseSecretText("f.n", text); string(got) != value || err != nil {
			t.Errorf("%.20q, %v", got, err)
		}
		for _, key := range []string{"_.n", "f.m", "g.n", "f.n\n"} {
			if got, err := ParseSecretText(key, text); err == nil || CodeOf(err) != CodeUnavailable || got != nil {
				t.Errorf("as %q: %.20q, %v", key, got, err)
			}
		}
	}
	if _, err := SecretText("f.n", make([]byte, MaxSecretValue+1)); CodeOf(err) != CodeBadRequest {
		t.Errorf("too long: %v", err)
	}
	long := append([]byte("polyvoke-secret-v1\nf.n\n"), make([]byte, MaxSecretValue+1)...)
	if _, err := ParseSecretText("f.n", long); CodeOf(err) != CodeUnavailable {
		t.Errorf("too long: %v", err)
	}
}

// sealed is a record as it is written.
func sealed(t testing.TB) string {
	key := "X" + strings.Repeat("A", curveLength-1)
	b, err := json.Marshal(NewSealedSecret(key, key, bytes.Repeat([]byte{7}, 100), time.Unix(1e9, 5)))
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// A record is checked before anything is done with it.
func TestSealedSecret(t *testing.T) {
	good := sealed(t)
	s, err := ParseSealedSecret([]byte(good))
	if err != nil || len(s.Bytes()) != 100 || !s.Created.Equal(time.Unix(1e9, 0)) {
		t.Fatalf("%+v, %v", s, err)
	}
	for what, bad := range map[string]string{
		"nothing": "", "null": "null", "a list": "[]", "cut": good[:len(good)-1], "two": good + good,
		"a later version": strings.Replace(good, `"version":1`, `"version":2`, 1),
		"no key":          strings.Replace(good, `"key":"X`, `"key":"U`, 1),
		"a short key":     strings.Replace(good, `"from":"XA`, `"from":"X`, 1),
		"no base64":       strings.Replace(good, `"box":"Bw`, `"box":"+w`, 1),
		"a line feed":     strings.Replace(good, `"box":"Bw`, `"box":"Bw\n`, 1),
		"large":           good + strings.Repeat(" ", MaxSealed),
	} {
		if _, err := ParseSealedSecret([]byte(bad)); err == nil || CodeOf(err) != CodeUnavailable {
			t.Errorf("%s: %v", what, err)
		}
	}
}

// FuzzSealedSecret reads records from anybody: what is taken can be used.
func FuzzSealedSecret(f *testing.F) {
	f.Add([]byte(sealed(f)))
	f.Add([]byte(`{"version":1}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		s, err := ParseSealedSecret(b)
		if err == nil && (CheckCurveKey(s.Key) != nil || CheckCurveKey(s.From) != nil || len(s.Bytes()) > MaxSealed) {
			t.Errorf("%+v", s)
		}
	})
}
