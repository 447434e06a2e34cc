// Package connect is the way from a command line to NATS.
//
// In go settings in the words of the official command line; out comes a Session, which is a connection and polyvoke's
// client on it. settings.go and context.go say where to, options.go reads the files that they name, and connect.go
// connects. Errors say what to do next; those with a code are *protocol.Error. Nothing here prints, and nothing reads
// the process's own environment.
package connect

import (
	"cmp"
	"strings"
	"time"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// Settings say how to reach NATS, in the words of the official command line. Empty fields are
// what Resolve fills; after it they mean that the server is reached without.
type Settings struct {
	Server      string // URL, or several with commas
	Creds       string // path of a credentials file
	NKey        string // path of a file with an NKey seed
	User        string // name; without a password it is a token
	Password    string // for User
	Token       string // instead of User and Password
	Cert, Key   string // paths of the client's certificate and of its key
	CA          string // path of the authorities to trust; empty means the system's
	Domain      string // JetStream domain; empty means the server's own
	APIPrefix   string // of JetStream's API, instead of Domain; empty means $JS.API
	InboxPrefix string // for the subjects of replies; empty means _INBOX
	Context     string // name of a context; empty means the selected one, if there is one
	TLSFirst    bool   // start with the TLS handshake, before the server's INFO

	// Timeout is how long NATS, JetStream and the control service may take to answer. Zero
	// means NATS_TIMEOUT, or else DefaultTimeout.
	Timeout time.Duration

	userJWT, userSeed string // from a context only
}

// Word is one setting that is a string: where it comes from and where it goes.
type Word struct {
	Flag  string  // name of the flag, without dashes
	Env   string  // name of the variable
	Usage string  // what it is, in a few words
	Value *string // its field of the Settings
}

// Words returns the settings that are strings.
func (s *Settings) Words() []Word {
	return []Word{
		{"server", "NATS_URL", "NATS server, or several separated by commas (default " + nats.DefaultURL + ")", &s.Server},
		{"creds", "NATS_CREDS", "credentials file", &s.Creds},
		{"nkey", "NATS_NKEY", "file with an NKey seed", &s.NKey},
		{"user", "NATS_USER", "user name, or a token if there is no password", &s.User},
		{"password", "NATS_PASSWORD", "password", &s.Password},
		{"token", "NATS_TOKEN", "token", &s.Token},
		{"tlscert", "NATS_CERT", "file with the client's certificate", &s.Cert},
		{"tlskey", "NATS_KEY", "file with the certificate's key", &s.Key},
		{"tlsca", "NATS_CA", "file with the certificate authorities to trust", &s.CA},
		{"js-domain", "NATS_JS_DOMAIN", "JetStream domain", &s.Domain},
		{"js-api-prefix", "NATS_JS_API_PREFIX", "prefix of JetStream's API, instead of a domain", &s.APIPrefix},
		{"inbox-prefix", "NATS_INBOX_PREFIX", "prefix of reply subjects", &s.InboxPrefix},
		{"context", "NATS_CONTEXT", "context of the nats command to use", &s.Context},
	}
}

// Resolve fills what is still empty from the environment, then from the context, then with the
// defaults. Variables are read with env, as os.Getenv does. The error's code is 400.
func (s *Settings) Resolve(env func(string) string) error {
	for _, w := range s.Words() {
		*w.Value = cmp.Or(*w.Value, env(w.Env))
	}
	if t := env("NATS_TIMEOUT"); t != "" && s.Timeout == 0 {
		d, err := protocol.ParseDuration(t)
		if err != nil {
			return protocol.Errorf(protocol.CodeBadRequest, "", "NATS_TIMEOUT: %w", err)
		}
		s.Timeout = time.Duration(d)
	}
	if err := s.readContext(env); err != nil {
		return err
	}
	s.Server = cmp.Or(s.Server, nats.DefaultURL)
	s.Timeout = cmp.Or(s.Timeout, DefaultTimeout)
	return s.checkSubjects()
}

// Identity returns the settings that identify a user: those that As takes.
func (s *Settings) Identity() []Word {
	var who []Word
	for _, w := range s.Words() {
		switch w.Flag {
		case "creds", "nkey", "user", "password", "token", "inbox-prefix":
			who = append(who, w)
		}
	}
	return who
}

// As returns the settings, which have been resolved, for another user on the same NATS: with the Identity of who.
func (s *Settings) As(who *Settings) *Settings {
	other := *s
	other.userJWT, other.userSeed = "", ""
	to, from := other.Identity(), who.Identity()
	for i := range to {
		*to[i].Value = *from[i].Value
	}
	return &other
}

// maxInboxPrefix is the length of the longest inbox prefix, in bytes: it must fit a line beside the subject of a call.
const maxInboxPrefix = 100

// checkSubjects refuses what cannot be part of a subject, or of that of an answer.
func (s *Settings) checkSubjects() error {
	const wildcards, blanks = "*>", " \t\r\n"
	switch {
	case s.Domain != "" && s.APIPrefix != "":
		return protocol.Errorf(protocol.CodeBadRequest, "",
			"js-domain %s and js-api-prefix %s exclude each other: use one of them", s.Domain, s.APIPrefix)
	case strings.ContainsAny(s.Domain, "."+wildcards+blanks):
		return protocol.Errorf(protocol.CodeBadRequest, "",
			"js-domain %q: a domain has no dots, wildcards or blanks", s.Domain)
	case strings.ContainsAny(s.APIPrefix, wildcards+blanks), strings.HasPrefix(s.APIPrefix, "."),
		strings.Contains(s.APIPrefix, ".."):
		return protocol.Errorf(protocol.CodeBadRequest, "",
			"js-api-prefix %q: a prefix is a subject, without wildcards or blanks", s.APIPrefix)
	case s.InboxPrefix != "" && (protocol.Reserved(s.InboxPrefix) || len(s.InboxPrefix) > maxInboxPrefix):
		return protocol.Errorf(protocol.CodeBadRequest, "",
			"inbox-prefix %.40q: replies cannot go there: use one such as _INBOX.me", s.InboxPrefix)
	}
	return nil
}
