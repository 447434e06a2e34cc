//go:build unix

package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestHangup replaces the certificate of a polyvoke serve and sends it SIGHUP. The files are links to another folder,
// in which changes are not seen without the signal.
func TestHangup(t *testing.T) {
	dir := t.TempDir()
	elsewhere := filepath.Join(dir, "elsewhere")
	if err := os.Mkdir(elsewhere, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"site.crt", "site.key"} {
		if err := os.Symlink(filepath.Join("elsewhere", name), filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	certify(t, elsewhere, "first")
	cmd := exec.Command("polyvoke", "serve", "--listen", "127.0.0.1:0", "--store", "store", "--log-format", "json",
		"--http", "127.0.0.1:0", "--tls-cert", "site.crt", "--tls-key", "site.key")
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "HOME="+dir, "XDG_CACHE_HOME="+dir)
	served, lines, end, err := start(cmd)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(end)
	url := httpURLOf(lines)
	if !strings.HasPrefix(url, "https://") || servingURL(lines) == "" {
		t.Fatalf("polyvoke does not serve HTTPS: %q, %s", url, served.log)
	}
	shows := func(name string) bool {
		c, err := tls.Dial("tcp", strings.TrimPrefix(url, "https://"), &tls.Config{InsecureSkipVerify: true})
		if err != nil {
			t.Fatalf("%v\n%s", err, served.log) // a signal that is not taken ends the process
		}
		defer c.Close()
		return c.ConnectionState().PeerCertificates[0].Subject.CommonName == name
	}
	hangUp := func(what string, done func() bool) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		for end := time.Now().Add(patience); !done(); time.Sleep(10 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("%s: never\n%s", what, served.log)
			}
		}
	}
	if !shows("first") {
		t.Fatal("the certificate is another one from the beginning")
	}
	certify(t, elsewhere, "second")
	hangUp("a new certificate", func() bool { return shows("second") })
	if err := os.WriteFile(filepath.Join(elsewhere, "site.key"), []byte("broken"), 0o600); err != nil {
		t.Fatal(err)
	}
	hangUp("a broken key", func() bool { return strings.Contains(served.log.String(), "the one before stays") })
	if !shows("second") {
		t.Error("a key that is broken has changed the certificate")
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := <-served.done; err != nil {
		t.Errorf("%v\n%s", err, served.log)
	}
}

// certify writes a certificate and its key, of this name, as site.crt and site.key.
func certify(t *testing.T, dir, name string) {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	c := &x509.Certificate{SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: name},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour)}
	der, err := x509.CreateCertificate(rand.Reader, c, c, k.Public(), k)
	if err != nil {
		t.Fatal(err)
	}
	secret, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	for file, b := range map[string]*pem.Block{
		"site.crt": {Type: "CERTIFICATE", Bytes: der},
		"site.key": {Type: "PRIVATE KEY", Bytes: secret},
	} {
		if err := os.WriteFile(filepath.Join(dir, file), pem.EncodeToMemory(b), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}
