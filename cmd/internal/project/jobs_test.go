package project

import (
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// jobProblems are values of [job] that cannot be, each with its line in the manifest, and what it is refused with.
var jobProblems = []struct{ key, want string }{
	{`attempts = 0`, "job.attempts = 0: it can be 1 to 100"},
	{`attempts = 101`, "job.attempts = 101: it can be 1 to 100"},
	{`attempts = "5"`, "job.attempts must be a number, not a string: write 5 without quotes"},
	{`backoff = "1s-5m"`, `job.backoff: pause "1s-5m": write the first and the longest one, such as "1s..5m"`},
	{`backoff = "5m..1s"`, `job.backoff: pause "5m..1s": write the first and the longest one`},
	{`backoff = "1us"`, "job.backoff: pause "},
	{`backoff = "1s..48h"`, "job.backoff: pause "},
	{`backoff = 5`, "job.backoff must be a pause, not a number"},
	{`timeout = "16m"`, "job.timeout must be at most 15m"},
	{`timeout = 5`, "job.timeout must be a duration, not a number: write it with its unit"},
	{`timeout = "0s"`, "job.timeout: duration \"0s\" must be longer than zero"},
	{`max_age = "337h"`, "job.max_age must be at most 336h"},
	{`max_age = "1 day"`, `job.max_age: duration "1 day"`},
	{`ack_wait = "1ms"`, "job.ack_wait must be 1s to 1h"},
	{`ack_wait = "2h"`, "job.ack_wait must be 1s to 1h"},
	{`concurrency = 0`, "job.concurrency = 0: it can be 1 to 100000"},
	{`concurrency = 1_000_000`, "job.concurrency = 1000000: it can be 1 to 100000"},
	{`queue = -1`, "job.queue = -1: it can be 1 to 100000000"},
	{`unique = "25h"`, "job.unique must be at most 24h"},
	{`result = "10ms"`, "job.result must be 1s to 336h"},
	{`result = "400h"`, "job.result must be 1s to 336h"},
	{`on_failure = "a.*"`, `job.on_failure = "a.*": a message has one subject, without wildcards`},
	{`on_failure = "job.a"`, "job.on_failure: "},
	{`key = "1"`, `job.key = "1": write "{1}" to "{64}" for an argument, or "header NAME"`},
	{`key = "{0}"`, `job.key = "{0}": write `},
	{`key = "{65}"`, `job.key = "{65}": write `},
	{`key = "header a b"`, `job.key = "header a b": write `},
	{`key = "header "`, `job.key = "header ": write `},
	{`key = "header Nats-Msg-Id"`, `job.key = "header Nats-Msg-Id": write `},
	{`key = 1`, "job.key must be a string, not a number"},
	{`on_failure = "a b"`, "job.on_failure: "},
	{`record = "some"`, "job.record = "},
	{`on_failure = 5`, "job.on_failure must be a string, not a number"},
	{`retries = 3`, "unknown key job.retries: the keys here are "},
	{`atempts = 3`, "unknown key job.atempts: did you mean attempts?"},
}

// triggerProblems are triggers that cannot be, line by line, and what their last line is refused with.
var triggerProblems = []struct{ keys, want string }{
	{`subject = "fn.a"`, `trigger 1: `},
	{`subject = 5`, `trigger[0].subject must be a string, not a number`},
	{`stream = "A B"`, "trigger 1: stream "},
	{`stream = "FN_JOB_a"`, "trigger 1: stream "},
	{`stream = "KV_fn_results"`, "trigger 1: stream "},
	{"stream = \"S\"\nfilter = \"a..b\"", "trigger 1: filter "},
	{"stream = \"S\"\nbatch = 1001", "trigger[0].batch = 1001: it can be 1 to 1000"},
	{"stream = \"S\"\nbatch = 5\nwindow = \"11s\"", "trigger 1: window must be more than zero and at most 10s"},
	{"stream = \"S\"\nordered = true\nbatch = 5", "trigger 1: events in order go one by one"},
	{"stream = \"S\"\nevents = true\nbatch = 5", "trigger 1: a batch has a form of its own"},
	{"stream = \"S\"\nstart = \"later\"", `trigger 1: start = "later": use "new", "all"`},
	{"stream = \"S\"\nstart = 5", `trigger[0].start must be a string, not a number: write "5"`},
	{"stream = \"S\"\ncreate = true", "trigger 1: create makes a stream of the subjects in filter"},
	{"stream = \"S\"\nmissed = \"all\"", "trigger 1: missed belongs to a trigger with schedule"},
	{"stream = \"S\"\nzone = \"UTC\"", "trigger 1: zone belongs to a trigger with schedule"},
	{"stream = \"S\"\nqueue = \"q1\"", "trigger 1: queue belongs to a trigger with subject"},
	{`kv = "fn_functions"`, "trigger 1: kv: "},
	{`kv = "prices..a"`, "trigger 1: kv"},
	{`kv = "pri ces.a"`, "trigger 1: kv: "},
	{`object = "a.b"`, "trigger 1: object: "},
	{`object = "fn_modules"`, "trigger 1: object: "},
	{`schedule = "5 minutes"`, "trigger 1: schedule "},
	{`schedule = "61 * * * *"`, "trigger 1: schedule "},
	{`schedule = "@every 10ms"`, "trigger 1: schedule "},
	{"schedule = \"@hourly\"\nzone = \"Mars/Olympus\"", "trigger 1: "},
	{"schedule = \"@hourly\"\nmissed = \"never\"", `trigger[0].missed = "never": use one of once, all, skip`},
	{"schedule = \"@hourly\"\noverlap = \"kill\"", `trigger[0].overlap = "kill": use one of queue, skip`},
	{"schedule = \"@hourly\"\nstart = \"all\"", "trigger 1: start belongs to a trigger with stream or kv or object"},
	{"schedule = \"@hourly\"\ncron = \"1\"", "unknown key trigger[0].cron: the keys here are "},
	{"kv = \"a\"\nobject = \"b\"", "trigger 1: it has several sources, kv, object"},
}

// Each wrong key and value of [job] and [[trigger]] is refused with its line, its key and what to do.
func TestJobProblems(t *testing.T) {
	check := func(head, keys, want string) {
		t.Helper()
		text := "module = \"a.wasm\"\n" + head + "\n" + keys + "\n"
		line := "f.toml:" + string(rune('0'+strings.Count(text, "\n"))) + ": "
		_, err := ParseManifest("f.toml", "", text)
		if protocol.CodeOf(err) != protocol.CodeRefused || !slices.ContainsFunc(strings.Split(err.Error(), "\n"),
			func(l string) bool { return strings.HasPrefix(l, line+want) }) {
			t.Errorf("%q: error\n%v\nwant a line with\n%s%s", text, err, line, want)
		}
	}
	for _, test := range jobProblems {
		check("[job]", test.key, test.want)
	}
	for _, test := range triggerProblems {
		check("[[trigger]]", test.keys, test.want)
	}
}
