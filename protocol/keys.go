package protocol

import (
	"fmt"
	"reflect"
	"strings"
)

// Types of manifest keys, in the words of people.
const (
	TypeString   = "string"
	TypeDuration = "duration" // a string such as "500ms"
	TypeBackoff  = "pause"    // a duration, or two as "1s..5m", see Backoff
	TypeSize     = "size"     // a string such as "64MiB", or a number of bytes
	TypeNumber   = "number"   // a whole one
	TypeBool     = "true or false"
	TypeStrings  = "list of strings"
	TypeNumbers  = "list of numbers"
	TypeEnv      = "table of strings"
	TypeTable    = "table"
	TypeTables   = "list of tables"
)

// Key describes a key of a manifest, as an author writes it: what editors, pages and error messages say about it.
type Key struct {
	Path    string   // such as limits.memory; trigger.to is a key of each of the tables trigger
	Type    string   // one of the Type constants
	Default string   // what holds without it, for people; empty: nothing, or it must be there
	Range   string   // what it can be, for people
	Values  []string // the only ones that it can have; nil: any of its type
	Pattern string   // regular expression of a string, or of a list's strings; empty: any
	Min     int64    // of a number, and of a list's numbers
	Max     int64    // of a number, and of a list's numbers; 0: none
	Most    int      // bytes of a string, or items of a list; 0: not bounded by itself
	Must    bool     // it must be there
	Text    string   // what it does, in one or two sentences
	Example string   // a value, in TOML
}

// Patterns of strings in a manifest.
const (
	patternName     = `^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$`
	patternRuntime  = `^[A-Za-z0-9][A-Za-z0-9_-]{0,63}(@[A-Za-z0-9_-]{1,64})?$`
	patternNeed     = `^[a-z][a-z0-9-]{0,31}$`
	patternDuration = `^([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h)`
	patternSize     = `^ *[0-9]+ *(KiB|MiB|GiB|KB|MB|GB|B)? *$`
)

// Keys returns the keys of a manifest that an author can write, in the order in which Function has them. A table comes
// before what is in it. The types are those of Function's fields.
func Keys() []Key { return keysBelow("", reflect.TypeFor[Function](), keyTable()) }

// keysBelow returns the keys of a struct, and of those in it.
func keysBelow(prefix string, t reflect.Type, table map[string]Key) []Key {
	var all []Key
	for f := range t.Fields() {
		name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
		k, known := table[prefix+name]
		if !known {
			continue // the registry gives it
		}
		k.Path, k.Type = prefix+name, keyType(f.Type)
		k.pattern()
		all = append(all, k)
		switch k.Type {
		case TypeTable:
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			all = append(all, keysBelow(k.Path+".", inner, table)...)
		case TypeTables:
			all = append(all, keysBelow(k.Path+".", f.Type.Elem(), table)...)
		}
	}
	return all
}

// pattern gives the key the pattern of its type.
func (k *Key) pattern() {
	switch k.Type {
	case TypeDuration:
		k.Pattern = patternDuration
	case TypeSize:
		k.Pattern = patternSize
	}
}

// keyType returns the type of a field's key.
func keyType(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return TypeDuration
	case t == reflect.TypeFor[Size]():
		return TypeSize
	case t == reflect.TypeFor[Backoff]():
		return TypeBackoff
	case t == reflect.TypeFor[*int](): // whose default is not 0
		return TypeNumber
	}
	switch t.Kind() {
	case reflect.String:
		return TypeString
	case reflect.Int, reflect.Int64:
		return TypeNumber
	case reflect.Bool:
		return TypeBool
	case reflect.Map:
		return TypeEnv
	case reflect.Struct, reflect.Pointer:
		return TypeTable
	}
	switch t.Elem().Kind() {
	case reflect.String:
		return TypeStrings
	case reflect.Int:
		return TypeNumbers
	}
	return TypeTables
}

