package access

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"maps"
	"math/big"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/golang-jwt/jwt/v5"

	"github.com/polyvoke/polyvoke/invoker/invokertest/await"
)

// signers are private keys, made once for all tests.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	all := map[string]crypto.Signer{}
	for name, curve := range map[string]elliptic.Curve{"ES256": elliptic.P256(), "ES384": elliptic.P384(),
		"ES512": elliptic.P521()} {
		all[name], _ = ecdsa.GenerateKey(curve, rand.Reader)
	}
	for _, name := range []string{"RS256", "RS-other"} {
		all[name], _ = rsa.GenerateKey(rand.Reader, 2048)
	}
	_, all["EdDSA"], _ = ed25519.GenerateKey(rand.Reader)
	return all
})

// jwk returns the public half of a key.
func jwk(id string, key crypto.Signer, more map[string]any) map[string]any {
	enc := func(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }
	k := map[string]any{"kid": id, "use": "sig"}
	switch p := key.Public().(type) {
	case *rsa.PublicKey:
		k["kty"], k["n"], k["e"] = "RSA", enc(p.N.Bytes()), enc(big.NewInt(int64(p.E)).Bytes())
	case *ecdsa.PublicKey:
		b, _ := p.Bytes()
		half := len(b) / 2
		k["kty"], k["crv"], k["x"], k["y"] = "EC", p.Curve.Params().Name, enc(b[1:1+half]), enc(b[1+half:])
	case ed25519.PublicKey:
		k["kty"], k["crv"], k["x"] = "OKP", "Ed25519", enc(p)
	}
	maps.Copy(k, more)
	return k
}

// jwks returns a set of keys.
func jwks(keys ...map[string]any) []byte {
	b, _ := json.Marshal(map[string]any{"keys": keys})
	return b
}

const (
	issuer   = "https://issuer.example"
	audience = "orders"
)

// claims returns valid ones, changed.
func claims(now time.Time, change map[string]any) jwt.MapClaims {
	c := jwt.MapClaims{"iss": issuer, "aud": audience, "sub": "ada", "exp": now.Add(time.Minute).Unix(), "iat": now.Unix()}
	for k, v := range change {
		if c[k] = v; v == nil {
			delete(c, k)
		}
	}
	return c
}

// sign returns a token.
func sign(t testing.TB, alg, kid string, key any, c jwt.Claims, header ...string) string {
	t.Helper()
	token := jwt.NewWithClaims(jwt.GetSigningMethod(alg), c)
	if kid != "" {
		token.Header["kid"] = kid
	}
	for _, h := range header {
		name, value, _ := strings.Cut(h, "=")
		var v any
		if json.Unmarshal([]byte(value), &v) != nil {
			v = value
		}
		token.Header[name] = v
	}
	text, err := token.SignedString(key)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

// raw returns a token of any header, without a signature.
func raw(header, payload string) string {
	enc := base64.RawURLEncoding.EncodeToString
	return enc([]byte(header)) + "." + enc([]byte(payload)) + "."
}

// guarded starts a guard of tokens with the keys of all signers, in a file.
func guarded(t testing.TB, now func() time.Time, change func(*Tokens)) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "keys.json")
	var all []map[string]any
	for name, key := range signers() {
		if name != "RS-other" {
			all = append(all, jwk(name, key, nil))
		}
	}
	if err := os.WriteFile(file, jwks(all...), 0o600); err != nil {
		t.Fatal(err)
	}
	c := Tokens{Keys: file, Issuer: issuer, Audience: []string{audience, "billing"}, Algorithms: Algorithms()}
	if change != nil {
		change(&c)
	}
	return mount(t, serve(t, Config{Tokens: c, Now: now}), Want{Auth: "jwt", Route: "GET /x"})
}

