package main

import (
	"cmp"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nats-io/nats.go"
	"github.com/spf13/cobra"

	"github.com/polyvoke/polyvoke/cmd/internal/connect"
	"github.com/polyvoke/polyvoke/cmd/internal/frontdoor"
	"github.com/polyvoke/polyvoke/cmd/internal/natsd"
	"github.com/polyvoke/polyvoke/cmd/internal/service"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// serveOptions are what the flags of serve say.
type serveOptions struct {
	listen, store, cache string
	secrets              secretOptions
	logLevel, logFormat  string
	durability           string // of its own NATS server; one of protocol.Durabilities
	insecure             bool
	slots, replicas      int
	drain                time.Duration
	compile              compileLimits
	idleMemory           string // as protocol.ParseSize reads it
	http                 httpOptions
	private              []string // addresses or ranges that functions may ask by HTTP all the same
	told                 telemetryOptions
	trust                trustOptions
	audit                string           // one of service.Audits
	own                  connect.Settings // who does what is no answer; nobody else if it is empty
}

// serveCommand serves functions until it is told to stop.
func (c *cli) serveCommand() *cobra.Command {
	var n connect.Settings
	var o serveOptions
	cmd := &cobra.Command{
		Use:   "serve",
		Short: "Serve functions, on a NATS server that it starts or on yours",
		Long: `Serve functions until SIGTERM or Ctrl-C, then finish the calls that are running and
exit; a second signal exits at once.

Without --server or --context it starts a NATS server, on this machine only
(` + natsd.DefaultListen + `) and with JetStream on disk. Clients must then present --user and --password,
or --token; without these it refuses to listen where others can reach it.
With --server or --context it joins that NATS; several invokers share the work.
Its own server keeps what it has accepted when it is killed, or crashes. With
--durability power-loss it also does when the machine loses power: each message is on
disk before it is acknowledged, which makes storing several times slower. Without that,
the messages of the last two minutes can be lost. On your own server this is the
setting sync_interval: always.
With --js-creds or another --js-... it connects as two users: the first takes and
answers messages, the second stores, logs and passes on. docs/permissions.md lists the
permissions that each needs.
With --http it also answers HTTP: docs/gateway.md.

It exits with code 125 if NATS closes the connection for good, for example because
its credentials were revoked. Let a supervisor restart it (systemd: Restart=on-failure).`,
		Args:              argsBetween(0, 0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.checkServe(cmd, &n, &o); err != nil {
				return err
			}
			return c.serve(cmd, &n, &o)
		},
	}
	f := cmd.Flags()
	o.addServer(cmd)
	f.StringVar(&o.cache, "cache", "",
		"folder for compiled modules and copies of modules (default: polyvoke/modules in the user's cache folder)")
	f.IntVar(&o.slots, "slots", 0,
		"calls that may use a processor at the same time (default: one less than there are processors)")
	f.DurationVar(&o.drain, "drain", 30*time.Second, "how long calls may continue after the signal to stop")
	f.IntVar(&o.replicas, "replicas", 1, "copies of each function that a NATS cluster keeps")
	addLog(cmd, &o.logLevel, &o.logFormat)
	f.StringVar(&o.idleMemory, "idle-memory", "256MiB", "memory limit of all processes together that wait for calls")
	f.StringSliceVar(&o.private, "http-allow-private", nil,
		"addresses or ranges of this machine or private networks that functions may be granted by http (default: none)")
	o.secrets.addTo(cmd)
	o.trust.addTo(cmd)
	f.StringVar(&o.audit, "audit", service.AuditOn,
		"keep who changes what: on, off, or required, which refuses changes that cannot be kept: docs/audit.md")
	_ = cmd.RegisterFlagCompletionFunc("audit", cobra.FixedCompletions(service.Audits(), cobra.ShellCompDirectiveNoFileComp))
	o.told.addTo(cmd)
	o.compile.addTo(cmd)
	o.http.addTo(cmd, "")
	addConnection(cmd, &n)
	markConnection(f, func() {
		for _, w := range o.own.Identity() {
			f.StringVar(w.Value, "js-"+w.Flag, "",
				"of a second user, for JetStream and logs: "+w.Usage+" ["+jsVariable(w)+"]")
		}
	})
	return cmd
}

// addLog adds the flags of a log.
func addLog(cmd *cobra.Command, level, format *string) {
	f := cmd.Flags()
	f.StringVar(level, "log-level", "info", "debug, info, warn or error")
	f.StringVar(format, "log-format", "auto",
		"text for people, logfmt or json; auto is text on a terminal and json elsewhere")
	_ = cmd.RegisterFlagCompletionFunc("log-format", cobra.FixedCompletions(logFormats,
		cobra.ShellCompDirectiveNoFileComp))
	_ = cmd.RegisterFlagCompletionFunc("log-level", cobra.FixedCompletions([]string{"debug", "info", "warn", "error"},
		cobra.ShellCompDirectiveNoFileComp))
}

// checkLog refuses a log of which there is none such.
func checkLog(cmd *cobra.Command, level, format string) error {
	if !slices.Contains(logFormats, format) {
		return usageError(cmd, "--log-format %q: use text, logfmt, json or auto", format)
	}
	var l slog.Level
	if err := l.UnmarshalText([]byte(level)); err != nil {
		return usageError(cmd, "--log-level %q: use debug, info, warn or error", level)
	}
	return nil
}

// addServer adds the flags of a NATS server of polyvoke's own.
func (o *serveOptions) addServer(cmd *cobra.Command) {
	f := cmd.Flags()
	f.StringVar(&o.listen, "listen", natsd.DefaultListen,
		"HOST:PORT of the NATS server that it starts; port 0 is any free one")
	f.StringVar(&o.store, "store", "", "folder for JetStream's data (default: polyvoke in the user's data folder)")
	f.StringVar(&o.durability, "durability", protocol.DurabilityCrash,
		"what its NATS server's data outlive: crash (of a process), or power-loss too, which is slower")
	f.BoolVar(&o.insecure, "insecure", false, "allow others to connect without credentials")
	_ = cmd.RegisterFlagCompletionFunc("durability", cobra.FixedCompletions(protocol.Durabilities(),
		cobra.ShellCompDirectiveNoFileComp))
}

// jsVariable returns the variable of a setting of the second user.
func jsVariable(w connect.Word) string { return strings.Replace(w.Env, "NATS_", "NATS_JS_", 1) }

// second reports whether what is no answer is done by a user of its own, whose settings it completes from the
// environment.
func (o *serveOptions) second(env func(string) string) bool {
	some := false
	for _, w := range o.own.Identity() {
		*w.Value = cmp.Or(*w.Value, env(jsVariable(w)))
		some = some || *w.Value != ""
	}
	return some
}

// checkServe refuses settings that contradict each other or mean nothing.
func (c *cli) checkServe(cmd *cobra.Command, n *connect.Settings, o *serveOptions) error {
	joins := n.Server != "" || n.Context != ""
	for _, flag := range []string{"listen", "store", "insecure", "durability"} {
		if joins && cmd.Flags().Changed(flag) {
			return usageError(cmd, "--%s belongs to a NATS server of polyvoke's own, "+
				"but --server or --context joins another: leave one of them out", flag)
		}
	}
	for _, w := range o.own.Identity() {
		if flag := "js-" + w.Flag; !joins && cmd.Flags().Changed(flag) {
			return usageError(cmd, "--%s needs --server or --context", flag)
		}
	}
	switch {
	case !joins && (n.Domain != "" || n.APIPrefix != ""):
		return usageError(cmd, "--js-domain and --js-api-prefix need --server or --context")
	case o.slots < 0:
		return usageError(cmd, "--slots %d must be 1 or more, or 0 for the default", o.slots)
	case o.replicas < 1 || o.replicas > 5:
		return usageError(cmd, "--replicas %d must be from 1 to 5", o.replicas)
	case !slices.Contains(protocol.Durabilities(), o.durability):
		return usageError(cmd, "--durability %q: use %s", o.durability, strings.Join(protocol.Durabilities(), " or "))
	case !slices.Contains(service.Audits(), o.audit):
		return usageError(cmd, "--audit %q: use %s", o.audit, strings.Join(service.Audits(), ", "))
	case o.drain <= 0:
		return usageError(cmd, "--drain %s must be longer than zero", o.drain)
	}
	if err := o.told.complete(cmd, c.env); err != nil {
		return err
	}
	if err := o.compile.check(cmd); err != nil {
		return err
	}
	if err := o.trust.read(cmd); err != nil {
		return err
	}
	if err := o.secrets.read(cmd); err != nil {
		return err
	}
	if _, err := protocol.ParseSize(o.idleMemory); err != nil {
		return usageError(cmd, "--idle-memory: %v", err)
	}
	if _, err := frontdoor.ParsePrefixes(o.private); err != nil {
		return usageError(cmd, "--http-allow-private: %v", err)
	}
	return checkLog(cmd, o.logLevel, o.logFormat)
}

// serve serves: on a NATS server that it starts, or on the one that n names.
func (c *cli) serve(cmd *cobra.Command, n *connect.Settings, o *serveOptions) error {
	ctx := cmd.Context()
	web, err := o.http.config(cmd, c.env)
	if err != nil {
		return err
	}
	log := c.logger(o.logLevel, o.logFormat)
	told, err := o.told.open(c.env, log, o.http.on())
	if err != nil {
		return err
	}
	defer told.Close()
	service.TuneCollector(c.env)
	go service.RestCollector(ctx)
	where, reach, durability := "joined", c.connect, ""
	if n.Server == "" && n.Context == "" {
		server, store, err := service.StartServer(n, natsd.Config{Listen: o.listen, Store: o.store,
			Insecure: o.insecure, PowerLoss: o.durability == protocol.DurabilityPowerLoss,
			Log: log}, c.env)
		if err != nil {
			return err
		}
		defer server.Close()
		where = "store " + store + ", durability " + o.durability
		durability = o.durability
		// Neither the environment nor a context has a say in how to reach our own server.
		*n = connect.Settings{Server: server.URL(), User: n.User, Password: n.Password, Token: n.Token,
			Timeout: cmp.Or(n.Timeout, connect.DefaultTimeout)}
		reach = c.connectTo
		c.reach = reachOf(n, func(string) string { return "" })
	}
	s, err := reach(cmd, n, nats.ErrorHandler(service.LogAsync(log)))
	if err != nil {
		return err
	}
	defer s.Close()
	var own *connect.Session
	if where == "joined" && o.second(c.env) {
		if own, err = c.connectTo(cmd, n.As(&o.own), nats.ErrorHandler(service.LogAsync(log))); err != nil {
			return err
		}
		defer own.Close()
	}
	idle, _ := protocol.ParseSize(o.idleMemory)      // checkServe has read it
	private, _ := frontdoor.ParsePrefixes(o.private) // and these
	how := service.Config{Version: version(), Own: own, Cache: o.cache, Slots: o.slots, Replicas: o.replicas,
		Durability: durability, Drain: o.drain, IdleMemory: int64(idle), Limits: o.compile.limits(),
		Compiling: service.DenseCollector, Telemetry: told, HTTP: web, Secrets: o.secrets.source(), Keys: o.secrets.keys,
		Trust: o.trust.policy, Audit: o.audit,
		Private: private, Log: log}
	how.HTTP.Open = c.sayHTTP(web)
	started := sync.OnceFunc(terminal.Ticks(func(passed time.Duration) {
		log.Info("still starting", "nats", s.URL, "seconds", int(passed.Seconds()))
	}))
	defer started()
	err = service.Serve(ctx, s, how, func(functions int) {
		started()
		c.sayServing(functions, s.URL, where)
	})
	return httpFailed(cmd, err)
}

// sayServing says what is served and where, and to whom it may be hidden.
func (c *cli) sayServing(functions int, url, where string) {
	fmt.Fprintf(c.stdout, "polyvoke %s serves %s on %s (%s)\n", version(), terminal.Plural(functions, "function"), url, where)
	if u := c.env("NATS_URL"); u != "" && where != "joined" && u != url {
		fmt.Fprintf(c.stderr, "note: NATS_URL is %[1]s, so clients with this environment go there; "+
			"to serve there: polyvoke serve --server %[1]s\n", connect.Redact(u))
	}
}

// logFormats are what --log-format takes.
var logFormats = []string{"auto", "text", "logfmt", "json"}

// logger returns the log: text for people on a terminal, JSON for machines elsewhere, unless format says otherwise.
func (c *cli) logger(level, format string) *slog.Logger {
	var l slog.Level
	_ = l.UnmarshalText([]byte(level)) // checkServe has read it
	if format == "auto" && terminal.Is(c.stderr) {
		format = "text"
	}
	o := &slog.HandlerOptions{Level: l}
	switch format {
	case "text":
		return slog.New(terminal.NewLogHandler(c.stderr, c.paint(c.stderr), l))
	case "logfmt":
		return slog.New(slog.NewTextHandler(c.stderr, o))
	}
	return slog.New(slog.NewJSONHandler(c.stderr, o))
}