// keyTable returns what Keys cannot read off the types. A field of Function without a row here is the registry's.
func keyTable() map[string]Key {
	t := map[string]Key{
		"name": {Default: "that of the module or the script",
			Range: "1 to 64 of `A-Z a-z 0-9 - _`, a letter or a digit first", Pattern: patternName,
			Text: "The function, and so its subject: `fn.NAME`.", Example: `"greet"`},
		"language": {Default: "as the module says", Range: fmt.Sprintf("at most %d bytes", MaxLanguage),
			Most: MaxLanguage,
			Text: "What it is written in. For people only.", Example: `"Rust"`},
		"runtime": {Default: "by the script's extension", Range: "`NAME` or `NAME@VERSION`", Pattern: patternRuntime,
			Text: "What runs a script. A module has none.", Example: `"python"`},
		"start": {Default: StartAuto, Values: StartKinds(),
			Text: "How its processes come to be. `" + StartAuto +
				"` lets the invoker choose; `polyvoke info` shows what it chose, and why.", Example: `"fresh"`},
		"optimize": {Default: fmt.Sprint(OptimizeAll), Range: fmt.Sprintf("%d to %d", OptimizeNone, OptimizeAll),
			Min: OptimizeNone, Max: OptimizeAll,
			Text: "How far an invoker optimizes the code: 0 for what a sandbox needs only, 1 for what takes little time at an " +
				"upload, 2 for all. What the function does is the same, but for its fuel.", Example: "0"},
		"meta": {Default: MetaFiles, Values: []string{MetaFiles, MetaEnv},
			Text: "Where a process finds the request's id, subject and headers: in `/request/`, or in the environment " +
				"too.", Example: `"env"`},
		"args": {Default: "none", Range: "with `env` at most 64 KiB", Text: "Arguments behind those of the subject.",
			Example: `["--fast"]`},
		"env": {Default: "none", Range: "with `args` at most 64 KiB", Text: "The whole environment of its processes.",
			Example: `{ LANG = "en" }`},
		"replies": {Default: "none", Range: fmt.Sprintf("at most %d, of 1 to 255, but not 64 to 78", MaxReplies),
			Max: 255, Most: MaxReplies,
			Text: "Exit codes besides 0 with which stdout is a reply and no error.", Example: `[1, 10]`},
		"limits": {Text: "What one call may take, and all calls together.", Example: `{ timeout = "500ms" }`},
		"trigger": {Default: "none", Range: fmt.Sprintf("at most %d", MaxTriggers), Most: MaxTriggers,
			Text: "What calls the function besides `fn.NAME`. Each has one source: `" + strings.Join(Sources(), "`, `") +
				"`.", Example: `[{ subject = "orders.*.new" }]`},
		"allow_loop": {Default: "false", Example: "true",
			Text: "What the function passes on may call the function again. Without it such a manifest is refused."},
		"needs": {Default: "what follows from the other keys",
			Range:   fmt.Sprintf("at most %d words of lower-case letters, digits and dashes", MaxNeeds),
			Pattern: patternNeed, Most: MaxNeeds,
			Text: "What an invoker must know to serve the function. An older one leaves it to others.", Example: `[]`},
	}
	addLimits(t)
	addJob(t)
	addTrigger(t)
	addStream(t)
	addSchedule(t)
	addHTTP(t)
	addCORS(t)
	addWebSocket(t)
	addGrant(t)
	return t
}

// addLimits adds the rows of limits.
func addLimits(t map[string]Key) {
	count := func(def int, text string) Key {
		return Key{Default: fmt.Sprint(def), Range: fmt.Sprintf("1 to %d", MaxConcurrency), Min: 1, Max: MaxConcurrency,
			Text: text, Example: "16"}
	}
	t["limits.timeout"] = Key{Default: DefaultTimeout.String(), Range: "more than 0, at most 15m", Example: `"500ms"`,
		Text: "Of one call, waiting included. Then the call ends with 504."}
	t["limits.fuel"] = Key{Default: "no limit", Range: "1 to 10^15", Min: 1, Max: MaxFuel, Example: "50_000_000",
		Text: "Work of one call, in the units that `Fn-Fuel` reports: the same on any machine."}
	t["limits.memory"] = Key{Default: DefaultMemory.String() + ", or what the runtime says", Range: "less than 4GiB",
		Example: `"64MiB"`,
		Text:    "Linear memory of a process. Then the call ends with 507."}
	t["limits.stack"] = Key{Default: DefaultStack.String(), Range: MinStack.String() + " to " + MaxStack.String(),
		Example: `"1MiB"`,
		Text:    "Stack of a process. Beyond it the process traps."}
	t["limits.input"] = Key{Default: DefaultInput.String(), Range: "at most " + MaxBody.String(), Example: `"1MiB"`,
		Text: "Body of a request. A longer one is answered with 413."}
	t["limits.output"] = Key{Default: DefaultOutput.String(), Range: "at most " + MaxBody.String(), Example: `"1MiB"`,
		Text: "Body of a reply. A longer one is answered with 502."}
	t["limits.concurrency"] = count(DefaultConcurrency, "Calls that run on one invoker at a time.")
	t["limits.queue"] = count(DefaultQueue, "Calls that wait on one invoker. Further ones are answered with 429.")
}

