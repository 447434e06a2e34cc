package connect

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// options turns the settings into nats.go's, and reads the files that they name, so that a
// broken one is an error that names it.
func (s *Settings) options() ([]nats.Option, error) {
	// nats.go would print what goes wrong with nobody waiting for it.
	options := []nats.Option{nats.ErrorHandler(func(*nats.Conn, *nats.Subscription, error) {})}
	for _, f := range []struct {
		flag, path string
		option     func(path string) (nats.Option, error)
	}{
		{"creds", s.Creds, credsOption},
		{"nkey", s.NKey, nats.NkeyOptionFromSeed},
		{"tlsca", s.CA, caOption},
		{"tlscert", s.Cert, s.certOption},
	} {
		if f.path == "" {
			continue
		}
		o, err := f.option(f.path)
		if err != nil {
			return nil, protocol.Errorf(protocol.CodeBadRequest, "", "%s %s: %w", f.flag, f.path, err)
		}
		options = append(options, o)
	}
	switch {
	case s.Token != "":
		options = append(options, nats.Token(s.Token))
	case s.User != "" && s.Password == "":
		options = append(options, nats.Token(s.User)) // the official command line does so too
	case s.User != "":
		options = append(options, nats.UserInfo(s.User, s.Password))
	}
	if s.userJWT != "" {
		options = append(options, nats.UserJWTAndSeed(s.userJWT, s.userSeed))
	}
	if s.InboxPrefix != "" {
		options = append(options, nats.CustomInboxPrefix(s.InboxPrefix))
	}
	if s.TLSFirst {
		options = append(options, nats.TLSHandshakeFirst())
	}
	return options, nil
}

// credsOption checks a credentials file, which nats.go would read only while it connects.
func credsOption(path string) (nats.Option, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	for _, part := range []string{"NATS USER JWT", "USER NKEY SEED"} {
		if !strings.Contains(string(b), "BEGIN "+part) {
			return nil, fmt.Errorf("it has no %s; nsc generate creds makes such files", part)
		}
	}
	return nats.UserCredentials(path), nil
}

// caOption reads the authorities to trust.
func caOption(path string) (nats.Option, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, errors.Unwrap(err)
	}
	if !x509.NewCertPool().AppendCertsFromPEM(b) {
		return nil, errors.New("it has no certificate in PEM")
	}
	return nats.RootCAs(path), nil
}

// certOption reads the client's certificate.
func (s *Settings) certOption(path string) (nats.Option, error) {
	if s.Key == "" {
		return nil, errors.New("it needs its key: give --tlskey too")
	}
	if _, err := tls.LoadX509KeyPair(path, s.Key); err != nil {
		return nil, err
	}
	return nats.ClientCert(path, s.Key), nil
}