// TestTokens takes tokens of each algorithm, and no others.
func TestTokens(t *testing.T) {
	now := newClock()
	url := guarded(t, now.now, nil)
	bearer := func(token string) answered { return ask(t, url, "Authorization: Bearer "+token) }
	good := claims(now.now(), map[string]any{"scope": "read write", "aud": []string{"other", audience}})
	for _, alg := range Algorithms() {
		signer := alg
		if alg[0] == 'R' || alg[0] == 'P' {
			signer = "RS256"
		}
		a := bearer(sign(t, alg, signer, signers()[signer], good)).want(t, 200)
		if a.auth["Fn-Auth"][0] != "jwt:ada" || a.auth["Fn-Claim-scope"][0] != "read write" ||
			a.auth["Fn-Claim-iss"][0] != issuer || len(a.auth) != 5 {
			t.Errorf("%s: %v", alg, a.auth)
		}
	}
	ec := signers()["ES256"]
	with := func(change map[string]any) string { return sign(t, "ES256", "ES256", ec, claims(now.now(), change)) }
	at := func(d time.Duration) int64 { return now.now().Add(d).Unix() }
	bearer(sign(t, "ES256", "", ec, good)).want(t, 200) // one key of its type: it needs no name
	bearer(with(map[string]any{"aud": "billing"})).want(t, 200)
	bearer(with(map[string]any{"aud": nil, "client_id": audience})).want(t, 200)
	bearer(with(map[string]any{"exp": at(-DefaultSkew + 5*time.Second)})).want(t, 200)
	bearer(with(map[string]any{"nbf": at(DefaultSkew - 5*time.Second)})).want(t, 200)
	bearer(with(map[string]any{"sub": nil})).want(t, 200)
	for words, token := range map[string]string{
		"has expired":        with(map[string]any{"exp": at(-DefaultSkew - 5*time.Second)}),
		"lacks exp":          with(map[string]any{"exp": nil}),
		"not valid yet":      with(map[string]any{"nbf": at(DefaultSkew + 5*time.Second)}),
		"from the future":    with(map[string]any{"iat": at(DefaultSkew + 5*time.Second)}),
		"another issuer":     with(map[string]any{"iss": issuer + "/"}),
		"lacks exp or iss":   with(map[string]any{"iss": nil}),
		"another audience":   with(map[string]any{"aud": "someone"}),
		"another audience ":  with(map[string]any{"aud": nil}),
		"another audience  ": with(map[string]any{"aud": "someone", "client_id": audience}),
		"not valid":          with(map[string]any{"aud": 7}),
		"not valid ":         with(map[string]any{"sub": 7}),
		"sub has control":    with(map[string]any{"sub": "ada\r\nFn-Auth: root"}),
		"sub has 257 bytes":  with(map[string]any{"sub": strings.Repeat("x", 257)}),
		"not valid  ":        with(map[string]any{"exp": "soon"}),
		"the token has":      with(map[string]any{"x": strings.Repeat("x", MaxToken)}),
		"malformed":          "a.b",
		"malformed ":         strings.Repeat(".", MaxToken),
		"malformed  ":        "pv_aaaaaaaaaaaa_" + strings.Repeat("a", 49),
		"not valid    ":      with(nil)[:100],
	} {
		bearer(token).want(t, 401, strings.TrimSpace(words), `error="invalid_token"`)
	}
	bearer(with(map[string]any{"scope": strings.Repeat("x", MaxClaimValue+1)})).want(t, 431, "at most 1024")
	bearer(with(map[string]any{"scope": "a\nb"})).want(t, 431, "control characters")
	ask(t, url).want(t, 401, "needs a token")
	ask(t, url+"?access_token="+with(nil)).want(t, 401, "needs a token")
	ask(t, url, "X-Api-Key: "+with(nil)).want(t, 401, "needs a token")
	ask(t, url, "Authorization: Bearer "+with(nil), "Authorization: Bearer "+with(nil)).want(t, 401, "2 Authorization")
}