// patternBackoff is the form of a Backoff.
const patternBackoff = patternDuration + `(.*\.\.` + `([0-9]+(\.[0-9]*)?|\.[0-9]+)(ns|us|µs|ms|s|m|h))?`

// addJob adds the rows of job.
func addJob(t map[string]Key) {
	t["job"] = Key{Default: "none; a queue is made with the first job", Example: `{ attempts = 3 }`,
		Text: "How durable calls of the function are made: those that are published on `job.NAME`."}
	t["job.attempts"] = Key{Default: fmt.Sprint(DefaultAttempts), Range: fmt.Sprintf("1 to %d", MaxAttempts), Min: 1,
		Max: MaxAttempts, Example: "3",
		Text: "Verdicts before a job is a dead letter. A delivery that an invoker did not survive is none."}
	t["job.backoff"] = Key{Default: DefaultBackoff.String(), Range: MinBackoff.String() + " to " + MaxBackoff.String(),
		Pattern: patternBackoff, Example: `"1s..5m"`,
		Text: "The pause before the next attempt, which doubles from the first value to the second, with jitter."}
	t["job.timeout"] = Key{Default: "that of `limits`", Range: "more than 0, at most 15m", Example: `"2m"`,
		Text: "Of one attempt, in place of `limits.timeout`."}
	t["job.max_age"] = Key{Default: DefaultMaxAge.String(), Range: "at most " + MaxJobAge.String(), Example: `"1h"`,
		Text: "From acceptance to the last attempt. Then the job is a dead letter."}
	t["job.ack_wait"] = Key{Default: DefaultAckWait.String(), Range: MinAckWait.String() + " to " + MaxAckWait.String(),
		Example: `"10s"`,
		Text: "How long an invoker that runs a job may say nothing before another one gets it. It says so in time by " +
			"itself, however long the job takes."}
	t["job.concurrency"] = Key{Default: fmt.Sprint(DefaultJobs), Range: fmt.Sprintf("1 to %d", MaxJobs), Min: 1,
		Max: MaxJobs, Example: "10", Text: "Jobs that run at a time, on all invokers together."}
	t["job.rate"] = Key{Default: "no bound", Range: fmt.Sprintf("`COUNT/TIME`, such as `50/s`, `10/m`, `100/10s`; at most "+
		"%d in at most 24h", MaxRate), Pattern: patternRate, Example: `"50/s"`,
		Text: "How many jobs begin in a time, on all invokers together; their clocks must agree."}
	t["job.key"] = Key{Default: "none: jobs run side by side", Range: fmt.Sprintf(
		"`{1}` to `{%d}`, or `header NAME`", MaxKeyArg), Pattern: `^(\{[1-9][0-9]?\}|header [!-~]+)$`, Example: `"{1}"`,
		Text: "What jobs have in common that run one after another, in the order of their acceptance: an argument or a " +
			"header. Others run side by side."}
	t["job.queue"] = Key{Default: fmt.Sprint(DefaultJobQueue), Range: fmt.Sprintf("1 to %d", MaxJobQueue), Min: 1,
		Max: MaxJobQueue, Example: "10_000",
		Text: "Jobs that are accepted and have no outcome. NATS refuses further ones when they are published."}
	t["job.unique"] = Key{Default: DefaultUnique.String(), Range: "at most " + MaxUnique.String(), Example: `"10m"`,
		Text: "How long a second job with the same `Fn-Id` is the first one."}
	t["job.result"] = Key{Default: DefaultResult.String(), Range: MinJobResult.String() + " to " + MaxJobAge.String(),
		Example: `"1h"`, Text: "How long the outcome of a job is kept."}
	t["job.record"] = Key{Default: "`off`", Range: "`off`, `failed`, `all`, or a share such as `1%`",
		Pattern: `^(off|failed|all|[0-9]+(\.[0-9]+)?%)$`, Example: `"failed"`,
		Text: "Which runs of jobs are recorded, for `polyvoke replay`: stdin, headers, time and entropy, and what came of " +
			"them. Recordings are kept for a day."}
	t["job.on_failure"] = Key{Default: "nowhere", Range: fmt.Sprintf("at most %d bytes; no wildcards", MaxSubject),
		Most: MaxSubject, Example: `"orders.failed"`,
		Text: "A subject on which dead letters are published besides."}
}

