package doctor

import (
	"cmp"
	"strings"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
)

// Config says what to look at.
type Config struct {
	// Version is polyvoke's own.
	Version string
	// Settings are those of the command, as Resolve has filled them; Origin says where their server comes from, and
	// Err is the error of Resolve, if there was one.
	Settings *connect.Settings
	Origin   string
	Err      error
	// Connect reaches NATS. It must not be nil.
	Connect func() (*connect.Session, error)
	// Cache is the folder of compiled modules, Data that of the server that polyvoke serve brings. Empty means that
	// there is none on this machine.
	Cache, Data string
	// Folder is where a polyvoke.toml is looked for.
	Folder string
	// Listen is where polyvoke serve listens, HOST:PORT.
	Listen string
}

// Origin returns where the server of settings comes from that are not resolved yet: a flag, a variable, a context, or
// nowhere. Variables are read with env, as os.Getenv does.
func Origin(s *connect.Settings, env func(string) string) string {
	name := cmp.Or(s.Context, env("NATS_CONTEXT"))
	switch {
	case s.Server != "":
		return "by --server"
	case env("NATS_URL") != "":
		return "by NATS_URL"
	case s.Context != "":
		return "by --context " + name
	case name != "":
		return "by NATS_CONTEXT, the context " + name
	}
	if name = connect.SelectedContext(env); name != "" {
		return "by the selected context " + name
	}
	return "the default: no flag, NATS_URL or context names another"
}

// credentials says who the settings claim to be, and nothing secret.
func credentials(s *connect.Settings) string {
	var with []string
	for _, w := range s.Identity() {
		switch {
		case *w.Value == "" || w.Flag == "inbox-prefix" || w.Flag == "password":
		case w.Flag == "token" || w.Flag == "user" && s.Password == "":
			with = append(with, "a token")
		default:
			with = append(with, w.Flag+" "+*w.Value)
		}
	}
	if strings.Contains(s.Server, "@") {
		with = append(with, "those in the URL")
	}
	if with == nil {
		return "without credentials"
	}
	return "with " + strings.Join(with, ", ")
}