// TestForgedTokens tries what has worked against others.
func TestForgedTokens(t *testing.T) {
	now := newClock()
	asked := int64(0)
	elsewhere := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, _ *http.Request) {
		atomic.AddInt64(&asked, 1)
		_, _ = rw.Write(jwks(jwk("RS-other", signers()["RS-other"], nil)))
	}))
	defer elsewhere.Close()
	url := guarded(t, now.now, func(c *Tokens) { c.Algorithms = nil })
	good := claims(now.now(), nil)
	payload, _ := json.Marshal(good)
	public := signers()["RS256"].Public().(*rsa.PublicKey)
	der, _ := x509.MarshalPKIXPublicKey(public)
	text := pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})
	other, _ := json.Marshal(jwk("RS256", signers()["RS-other"], nil))
	valid := sign(t, "RS256", "RS256", signers()["RS256"], good)
	parts := strings.Split(valid, ".")
	root := sign(t, "RS256", "", signers()["RS-other"], claims(now.now(), map[string]any{"sub": "root"}))
	for what, token := range map[string]string{
		"alg none":                raw(`{"alg":"none","kid":"RS256"}`, string(payload)),
		"alg None":                raw(`{"alg":"None","kid":"RS256"}`, string(payload)),
		"alg nOnE":                raw(`{"alg":"nOnE","typ":"JWT"}`, string(payload)),
		"no alg":                  raw(`{"kid":"RS256"}`, string(payload)),
		"alg is a number":         raw(`{"alg":7,"kid":"RS256"}`, string(payload)),
		"unsafe none":             sign(t, "none", "RS256", jwt.UnsafeAllowNoneSignatureType, good),
		"no signature":            parts[0] + "." + parts[1] + ".",
		"none with a signature":   strings.TrimSuffix(raw(`{"alg":"none"}`, string(payload)), ".") + "." + parts[2],
		"HS256, public key, PEM":  sign(t, "HS256", "RS256", text, good),
		"HS256, public key, DER":  sign(t, "HS256", "RS256", der, good),
		"HS256, public key, n":    sign(t, "HS256", "RS256", public.N.Bytes(), good),
		"HS256, empty":            sign(t, "HS256", "RS256", []byte{}, good),
		"a wrong key":             sign(t, "RS256", "RS256", signers()["RS-other"], good),
		"a key of another type":   sign(t, "RS256", "ES256", signers()["RS256"], good),
		"an algorithm not taken":  sign(t, "RS512", "RS256", signers()["RS256"], good),
		"kid that is a path":      sign(t, "RS256", "../../../../dev/null", signers()["RS-other"], good),
		"kid that is a URL":       sign(t, "RS256", elsewhere.URL, signers()["RS-other"], good),
		"kid with a quote":        sign(t, "RS256", "x' UNION SELECT 'y", signers()["RS-other"], good),
		"kid that is a list":      sign(t, "RS256", "", signers()["RS-other"], good, `kid=["RS256"]`),
		"kid that is null":        sign(t, "RS256", "", signers()["RS-other"], good, `kid=null`),
		"a long kid":              sign(t, "RS256", strings.Repeat("x", 5000), signers()["RS-other"], good),
		"jwk":                     sign(t, "RS256", "RS256", signers()["RS-other"], good, "jwk="+string(other)),
		"jku":                     sign(t, "RS256", "RS-other", signers()["RS-other"], good, "jku="+elsewhere.URL),
		"x5u":                     sign(t, "RS256", "RS-other", signers()["RS-other"], good, "x5u="+elsewhere.URL),
		"crit":                    sign(t, "RS256", "RS256", signers()["RS256"], good, `crit=["exp"]`),
		"b64":                     sign(t, "RS256", "RS256", signers()["RS256"], good, `crit=["b64"]`, "b64=false"),
		"another payload":         parts[0] + "." + strings.Split(root, ".")[1] + "." + parts[2],
		"a signature with a tail": valid + "AAAA",
		"another spelling":        valid[:len(valid)-1] + nextSpelling(valid[len(valid)-1]),
		"padding":                 valid + "==",
		"four parts":              valid + "." + parts[2],
		"a line break":            parts[0] + "." + parts[1] + ".\t" + parts[2],
		"a psychic signature":     psychic(t, good),
		"a deep header":           raw(strings.Repeat(`{"alg":`, 800), string(payload)),
	} {
		t.Run(what, func(t *testing.T) {
			ask(t, url, "Authorization: Bearer "+token).want(t, 401, "not valid")
		})
	}
	ask(t, url, "Authorization: Bearer "+valid).want(t, 200)
	if asked != 0 {
		t.Errorf("an address in a token was asked %d times", asked)
	}
}

