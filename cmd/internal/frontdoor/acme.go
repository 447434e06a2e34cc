package frontdoor

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/acme"
	"golang.org/x/crypto/acme/autocert"
)

// ACME says how certificates are had from an authority (RFC 8555), when the first client asks for a host, and again
// before they expire.
type ACME struct {
	Domains   []string // the hosts that they are for
	Directory string   // the authority's URL; empty: Let's Encrypt
	Root      string   // file in PEM of the authority's own issuer; empty: the system's issuers
	Email     string   // where it writes to; may be empty
	Cache     string   // folder that keeps them; must not be empty
	HTTPAddr  string   // HOST:PORT that answers its challenges by HTTP; empty: by TLS on the server's own port only
}

// acmeTimeout bounds each request to the authority.
const acmeTimeout = 30 * time.Second

// open makes ready what asks the authority.
func (a ACME) open(log *slog.Logger) (*certificates, error) {
	for _, d := range a.Domains {
		if !validHost(d) || strings.ContainsAny(d, ":[]") || !strings.Contains(d, ".") {
			return nil, &Setting{"acme", fmt.Errorf("%q is no domain such as functions.example.org", d)}
		}
	}
	if a.Cache == "" {
		return nil, &Setting{"acme-cache", errors.New("it is missing: certificates must outlive the process")}
	}
	if err := os.MkdirAll(a.Cache, 0o700); err != nil {
		return nil, &Setting{"acme-cache", err}
	}
	client, err := a.client()
	if err != nil {
		return nil, err
	}
	m := &autocert.Manager{Prompt: autocert.AcceptTOS, Cache: autocert.DirCache(a.Cache), Email: a.Email,
		HostPolicy: autocert.HostWhitelist(a.Domains...), Client: client}
	get := func(hello *tls.ClientHelloInfo) (*tls.Certificate, error) {
		c, err := m.GetCertificate(hello)
		if err != nil {
			log.Warn("no certificate", "host", hello.ServerName, "client", hello.Conn.RemoteAddr(), "err", err)
		}
		return c, err
	}
	certs := &certificates{get: get, protocols: []string{acme.ALPNProto}}
	if a.HTTPAddr != "" {
		certs.challenges = m.HTTPHandler(nil) // from now on it also tries that way
	}
	return certs, nil
}

// client returns what speaks to the authority.
func (a ACME) client() (*acme.Client, error) {
	directory := cmp.Or(a.Directory, autocert.DefaultACMEDirectory)
	if u, err := url.Parse(directory); err != nil || u.Scheme != "https" || u.Host == "" {
		return nil, &Setting{"acme-directory", fmt.Errorf("%q is no URL of https", directory)}
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	if a.Root != "" {
		pem, err := os.ReadFile(a.Root)
		if err != nil {
			return nil, &Setting{"acme-root", err}
		}
		roots := x509.NewCertPool()
		if !roots.AppendCertsFromPEM(pem) {
			return nil, &Setting{"acme-root", fmt.Errorf("%s has no certificate in PEM", a.Root)}
		}
		transport.TLSClientConfig = &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}
	}
	return &acme.Client{DirectoryURL: directory, UserAgent: "polyvoke",
		HTTPClient: &http.Client{Transport: transport, Timeout: acmeTimeout}}, nil
}