// addTrigger adds the rows of trigger that most sources have.
func addTrigger(t map[string]Key) {
	t["trigger.subject"] = Key{Range: fmt.Sprintf("at most %d bytes; wildcards allowed; not in a tree of "+
		"polyvoke's or the server's own", MaxSubject), Most: MaxSubject, Example: `"orders.*.new"`,
		Text: "Source: messages on a subject, which call the function at once. What its wildcards match becomes arguments."}
	t["trigger.queue"] = Key{Default: "`fn-NAME`", Range: fmt.Sprintf("one token of at most %d bytes", MaxQueue),
		Most: MaxQueue, Example: `"workers"`, Text: "With `subject`: the queue group that shares the messages."}
	t["trigger.kv"] = Key{Range: "`BUCKET` or `BUCKET.KEYS`; wildcards allowed in keys", Most: MaxBucket + 1 + MaxSubject,
		Example: `"prices.eu.*"`,
		Text: "Source: changes of keys in a KV bucket. Each is a job, with the value as body, and the key and `put`, " +
			"`delete` or `purge` as arguments."}
	t["trigger.object"] = Key{Range: "a bucket", Most: MaxBucket, Example: `"uploads"`,
		Text: "Source: changes in an object store. Each is a job, with the object's description as body, and its name and " +
			"`put` or `delete` as arguments."}
	t["trigger.create"] = Key{Default: "false", Example: "true",
		Text: "With `stream`, `kv` or `object`: makes the source if it is missing; a stream gets the subjects of `filter`."}
	t["trigger.events"] = Key{Default: "false", Example: "true", Text: "Messages are CloudEvents."}
	t["trigger.to"] = Key{Default: "nowhere", Range: fmt.Sprintf(
		"at most %d bytes; no wildcards; `{1}` is what the first wildcard matched", MaxSubject), Most: MaxSubject,
		Example: `"orders.{1}.priced"`, Text: "The subject on which a successful reply is passed on."}
}

// addStream adds the rows of triggers whose events a stream has.
func addStream(t map[string]Key) {
	t["trigger.stream"] = Key{Range: "a JetStream stream, not one of polyvoke's own", Most: MaxStream,
		Example: `"ORDERS"`, Text: "Source: messages of a JetStream stream. Each is a job, or each batch of them."}
	t["trigger.filter"] = Key{Default: "all of the stream", Range: fmt.Sprintf("at most %d bytes; wildcards allowed",
		MaxSubject), Most: MaxSubject, Example: `"orders.eu.>"`,
		Text: "With `stream`: the subjects. What wildcards match becomes arguments of a job."}
	t["trigger.batch"] = Key{Default: "none", Range: fmt.Sprintf("1 to %d", MaxBatch), Min: 1, Max: MaxBatch,
		Example: "50",
		Text:    "With `stream`: how many messages are one job at most, as lines of JSON on stdin."}
	t["trigger.window"] = Key{Default: "none", Range: "at most " + MaxWindow.String(), Example: `"200ms"`,
		Text: "With `batch`: how long a batch waits for more messages."}
	t["trigger.ordered"] = Key{Default: "false", Example: "true",
		Text: "One event at a time, in order: the next one begins when the job of the one before has its outcome."}
	t["trigger.start"] = Key{Default: StartNew, Range: "`new`, `all`, a sequence, or a time of RFC 3339", Example: `"all"`,
		Text: "Where a trigger that is new begins. One that is deployed again goes on where it was."}
}

