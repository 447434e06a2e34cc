package connect

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// contextFile is a context of the nats command (ADR-21): settings under a name.
type contextFile struct {
	URL         string `json:"url"`
	Token       string `json:"token"`
	User        string `json:"user"`
	Password    string `json:"password"`
	Creds       string `json:"creds"`
	NKey        string `json:"nkey"`
	Cert        string `json:"cert"`
	Key         string `json:"key"`
	CA          string `json:"ca"`
	NSC         string `json:"nsc"`
	Domain      string `json:"jetstream_domain"`
	APIPrefix   string `json:"jetstream_api_prefix"`
	InboxPrefix string `json:"inbox_prefix"`
	UserJWT     string `json:"user_jwt"`
	UserSeed    string `json:"user_seed"`
	TLSFirst    bool   `json:"tls_first"`
}

// readContext fills what is still empty from the context that is named, or else from the
// one that the nats command has selected, if there is one.
func (s *Settings) readContext(env func(string) string) error {
	home := cmp.Or(env("HOME"), env("USERPROFILE"))
	folder := filepath.Join(cmp.Or(env("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "nats")
	name := s.Context
	if name == "" {
		b, err := os.ReadFile(filepath.Join(folder, "context.txt"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return protocol.Errorf(protocol.CodeBadRequest, "", "selected context: %w", err)
		}
		if name = strings.TrimSpace(string(b)); name == "" {
			return nil
		}
	}
	if name != filepath.Base(name) {
		return protocol.Errorf(protocol.CodeBadRequest, "", "context %q: a context is a name, not a path", name)
	}
	path := filepath.Join(folder, "context", name+".json")
	f, err := parseContext(path)
	if err != nil {
		return protocol.Errorf(protocol.CodeBadRequest, "", "context %s: %s: %w", name, path, err)
	}
	s.apply(f, home)
	return nil
}

// parseContext reads a context's file.
func parseContext(path string) (contextFile, error) {
	var f contextFile
	b, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, errors.New("there is no such file; nats context ls lists the contexts")
	}
	if err != nil {
		return f, errors.Unwrap(err)
	}
	err = json.Unmarshal(b, &f)
	var wrong *json.UnmarshalTypeError
	switch {
	case errors.As(err, &wrong):
		return f, fmt.Errorf("%s must be a %s, not a %s", wrong.Field, wrong.Type, wrong.Value)
	case err != nil:
		return f, fmt.Errorf("not JSON: %w", err)
	case f.NSC != "":
		return f, errors.New("nsc is not supported; save the credentials with nsc generate creds and set creds instead")
	}
	return f, nil
}

// apply fills every setting that is still empty.
func (s *Settings) apply(f contextFile, home string) {
	path := func(p string) string {
		if rest, ok := strings.CutPrefix(p, "~/"); ok {
			return filepath.Join(home, rest)
		}
		return p
	}
	if s.Domain != "" || s.APIPrefix != "" {
		f.Domain, f.APIPrefix = "", "" // each stands for the other
	}
	for _, v := range []struct {
		to   *string
		from string
	}{
		{&s.Server, f.URL}, {&s.Token, f.Token}, {&s.User, f.User}, {&s.Password, f.Password},
		{&s.Creds, path(f.Creds)}, {&s.NKey, path(f.NKey)}, {&s.Cert, path(f.Cert)}, {&s.Key, path(f.Key)},
		{&s.CA, path(f.CA)}, {&s.Domain, f.Domain}, {&s.APIPrefix, f.APIPrefix}, {&s.InboxPrefix, f.InboxPrefix},
		{&s.userJWT, f.UserJWT}, {&s.userSeed, f.UserSeed},
	} {
		*v.to = cmp.Or(*v.to, v.from)
	}
	s.TLSFirst = s.TLSFirst || f.TLSFirst
}

// contextFolder returns where the nats command keeps its contexts, and which one is selected.
func contextFolder(env func(string) string) string {
	home := cmp.Or(env("HOME"), env("USERPROFILE"))
	return filepath.Join(cmp.Or(env("XDG_CONFIG_HOME"), filepath.Join(home, ".config")), "nats")
}

// Contexts returns the names of the contexts that the nats command keeps, sorted. Variables are read with env, as
// os.Getenv does.
func Contexts(env func(string) string) []string {
	paths, _ := filepath.Glob(filepath.Join(contextFolder(env), "context", "*.json")) // the pattern is right
	var names []string
	for _, p := range paths {
		names = append(names, strings.TrimSuffix(filepath.Base(p), ".json"))
	}
	return names
}

// SelectedContext returns the name of the context that the nats command has selected, or "" if there is none.
func SelectedContext(env func(string) string) string {
	b, _ := os.ReadFile(filepath.Join(contextFolder(env), "context.txt")) // readContext reports an error
	return strings.TrimSpace(string(b))
}