// nextSpelling returns another last character for the same bytes: its low bits mean nothing (RFC 4648, section 3.5).
func nextSpelling(last byte) string {
	const digits = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
	return string(digits[strings.IndexByte(digits, last)+1])
}

// psychic returns a token whose ECDSA signature is all zeros (CVE-2022-21449).
func psychic(t *testing.T, c jwt.MapClaims) string {
	t.Helper()
	signed := sign(t, "ES256", "ES256", signers()["ES256"], c)
	return signed[:strings.LastIndex(signed, ".")+1] + base64.RawURLEncoding.EncodeToString(make([]byte, 64))
}

// TestClaims gives functions the claims that are asked for.
func TestClaims(t *testing.T) {
	now := newClock()
	url := guarded(t, now.now, func(c *Tokens) {
		c.Claims = []string{"sub", "roles=https://example.org/roles", "big", "deep", "absent", "nothing"}
	})
	token := sign(t, "EdDSA", "EdDSA", signers()["EdDSA"], claims(now.now(), map[string]any{
		"https://example.org/roles": []string{"a&b", "c"}, "big": json.Number("12345678901234567890"),
		"deep": map[string]any{"x": true}, "secret": "not asked for", "nothing": []byte(nil)}))
	a := ask(t, url, "Authorization: Bearer "+token).want(t, 200)
	want := map[string]string{"Fn-Auth": "jwt:ada", "Fn-Claim-sub": "ada", "Fn-Claim-roles": `["a&b","c"]`,
		"Fn-Claim-big": "12345678901234567890", "Fn-Claim-deep": `{"x":true}`, "Accept": "x"}
	for name, value := range want {
		if len(a.auth[name]) != 1 || a.auth[name][0] != value {
			t.Errorf("%s: %q, want %q", name, a.auth[name], value)
		}
	}
	if len(a.auth) != len(want) {
		t.Errorf("%v", a.auth)
	}
}