// addSchedule adds the rows of triggers with a schedule.
func addSchedule(t map[string]Key) {
	t["trigger.schedule"] = Key{Range: "5 or 6 fields of a crontab, or `@every` and a duration", Most: MaxSchedule,
		Example: `"*/5 * * * *"`, Text: "Source: time. Each run is a job."}
	t["trigger.zone"] = Key{Default: "UTC", Range: "an IANA time zone", Most: MaxZone, Example: `"Asia/Seoul"`,
		Text: "With `schedule`: the time zone."}
	t["trigger.missed"] = Key{Default: MissedOnce, Values: []string{MissedOnce, MissedAll, MissedSkip}, Example: `"skip"`,
		Text: "With `schedule`: whether runs whose time passed while nobody was there are made up for."}
	t["trigger.overlap"] = Key{Default: OverlapQueue, Values: []string{OverlapQueue, OverlapSkip}, Example: `"skip"`,
		Text: "With `schedule`: whether a run waits for the one before, or is left out, while that has no outcome."}
}

// addWebSocket adds the rows of websocket.
func addWebSocket(t map[string]Key) {
	most := func(n int) string { return fmt.Sprintf("at most %d", n) }
	t["websocket"] = Key{Default: "none", Range: most(MaxWebSockets), Most: MaxWebSockets,
		Example: `[{ route = "/chat/{room}", topics = ["chat.{room}"] }]`,
		Text:    "WebSockets of the gateway: each message calls the function, and what it writes to stdout goes back."}
	t["websocket.route"] = Key{Range: fmt.Sprintf("`[HOST]/PATH` as `http.route`, at most %d bytes", MaxPattern-len("GET ")),
		Most: MaxPattern - len("GET "), Must: true, Example: `"/chat/{room}"`,
		Text: "The path of the connections. `{name}` is any one segment, `{name...}` the rest."}
	t["websocket.topics"] = Key{Default: "none", Range: most(MaxSocketTopics) + "; subjects without wildcards",
		Most: MaxSocketTopics, Example: `["chat.{room}"]`,
		Text: "Subjects whose messages each connection gets. `{name}` is what the path has there."}
	t["websocket.to"] = Key{Default: "nowhere: it is sent back", Range: fmt.Sprintf("at most %d bytes; no wildcards",
		MaxSubject), Most: MaxSubject, Example: `"chat.{room}"`,
		Text: "The subject on which what the function writes for a message, or for the end, is published instead."}
	t["websocket.headers"] = Key{Default: "all, with `open` only", Range: most(MaxRouteHeaders),
		Most: MaxRouteHeaders, Example: `["cookie"]`,
		Text: "The headers of the handshake that the function gets, with every event."}
	t["websocket.origins"] = Key{Default: "the route's own", Range: most(MaxOrigins) + "; `*` is any",
		Most: MaxOrigins, Example: `["https://example.org"]`, Text: "Whose pages may connect besides."}
	t["websocket.auth"] = Key{Default: "the gateway's", Range: "`none`, `key`, `jwt` or `function NAME`",
		Pattern: `^(none|key|jwt|function [A-Za-z0-9][A-Za-z0-9_-]{0,63})$`,
		Example: `"jwt"`, Text: "Who may connect."}
	t["websocket.rate"] = Key{Default: "no bound", Range: fmt.Sprintf("as `job.rate`; at most %d in at most 24h", MaxRate),
		Pattern: patternRate, Example: `"10/s"`,
		Text: "Messages of one connection. It is read slower beyond, and ended with 1008 if it would have to wait for long."}
	t["websocket.events"] = Key{Default: "all of them", Range: "`open`, `message`, `close`",
		Pattern: "^(" + strings.Join(SocketEvents(), "|") + ")$", Most: len(SocketEvents()), Example: `["message"]`,
		Text: "What calls the function."}
	t["websocket.protocols"] = Key{Default: "none", Range: most(MaxSocketProtocols), Most: MaxSocketProtocols,
		Example: `["chat.v1"]`, Text: "Subprotocols that it speaks, the best first."}
}

