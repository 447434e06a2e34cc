package frontdoor

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/fsnotify/fsnotify"
)

// TLS says where certificates come from: files, or an authority that speaks ACME. Both are empty for none.
type TLS struct {
	Cert, Key string // files in PEM: the certificate with those of its issuers, and its key
	ACME      ACME
}

// certificates are those of a server.
type certificates struct {
	get        func(*tls.ClientHelloInfo) (*tls.Certificate, error)
	files      *files       // nil for those of ACME
	challenges http.Handler // answers http-01, and redirects all else; nil without ACME
	protocols  []string     // besides those of HTTP
}

// open reads the certificate. It returns nil if there is to be none.
func (t TLS) open(log *slog.Logger) (*certificates, error) {
	switch {
	case len(t.ACME.Domains) > 0 && (t.Cert != "" || t.Key != ""):
		return nil, &Setting{"acme", errors.New("a certificate comes from an authority or from --tls-cert, not from both")}
	case len(t.ACME.Domains) > 0:
		return t.ACME.open(log)
	case t.Cert == "" && t.Key == "":
		return nil, nil
	case t.Cert == "":
		return nil, &Setting{"tls-cert", errors.New("it is missing: --tls-key names the key of a certificate")}
	case t.Key == "":
		return nil, &Setting{"tls-key", errors.New("it is missing: --tls-cert needs the certificate's key")}
	}
	f := &files{cert: t.Cert, key: t.Key}
	if err := f.read(); err != nil {
		return nil, &Setting{"tls-cert", err}
	}
	return &certificates{get: f.get, files: f}, nil
}

// config returns what crypto/tls needs.
func (c *certificates) config() *tls.Config {
	return &tls.Config{MinVersion: tls.VersionTLS12, GetCertificate: c.get, NextProtos: c.protocols}
}

// reload reads the files again.
func (c *certificates) reload() error {
	if c.files == nil {
		return nil
	}
	return c.files.read()
}

// files is a certificate in two files.
type files struct {
	cert, key string
	now       atomic.Pointer[tls.Certificate]
}

// read reads both files. If they do not belong together, or the certificate is one that no client takes, what was read
// before stays.
func (f *files) read() error {
	c, err := tls.LoadX509KeyPair(f.cert, f.key)
	if err != nil {
		return err
	}
	if end := c.Leaf.NotAfter; time.Now().After(end) {
		return fmt.Errorf("the certificate in %s has expired on %s: renew it", f.cert, end.Format(time.DateOnly))
	}
	f.now.Store(&c)
	return nil
}

// get implements tls.Config.GetCertificate.
func (f *files) get(*tls.ClientHelloInfo) (*tls.Certificate, error) { return f.now.Load(), nil }

// settle is how long nothing must happen to the files before they are read: both are written, one after the other.
const settle = 200 * time.Millisecond

// lookAgain is how often the files are read without an event, which file systems on networks do not give.
const lookAgain = 10 * time.Minute

// follow reads the files when they change, until ctx ends. The folders are watched, not the files: those are renamed,
// or are links that change far away (as Kubernetes does it).
func (c *certificates) follow(ctx context.Context, log *slog.Logger) {
	f := c.files
	events := make(<-chan fsnotify.Event)
	if w, err := fsnotify.NewWatcher(); err == nil {
		defer w.Close()
		for _, file := range []string{f.cert, f.key} {
			if err := w.Add(filepath.Dir(file)); err != nil {
				log.Warn("changes of the certificate's files are seen late", "file", file, "err", err)
			}
		}
		events = w.Events
	} else {
		log.Warn("changes of the certificate's files are seen late", "err", err)
	}
	for t := time.NewTimer(lookAgain); ; {
		select {
		case <-events:
			t.Reset(settle)
			continue
		case <-t.C:
		case <-ctx.Done():
			return
		}
		c.changed(log)
		t.Reset(lookAgain)
	}
}

// changed reads the files, and says so if they are others.
func (c *certificates) changed(log *slog.Logger) {
	was := c.files.now.Load().Leaf
	if err := c.files.read(); err != nil {
		log.Error("the new certificate cannot be used; the one before stays", "file", c.files.cert, "err", err)
		return
	}
	if now := c.files.now.Load().Leaf; !now.Equal(was) {
		log.Info("certificate", "file", c.files.cert, "until", now.NotAfter)
	}
}