// TestKeySet reads keys, and reports those that it cannot use.
func TestKeySet(t *testing.T) {
	s := signers()
	enc := base64.RawURLEncoding.EncodeToString
	small, _ := rsa.GenerateKey(rand.Reader, 1024)
	for words, k := range map[string]map[string]any{
		"it is secret":         {"kty": "oct", "k": "c2VjcmV0"},
		"it is secret ":        jwk("a", s["ES256"], map[string]any{"d": "AAAA"}),
		"not for signatures":   jwk("a", s["ES256"], map[string]any{"use": "enc"}),
		"not for signatures ":  jwk("a", s["ES256"], map[string]any{"key_ops": []string{"encrypt"}}),
		"not one of its type":  jwk("a", s["ES256"], map[string]any{"alg": "RS256"}),
		"not one of its type ": jwk("a", s["RS256"], map[string]any{"alg": "HS256"}),
		"RSA with 1024 bits":   jwk("a", small, nil),
		"longer than RSA":      jwk("a", s["RS256"], map[string]any{"n": enc(bytes.Repeat([]byte{255}, 2000))}),
		"exponent 1 ":          jwk("a", s["RS256"], map[string]any{"e": enc([]byte{1})}),
		"exponent 4 ":          jwk("a", s["RS256"], map[string]any{"e": enc([]byte{4})}),
		"exponent than":        jwk("a", s["RS256"], map[string]any{"e": enc(make([]byte, 5))}),
		"not in base64url":     jwk("a", s["RS256"], map[string]any{"n": "+/=="}),
		"missing, or":          jwk("a", s["ES256"], map[string]any{"x": ""}),
		"curve \"secp256k1\"":  jwk("a", s["ES256"], map[string]any{"crv": "secp256k1"}),
		"not 48":               jwk("a", s["ES256"], map[string]any{"crv": "P-384"}),
		"point not on":         jwk("a", s["ES256"], map[string]any{"y": enc(bytes.Repeat([]byte{7}, 32))}),
		"is not Ed25519":       jwk("a", s["EdDSA"], map[string]any{"crv": "Ed448"}),
		"is not Ed25519, ":     jwk("a", s["EdDSA"], map[string]any{"x": "AAAA"}),
		"type \"RSB\"":         jwk("a", s["RS256"], map[string]any{"kty": "RSB"}),
		"its kid has":          jwk(strings.Repeat("x", 300), s["ES256"], nil),
		"it is no key":         {"kty": 7},
	} {
		set, problems, err := parseKeySet(jwks(k, jwk("good", s["ES384"], nil)))
		if err != nil || len(set.keys) != 1 || len(problems) != 1 ||
			!strings.Contains(problems[0].Error(), strings.TrimSpace(words)) {
			t.Errorf("%s: %v, %v", words, problems, err)
		}
		if _, _, err := parseKeySet(jwks(k)); err == nil || !strings.Contains(err.Error(), strings.TrimSpace(words)) {
			t.Errorf("%s alone: %v", words, err)
		}
	}
	many := make([]map[string]any, maxKeys+1)
	for words, b := range map[string][]byte{"no JSON": []byte("keys"), "no public key": []byte("{}"),
		"at most 100":        jwks(many...),
		"over 1048576 bytes": make([]byte, maxSet+1)} {
		if _, _, err := parseKeySet(b); err == nil || !strings.Contains(err.Error(), words) {
			t.Errorf("%s: %v", words, err)
		}
	}
}

// issuing is a server of keys.
type issuing struct {
	*httptest.Server
	asked atomic.Int64
	mu    sync.Mutex
	reply func(http.ResponseWriter, *http.Request)
}

func newIssuing(t *testing.T) *issuing {
	i := &issuing{}
	i.Server = httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		i.asked.Add(1)
		i.mu.Lock()
		reply := i.reply
		i.mu.Unlock()
		reply(rw, r)
	}))
	t.Cleanup(i.Close)
	t.Cleanup(http.DefaultClient.CloseIdleConnections)
	return i
}

func (i *issuing) set(reply func(http.ResponseWriter, *http.Request)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	i.reply = reply
}

func (i *issuing) keys(b []byte) {
	i.set(func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write(b) })
}

