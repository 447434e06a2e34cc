package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol/spelling"
)

// synonyms are other tools' words for commands. They work, and help names them only beside the command: by the path of
// the command behind "polyvoke".
var synonyms = map[string][]string{
	"new":        {"init", "create"},
	"build":      {"compile"},
	"run":        {"exec"},
	"dev":        {"watch"},
	"serve":      {"up", "start", "server"},
	"deploy":     {"push", "apply", "update"},
	"call":       {"invoke", "request", "req"},
	"logs":       {"log", "tail"},
	"top":        {"stats", "monitor"},
	"ls":         {"list", "ps"},
	"info":       {"describe", "show", "get"},
	"rm":         {"remove", "delete", "del", "undeploy"},
	"runtime":    {"runtimes"},
	"doctor":     {"diagnose"},
	"runtime ls": {"list"},

	"kv":         {"bucket", "buckets", "keyvalue"},
	"obj":        {"object", "objects", "blob"},
	"key":        {"keys", "apikey", "api-key"},
	"key create": {"add", "new", "make", "issue"},
	"key ls":     {"list"},
	"key show":   {"info", "get", "describe"},
	"key revoke": {"rm", "remove", "delete"},

	"secret":        {"secrets"},
	"secret keygen": {"key", "genkey"},
	"secret set":    {"put", "add", "create", "seal"},
	"secret ls":     {"list"},
	"secret rm":     {"remove", "delete", "del", "unset"},
	"secret rotate": {"reseal", "rekey"},

	"job":          {"jobs"},
	"job run":      {"submit", "add", "enqueue", "publish", "new"},
	"job ls":       {"list", "ps"},
	"job show":     {"info", "status", "get", "describe"},
	"job result":   {"output", "wait"},
	"job cancel":   {"stop", "kill", "abort"},
	"job purge":    {"clear"},
	"dead":         {"dlq", "dead-letter", "dead-letters", "failed"},
	"dead ls":      {"list"},
	"dead show":    {"info", "get", "describe"},
	"dead redrive": {"retry", "requeue", "replay"},
	"dead drop":    {"rm", "remove", "delete", "purge", "discard"},
	"pause":        {"suspend"},
	"resume":       {"unpause"},
}

// elsewhere says what to do instead of commands that other tools have, and polyvoke has not.
var elsewhere = map[string]string{
	"stop":      "Ctrl-C or SIGTERM ends polyvoke serve; polyvoke rm removes a function",
	"down":      "Ctrl-C or SIGTERM ends polyvoke serve; polyvoke rm removes a function",
	"restart":   "end polyvoke serve with Ctrl-C and start it again: what is deployed stays",
	"publish":   "polyvoke deploy puts a function on NATS, polyvoke call sends it a request; nats pub publishes a message",
	"pub":       "polyvoke call sends a function a request; nats pub publishes a message",
	"sub":       "polyvoke logs -f prints what functions write on stderr; nats sub subscribes to a subject",
	"subscribe": "polyvoke logs -f prints what functions write on stderr; nats sub subscribes to a subject",
	"login":     "give --creds, --user or --token, or select a context: nats context select",
	"config":    "settings are flags, variables such as NATS_URL, and contexts: nats context add",
	"context":   "contexts are those of the nats command: nats context ls",
	"test":      "polyvoke run runs a function here, without NATS; polyvoke call calls one that is deployed",
	"status":    "polyvoke doctor checks the connection and the invokers, polyvoke info describes a function",
	"stats":     "polyvoke info shows the figures of a function",
	"versions":  "polyvoke info lists the versions of a function, polyvoke call NAME@2 calls one",
	"retry":     "polyvoke dead redrive runs dead jobs again",
	"redrive":   "polyvoke dead redrive runs dead jobs again",
	"revoke":    "polyvoke key revoke revokes a key of an HTTP client",
	"cancel":    "polyvoke job cancel cancels a job",
	"queue":     "polyvoke info shows a function's queue, polyvoke job ls the jobs in it",
	"enqueue":   "polyvoke job run gives a function a job",
	"add":       "polyvoke deploy puts a function on NATS, polyvoke runtime add a runtime",
}

// addSynonyms gives a command and those below it their other names.
func addSynonyms(cmd *cobra.Command) {
	_, path, _ := strings.Cut(cmd.CommandPath(), " ")
	for _, s := range synonyms[path] {
		if !slices.Contains(cmd.Aliases, s) {
			cmd.Aliases = append(cmd.Aliases, s)
		}
	}
	for _, sub := range cmd.Commands() {
		addSynonyms(sub)
	}
}

// noCommand refuses words that are no subcommand.
func (c *cli) noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	hint := ""
	if cmd == cmd.Root() {
		hint = elsewhere[strings.ToLower(args[0])]
	}
	if hint == "" {
		hint = didYouMean(args[0], cmd)
	}
	if hint == "" {
		hint = cmd.CommandPath() + " --help lists the commands"
	}
	return &exit.Error{Code: exit.Usage, Msg: fmt.Sprintf("unknown command %q: %s", args[0], hint)}
}

// didYouMean says which command below cmd a word may be a slip of, also if it is a slip of a synonym.
func didYouMean(word string, cmd *cobra.Command) string {
	means := map[string]string{}
	var names []string
	for _, sub := range cmd.Commands() {
		if sub.Hidden {
			continue
		}
		for _, name := range append([]string{sub.Name()}, sub.Aliases...) {
			names = append(names, name)
			means[name] = sub.Name()
		}
	}
	var near []string
	for _, name := range spelling.Nearest(word, names) {
		if !slices.Contains(near, means[name]) {
			near = append(near, means[name])
		}
	}
	if len(near) == 0 {
		return ""
	}
	path := cmd.CommandPath() + " "
	return "did you mean " + path + strings.Join(near, " or "+path) + "?"
}

// flagError says which flag may be meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if !errors.As(err, &unknown) || unknown.GetSpecifiedShortnames() != "" {
		return usageError(cmd, "%v", err)
	}
	word := unknown.GetSpecifiedName()
	var names []string
	for _, flags := range []*pflag.FlagSet{cmd.LocalFlags(), cmd.InheritedFlags()} {
		flags.VisitAll(func(f *pflag.Flag) {
			if !f.Hidden {
				names = append(names, f.Name)
			}
		})
	}
	if hint := spelling.DidYouMean(word, "--", names); hint != "" {
		return usageError(cmd, "unknown flag --%s: %s", word, hint)
	}
	return usageError(cmd, "unknown flag --%s", word)
}
