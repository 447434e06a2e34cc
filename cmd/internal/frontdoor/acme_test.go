//go:build frontdoor

package frontdoor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestACME has a certificate issued by Pebble, the authority that Let's Encrypt tests clients with, which proves by
// TLS that the server has the domain. Another server finds the certificate in the folder, without the authority.
func TestACME(t *testing.T) {
	dir := t.TempDir()
	cert, key := writeCertificate(t, dir, "pebble", time.Hour)
	directory, manage := freePort(t), freePort(t)
	acme := ACME{Domains: []string{"functions.test"}, Directory: "https://" + directory + "/dir", Root: cert,
		Cache: filepath.Join(dir, "cache")}
	s := open(t, Config{TLS: TLS{ACME: acme}})
	_, port, _ := net.SplitHostPort(s.conns.Addr().String())
	pebble(t, dir, map[string]any{"listenAddress": directory, "managementListenAddress": manage, "certificate": cert,
		"privateKey": key, "httpPort": 5, "tlsPort": json.Number(port), "ocspResponderURL": "",
		"profiles": map[string]any{"default": map[string]any{"description": "", "validityPeriod": 7776000}}})
	first := issued(t, s, "functions.test")
	if !strings.Contains(first.Issuer.CommonName, "Pebble") || first.DNSNames[0] != "functions.test" {
		t.Errorf("the certificate is for %q, by %q", first.DNSNames, first.Issuer)
	}
	if c, err := tls.Dial("tcp", s.conns.Addr().String(), &tls.Config{ServerName: "other.test",
		InsecureSkipVerify: true}); err == nil {
		c.Close()
		t.Error("there is a certificate for a domain that nobody has named")
	}
	acme.Directory = "https://127.0.0.1:1/dir"
	again := open(t, Config{TLS: TLS{ACME: acme}})
	if c := issued(t, again, "functions.test"); !c.Equal(first) {
		t.Error("the certificate is another one after a restart")
	}
}

// issued returns the certificate for a domain, which may take some time to come.
func issued(t *testing.T, s *Server, domain string) *x509.Certificate {
	t.Helper()
	var last error
	for end := time.Now().Add(patience); time.Now().Before(end); time.Sleep(100 * time.Millisecond) {
		c, err := tls.Dial("tcp", s.conns.Addr().String(), &tls.Config{ServerName: domain, InsecureSkipVerify: true})
		if err == nil {
			defer c.Close()
			return c.ConnectionState().PeerCertificates[0]
		}
		last = err
	}
	t.Fatalf("there is no certificate: %v", last)
	return nil
}

// pebble starts Pebble with a configuration, and waits until it answers.
func pebble(t *testing.T, dir string, config map[string]any) {
	t.Helper()
	b, err := json.Marshal(map[string]any{"pebble": config})
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "pebble.json")
	if err := os.WriteFile(file, b, 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, tool(t, "pebble"), "-config", file, "-dnsserver", names(t))
	cmd.Env = append(os.Environ(), "PEBBLE_VA_NOSLEEP=1")
	var out strings.Builder
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
		if t.Failed() {
			t.Log(out.String())
		}
	})
	client := http.Client{Transport: &http.Transport{TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		DisableKeepAlives: true}}
	for end := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		a, err := client.Get(fmt.Sprintf("https://%s/dir", config["listenAddress"]))
		if err == nil {
			a.Body.Close()
			return
		}
		if time.Now().After(end) {
			t.Fatalf("pebble does not answer: %v", err)
		}
	}
}

// tool returns a program that make frontdoor-check has installed.
func tool(t *testing.T, name string) string {
	t.Helper()
	dir := os.Getenv("FRONTDOOR_TOOLS")
	if dir == "" {
		dir = filepath.Join("..", "..", "..", "build", "frontdoor")
	}
	file, err := filepath.Abs(filepath.Join(dir, name))
	if err == nil {
		_, err = os.Stat(file)
	}
	if err != nil {
		t.Fatalf("%v: make frontdoor-tools installs it", err)
	}
	return file
}

// freePort returns an address that nobody listens on at the moment.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// names starts a server of DNS for which every name has the address 127.0.0.1, and nothing else.
func names(t *testing.T) string {
	t.Helper()
	c, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	go func() {
		b := make([]byte, 512)
		for {
			n, from, err := c.ReadFrom(b)
			if err != nil {
				return
			}
			if answer := address(b[:n]); answer != nil {
				_, _ = c.WriteTo(answer, from)
			}
		}
	}()
	return c.LocalAddr().String()
}

// address answers a question of DNS (RFC 1035, section 4), or returns nil if it is none.
func address(question []byte) []byte {
	const header, typeA = 12, 1
	end := header
	for end < len(question) && question[end] != 0 {
		end += int(question[end]) + 1
	}
	if end += 5; end > len(question) {
		return nil
	}
	answer := append([]byte(nil), question[:end]...)
	binary.BigEndian.PutUint16(answer[2:], 0x8580) // an answer, with authority
	binary.BigEndian.PutUint16(answer[4:], 1)
	clear(answer[6:header])
	if binary.BigEndian.Uint16(question[end-4:]) == typeA {
		answer[7] = 1
		answer = append(answer, 0xc0, header, 0, typeA, 0, 1, 0, 0, 0, 1, 0, 4, 127, 0, 0, 1)
	}
	return answer
}