// TestKeysFromURL fetches keys, again if a token names one that is not known, and not more often than it may.
func TestKeysFromURL(t *testing.T) {
	now := newClock()
	server := newIssuing(t)
	server.set(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(500) })
	log := new(lines)
	g := serve(t, Config{Now: now.now, Log: slog.New(slog.NewTextHandler(log, nil)), Tokens: Tokens{
		Keys: server.URL, Issuer: issuer, Audience: []string{audience}, Client: server.Client()}})
	url := mount(t, g, Want{Auth: "jwt"})
	token := func(kid, signer string) string {
		return "Authorization: Bearer " + sign(t, "ES256", kid, signers()[signer],
			claims(now.now(), map[string]any{"exp": now.now().Add(48 * time.Hour).Unix()}))
	}
	if a := ask(t, url, token("one", "ES256")).want(t, 503, "cannot get the keys"); a.Get("Retry-After") != "10s" {
		t.Errorf("%v", a.Header)
	}
	server.keys(jwks(jwk("one", signers()["ES256"], nil), map[string]any{"kty": "oct", "k": "AA"}))
	ask(t, url, token("one", "ES256")).want(t, 503)
	if n := server.asked.Load(); n != 1 {
		t.Errorf("%d attempts; want one in %s", n, cooldown)
	}
	now.add(cooldown)
	ask(t, url, token("one", "ES256")).want(t, 200)
	for i := range 20 { // nobody can have keys fetched again and again
		ask(t, url, token(fmt.Sprint(i), "ES256")).want(t, 401, "none that fits")
	}
	if n := server.asked.Load(); n != 2 {
		t.Errorf("%d attempts; want 2", n)
	}
	other, _ := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	server.keys(jwks(jwk("one", signers()["ES256"], nil), jwk("two", other, nil)))
	now.add(cooldown)
	two := "Authorization: Bearer " + sign(t, "ES256", "two", other,
		claims(now.now(), map[string]any{"exp": now.now().Add(48 * time.Hour).Unix()}))
	ask(t, url, two).want(t, 200)
	// A key that is withdrawn is taken until the set is read again; then it is not.
	server.keys(jwks(jwk("two", other, nil)))
	ask(t, url, token("one", "ES256")).want(t, 200)
	now.add(fresh + time.Second)
	await.Until(t, "the key is withdrawn", func() bool { return ask(t, url, token("one", "ES256")).code == 401 })
	// The issuer is away: what is known holds for a day.
	server.set(func(rw http.ResponseWriter, _ *http.Request) { rw.WriteHeader(404) })
	now.add(stale - time.Hour)
	ask(t, url, two).want(t, 200)
	await.Until(t, "it is reported", func() bool { return strings.Contains(log.String(), "404") })
	now.add(2 * time.Hour)
	ask(t, url, "Authorization: Bearer "+sign(t, "ES256", "two", other, claims(now.now(), nil))).want(t, 503)
	if strings.Count(log.String(), "cannot be read") != 2 || !strings.Contains(log.String(), "it is secret") {
		t.Errorf("the log: %s", log)
	}
}

// TestHostileIssuer fetches keys from servers that do what they should not.
func TestHostileIssuer(t *testing.T) {
	server := newIssuing(t)
	for what, reply := range map[string]func(http.ResponseWriter, *http.Request){
		"it redirects to http": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "http://issuer.example/keys", http.StatusFound)
		},
		"it redirects to a file": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "file:///etc/passwd", http.StatusFound)
		},
		"it redirects in a circle": func(rw http.ResponseWriter, r *http.Request) {
			http.Redirect(rw, r, "/", http.StatusFound)
		},
		"it has no end": func(rw http.ResponseWriter, _ *http.Request) {
			for range 1100 {
				if _, err := rw.Write(make([]byte, 1<<10)); err != nil {
					return
				}
			}
		},
		"it is HTML": func(rw http.ResponseWriter, _ *http.Request) { _, _ = rw.Write([]byte("<html>")) },
	} {
		t.Run(what, func(t *testing.T) {
			server.set(reply)
			g := serve(t, Config{Tokens: Tokens{Keys: server.URL, Issuer: issuer, Audience: []string{audience}}})
			ask(t, mount(t, g, Want{Auth: "jwt"}), "Authorization: Bearer "+
				sign(t, "ES256", "one", signers()["ES256"], claims(time.Now(), nil))).want(t, 503, "cannot get the keys")
		})
	}
}

// TestHammerTokens verifies tokens while keys are read again.
func TestHammerTokens(t *testing.T) {
	now := newClock()
	server := newIssuing(t)
	server.keys(jwks(jwk("one", signers()["ES256"], nil)))
	g := serve(t, Config{Now: now.now, Tokens: Tokens{Keys: server.URL, Issuer: issuer, Audience: []string{audience}}})
	long := claims(now.now(), map[string]any{"exp": now.now().Add(240 * time.Hour).Unix()})
	token := sign(t, "ES256", "one", signers()["ES256"], long)
	unknown := sign(t, "ES256", "two", signers()["ES256"], long)
	var running sync.WaitGroup
	for i := range 8 {
		running.Go(func() {
			for n := range 50 {
				text, ok := token, true
				if n%5 == 0 {
					text, ok = unknown, false
				}
				r := httptest.NewRequest(http.MethodGet, "/", nil)
				r.Header.Set("Authorization", "Bearer "+text)
				if _, err := g.Admit(t.Context(), r, Want{Auth: "jwt"}); (err == nil) != ok {
					t.Errorf("%v", err)
				}
				if i == 0 {
					now.add(fresh)
				}
			}
		})
	}
	running.Wait()
}