// addHTTP adds the rows of http.
func addHTTP(t map[string]Key) {
	t["http"] = Key{Default: "none", Range: fmt.Sprintf("at most %d", MaxRoutes), Most: MaxRoutes,
		Text:    "Requests of HTTP that call the function by a gateway, besides `/fn/NAME`. Each has a route.",
		Example: `[{ route = "GET /orders/{id}" }]`}
	t["http.route"] = Key{Must: true, Most: MaxPattern, Range: fmt.Sprintf("`[METHOD ][HOST]/PATH` of at most %d bytes of "+
		"ASCII, not below `/%s`", MaxPattern, strings.Join(ownPaths(), "`, `/")), Example: `"POST /orders/{id}"`,
		Text: "A pattern of Go's ServeMux: `{id}` is a segment, `{rest...}` all that are left, `{$}` the end. The more " +
			"specific route wins."}
	t["http.request"] = Key{Default: HTTPFiles, Values: []string{HTTPFiles, HTTPCGI, HTTPMessage}, Example: `"cgi"`,
		Text: "Where a process finds the request: in `/request/`, in the environment as CGI has it, or on stdin as a whole " +
			"message of HTTP/1.1. The body is on stdin."}
	t["http.reply"] = Key{Default: HTTPBody, Values: []string{HTTPBody, HTTPCGI, HTTPMessage}, Example: `"cgi"`,
		Text: "What stdout is: a body, headers and a body as CGI has them, or a whole message of HTTP/1.1."}
	t["http.type"] = Key{Default: "by the first bytes, but never a page", Range: fmt.Sprintf("at most %d bytes", MaxMediaType),
		Most: MaxMediaType, Text: "The media type of a reply that is a body.", Example: `"application/json"`}
	t["http.stream"] = Key{Default: "false", Example: "true",
		Text: "Both bodies go on as they are written, without a bound of the reply's length."}
	t["http.idle"] = Key{Default: DefaultHTTPIdle.String(), Range: "more than 0, at most " + MaxHTTPIdle.String(),
		Example: `"10s"`, Text: "With `stream`: the longest time without a byte. Then the connection is cut."}
	t["http.headers"] = Key{Default: "all but those of one connection", Range: fmt.Sprintf("at most %d", MaxRouteHeaders),
		Most: MaxRouteHeaders, Text: "The headers that the function gets. Fewer are quicker.",
		Example: `["accept", "x-tenant"]`}
	t["http.args"] = Key{Default: "false", Example: "true",
		Text: "What the pattern's wildcards stand for are arguments too, in order. Programs that start slowly then start " +
			"for each request."}
	t["http.auth"] = Key{Default: "as the gateway says", Range: "`none`, `key`, `jwt`, or `function NAME`",
		Pattern: `^(none|key|jwt|function [A-Za-z0-9][A-Za-z0-9_-]{0,63})$`, Example: `"key"`,
		Text: "Who may use the route: everybody, whoever has a key or a token, or whoever that function lets in."}
	t["http.rate"] = Key{Default: "no bound", Range: fmt.Sprintf("`COUNT/TIME`, such as `50/s`; at most %d in at most 24h",
		MaxRate), Pattern: patternRate, Example: `"50/s"`,
		Text: "How many requests of one client are let in. Further ones are answered with 429."}
}

// patternRate is the form of a rate.
const patternRate = `^[1-9][0-9]*/([0-9.]+)?(ns|us|µs|ms|s|m|h)`

// addCORS adds the rows of http.cors.
func addCORS(t map[string]Key) {
	list := func(def, what, text, example string) Key {
		return Key{Default: def, Range: fmt.Sprintf("at most %d %s", MaxRouteHeaders, what), Most: MaxRouteHeaders, Text: text,
			Example: example}
	}
	t["http.cors"] = Key{Default: "none", Example: `{ origins = ["https://example.org"] }`,
		Text: "What scripts of pages from elsewhere may do. The gateway answers what browsers ask first; that calls nothing."}
	t["http.cors.origins"] = list("", "origins", "Origins whose pages may call the route; `*` is any.",
		`["https://example.org"]`)
	t["http.cors.methods"] = list("those of the path's routes", "methods", "Methods that they may use.", `["GET", "PUT"]`)
	t["http.cors.headers"] = list("those that are asked for", "names", "Headers that they may send.", `["x-tenant"]`)
	t["http.cors.expose"] = list("none", "names", "Headers of replies that they may read.", `["etag"]`)
	t["http.cors.credentials"] = Key{Default: "false", Example: "true",
		Text: "Their requests may carry cookies. Not with the origin `*`."}
	t["http.cors.max_age"] = Key{Default: DefaultCORSAge.String(), Range: "more than 0, at most " + MaxCORSAge.String(),
		Example: `"1h"`, Text: "How long a browser may remember the answer."}
}
