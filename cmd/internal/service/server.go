package service

import (
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
)

// StartServer starts a NATS server of our own, with the credentials that n or the environment names, which n has
// then, and tells where its data are: where c says, or in the user's data folder. env reads a variable, as os.Getenv
// does.
func StartServer(
	n *connect.Settings, c natsd.Config, env func(string) string,
) (server *natsd.Server, store string, err error) {
	for _, w := range n.Words() {
		if *w.Value == "" && (w.Flag == "user" || w.Flag == "password" || w.Flag == "token") {
			*w.Value = env(w.Env)
		}
	}
	if n.User != "" && n.Password == "" && n.Token == "" {
		n.User, n.Token = "", n.User // what clients make of a user without password
	}
	if c.Store == "" {
		c.Store = DataDir(env)
	}
	if c.Store == "" {
		return nil, "", &exit.Error{Code: exit.Usage, Msg: "no home folder to keep functions in: name a folder with --store"}
	}
	if c.Store, err = filepath.Abs(c.Store); err != nil {
		return nil, "", err
	}
	c.User, c.Password, c.Token = n.User, n.Password, n.Token
	server, err = natsd.Start(c)
	switch {
	case errors.Is(err, natsd.ErrExposed):
		return nil, "", &exit.Error{Code: exit.Usage, Err: err,
			Msg: fmt.Sprintf("--listen %s lets others connect without credentials: "+
				"add --user and --password, or --token, or --insecure", c.Listen)}
	case errors.Is(err, natsd.ErrInUse) && strings.HasPrefix(err.Error(), "store"):
		return nil, "", &exit.Error{Code: exit.Failed, Err: err,
			Msg: fmt.Sprintf("%v: stop that one, or choose another --store", err)}
	case errors.Is(err, natsd.ErrInUse):
		return nil, "", &exit.Error{Code: exit.Failed, Err: err,
			Msg: fmt.Sprintf("%v: choose another --listen, or join the server that is there with --server nats://%s",
				err, c.Listen)}
	case err != nil:
		return nil, "", &exit.Error{Code: exit.Failed, Msg: fmt.Sprintf("%v: check --listen and --store", err), Err: err}
	}
	return server, c.Store, nil
}

// LogAsync returns a handler that logs what goes wrong on a connection with nobody waiting for it.
func LogAsync(log *slog.Logger) nats.ErrHandler {
	return func(_ *nats.Conn, sub *nats.Subscription, err error) {
		subject := ""
		if sub != nil {
			subject = sub.Subject
		}
		log.Warn("nats", "subject", subject, "err", err)
	}
}