// lines is a log.
type lines struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// FuzzKeySet checks that whatever is taken for a key can be used and no signature is verified by what is not one.
func FuzzKeySet(f *testing.F) {
	for name, key := range signers() {
		f.Add(jwks(jwk(name, key, nil)))
	}
	f.Add([]byte(`{"keys":[{"kty":"oct","k":"AA"},{}]}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		set, _, err := parseKeySet(b)
		if (err == nil) != (set != nil) {
			t.Fatalf("%v, %v", set, err)
		}
		if err != nil {
			return
		}
		for _, k := range set.keys {
			for _, alg := range k.fit {
				if jwt.GetSigningMethod(alg).Verify("text", make([]byte, 64), k.key) == nil {
					t.Errorf("zeros are a signature by %+v", k)
				}
			}
		}
	})
}

// FuzzToken checks that nothing is let in that nobody has signed.
func FuzzToken(f *testing.F) {
	set, _, err := parseKeySet(jwks(jwk("one", signers()["ES256"], nil), jwk("two", signers()["RS256"], nil)))
	if err != nil {
		f.Fatal(err)
	}
	now := time.Now()
	valid := sign(f, "ES256", "one", signers()["ES256"], claims(now, nil))
	v, err := newVerifier(Tokens{Keys: "https://issuer.example/", Issuer: issuer, Audience: []string{audience}},
		func() time.Time { return now }, slog.New(slog.DiscardHandler), &tasks{ended: true})
	if err != nil {
		f.Fatal(err)
	}
	v.source.set, v.source.read = set, now
	f.Add(valid)
	f.Add(valid[:len(valid)-4])
	f.Add(raw(`{"alg":"none"}`, "{}") + "AAAA")
	f.Add(raw(`{"alg":"ES256","kid":"one","crit":["x"]}`, "{}"))
	f.Fuzz(func(t *testing.T, text string) {
		if _, err := v.verify(t.Context(), text); err == nil && text != valid {
			t.Errorf("%q is valid", text)
		}
	})
}

// FuzzAnswer checks that what is taken for an authorizer's answer is within the bounds.
func FuzzAnswer(f *testing.F) {
	f.Add([]byte(`{"principal":"ada","context":{"a":"b","n":7},"ttl":"5s","scope":"route"}`))
	f.Add([]byte(``))
	f.Add([]byte(`{"allow":false}`))
	f.Fuzz(func(t *testing.T, b []byte) {
		one, err := parseAnswer(ref("check"), b)
		if err != nil {
			return
		}
		if one.ttl < 0 || one.ttl > MaxAuthorizerTTL || checkValue(one.id.String(), 512) != nil ||
			len(one.id.Claims) > MaxClaims {
			t.Errorf("%+v", one)
		}
		for _, c := range one.id.Claims {
			if checkClaimName(c.Name) != nil || checkValue(c.Value, MaxClaimValue) != nil {
				t.Errorf("%+v", c)
			}
		}
	})
}

// BenchmarkToken is what a token costs.
func BenchmarkToken(b *testing.B) {
	for _, alg := range []string{"RS256", "ES256", "EdDSA"} {
		b.Run(alg, func(b *testing.B) {
			set, _, _ := parseKeySet(jwks(jwk("one", signers()[alg], nil)))
			now := time.Now()
			v, err := newVerifier(Tokens{Keys: "https://issuer.example/", Issuer: issuer, Audience: []string{audience}},
				func() time.Time { return now }, slog.New(slog.DiscardHandler), &tasks{ended: true})
			if err != nil {
				b.Fatal(err)
			}
			v.source.set, v.source.read = set, now
			text := sign(b, alg, "one", signers()[alg], claims(now, nil))
			b.ReportAllocs()
			for b.Loop() {
				if _, err := v.verify(b.Context(), text); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
