package main

import (
	"cmp"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
)

// reach is how a user has said where NATS is: the flags with which a command that is pasted into another shell reaches
// the same server. It is empty where a command without flags goes there too.
type reach string

// reachOf returns what flags, which are not resolved yet, and the environment say. Nothing secret is in it: a flag for
// a secret has the variable in place of the value.
func reachOf(n *connect.Settings, env func(string) string) reach {
	value := map[string]string{}
	for _, w := range n.Words() {
		value[w.Flag] = cmp.Or(*w.Value, env(w.Env))
	}
	servers, user, secret := withoutSecrets(value["server"])
	value["server"] = servers
	switch {
	case secret && user == "":
		value["token"] = "secret"
	case secret:
		value["user"], value["password"] = user, "secret"
	case value["user"] != "" && value["password"] == "": // a token, for the nats command as well
		value["user"], value["token"] = "", "secret"
	}
	var flags []string
	for _, w := range n.Words() {
		v := value[w.Flag]
		switch {
		case v == "", w.Flag == "server" && v == nats.DefaultURL:
			continue
		case w.Flag == "password", w.Flag == "token":
			v = `"$` + w.Env + `"`
		default:
			v = shellQuote(v)
		}
		flags = append(flags, "--"+w.Flag+" "+v)
	}
	if n.TLSFirst {
		flags = append(flags, "--tlsfirst")
	}
	return reach(strings.Join(flags, " "))
}

// withoutSecrets returns servers, with commas between, without what is before their @: a user, or "" for a token. It
// reports whether there was a secret.
func withoutSecrets(servers string) (plain, user string, secret bool) {
	list := strings.Split(servers, ",")
	for i, s := range list {
		u, err := url.Parse(strings.TrimSpace(s))
		if err != nil || u.User == nil {
			continue
		}
		if _, secret = u.User.Password(); secret {
			user = u.User.Username()
		}
		secret = true
		u.User = nil
		list[i] = u.String()
	}
	return strings.Join(list, ","), user, secret
}

// plainWord is what a shell takes as it is.
var plainWord = regexp.MustCompile(`^[A-Za-z0-9_@%+=:,./-]+$`)

// shellQuote returns a word as a POSIX shell reads it, and PowerShell too unless there is an apostrophe in it.
func shellQuote(word string) string {
	if plainWord.MatchString(word) {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// printedCommand is a command in a text for people: polyvoke or nats, its subcommands, and the server that the text
// names already, if it does.
var printedCommand = regexp.MustCompile(`\b(polyvoke|nats)((?: [a-z]+){1,2})( (?:--server|--context|-s) [^\s;,]+)?`)

// pasteable returns a text for people in which each command that needs NATS says how to reach the server that the
// command at hand has reached. So it works when it is pasted, in any shell.
func (c *cli) pasteable(text string) string {
	if c.reach == "" {
		return text
	}
	return printedCommand.ReplaceAllStringFunc(text, func(command string) string {
		m := printedCommand.FindStringSubmatch(command)
		program, words, server := m[1], strings.Fields(m[2]), m[3]
		if program == "nats" {
			if words[0] == "req" || words[0] == "sub" || words[0] == "pub" || words[0] == "micro" {
				return "nats " + string(c.reach) + m[2]
			}
			return command
		}
		cmd, rest, err := c.commands.Find(words)
		if err != nil || cmd == c.commands || cmd.Flags().Lookup("server") == nil || ownServer(cmd) && server == "" {
			return command
		}
		taken := len(words) - len(rest)
		return strings.Join(slices.Concat([]string{program}, words[:taken], []string{string(c.reach)}, rest), " ")
	})
}

// ownServer reports whether a command starts a NATS server unless it is told which one to join.
func ownServer(cmd *cobra.Command) bool { return cmd.Name() == "serve" || cmd.Name() == "dev" }
