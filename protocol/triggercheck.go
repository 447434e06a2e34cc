package protocol

import (
	"fmt"
	"slices"
	"strings"

	"github.com/polyvoke/polyvoke/protocol/schedule"
)

// checkTriggers finds triggers that cannot be.
func (f *Function) checkTriggers(p *problems) {
	if len(f.Triggers) > MaxTriggers {
		p.add("trigger", "%d triggers; at most %d", len(f.Triggers), MaxTriggers)
		return
	}
	for i, t := range f.Triggers {
		c := triggerCheck{Trigger: t, number: i + 1, problems: p}
		if !c.source() {
			continue
		}
		c.foreign()
		c.bounds()
		c.add("queue", t.checkQueue(f.Name))
		c.add("to", t.checkTo())
		c.twin(f.Name, f.Triggers[:i])
	}
}

// triggerCheck finds what is wrong with one trigger.
type triggerCheck struct {
	Trigger
	number int // from 1
	*problems
}

// add takes note of what is wrong with a key, if anything is.
func (c *triggerCheck) add(key string, err error) bool {
	if err != nil {
		c.problems.add(fmt.Sprintf("trigger[%d].%s", c.number-1, key), "trigger %d: %w", c.number, err)
	}
	return err == nil
}

// refuse takes note of what is wrong with a key.
func (c *triggerCheck) refuse(key, format string, a ...any) {
	c.add(key, Errorf(CodeRefused, "", format, a...))
}

// source finds what is wrong with the trigger's source. It returns false if nothing else can be said of the trigger.
func (c *triggerCheck) source() bool {
	switch c.Source() {
	case SourceSubject:
		return c.add("subject", CheckPattern(c.Subject))
	case SourceStream:
		return c.add("stream", CheckStream(c.Stream))
	case SourceSchedule:
		return c.schedule()
	case SourceKV:
		return c.add("kv", c.checkKV())
	case SourceObject:
		return c.add("object", checkBucket("object", c.Object))
	}
	given := c.given()
	if len(given) == 0 {
		c.refuse("subject", "it has no source: give it one of %s", strings.Join(Sources(), ", "))
	} else {
		c.refuse(given[1], "it has several sources, %s: write a [[trigger]] for each", strings.Join(given, ", "))
	}
	return false
}

// given returns the sources that the trigger has.
func (c *triggerCheck) given() []string {
	var given []string
	for i, value := range []string{c.Subject, c.Stream, c.Schedule, c.KV, c.Object} {
		if value != "" {
			given = append(given, Sources()[i])
		}
	}
	return given
}

// schedule finds what is wrong with a schedule and its zone.
func (c *triggerCheck) schedule() bool {
	key := "schedule"
	_, err := schedule.Parse(c.Schedule, "")
	if err == nil {
		key = "zone"
		_, err = c.ParseSchedule()
	}
	if err != nil {
		c.refuse(key, "%w", err)
	}
	return err == nil
}

// foreign finds keys that say nothing about triggers of this source.
func (c *triggerCheck) foreign() {
	stream, stored := []string{SourceStream}, []string{SourceStream, SourceKV, SourceObject}
	schedule := []string{SourceSchedule}
	for _, k := range []struct {
		key   string
		given bool
		of    []string
	}{
		{"queue", c.Queue != "", []string{SourceSubject}},
		{"filter", c.Filter != "", stream}, {"batch", c.Batch != 0, stream}, {"window", c.Window != 0, stream},
		{"ordered", c.Ordered, stored}, {"start", c.Start != "", stored}, {"create", c.Create, stored},
		{"zone", c.Zone != "", schedule}, {"missed", c.Missed != "", schedule}, {"overlap", c.Overlap != "", schedule},
	} {
		if k.given && !slices.Contains(k.of, c.Source()) {
			c.refuse(k.key, "%s belongs to a trigger with %s, not to one with %s: take it off", k.key,
				strings.Join(k.of, " or "), c.Source())
		}
	}
}

// bounds finds values that are out of their bounds, and those that exclude one another.
func (c *triggerCheck) bounds() {
	if c.Batch < 0 || c.Batch > MaxBatch {
		c.refuse("batch", "batch must be 1 to %d", MaxBatch)
	}
	if c.Window < 0 || c.Window > MaxWindow {
		c.refuse("window", "window must be more than zero and at most %s", MaxWindow)
	}
	if c.Window > 0 && c.Batch == 0 {
		c.refuse("window", "window = %q is how long a batch waits: give the trigger batch = 50, or another size", c.Window)
	}
	if c.Batch > 0 && c.Ordered {
		c.refuse("batch", "events in order go one by one: take off batch, or ordered")
	}
	if c.Batch > 0 && c.Events {
		c.refuse("batch", "a batch has a form of its own, so it cannot be a CloudEvent: take off batch, or events")
	}
	if c.Filter != "" {
		c.add("filter", checkFilter("filter", c.Filter))
	}
	if c.Create && c.Source() == SourceStream {
		if err := CheckPattern(c.Filter); c.Filter == "" || err != nil {
			c.refuse("create", "create makes a stream of the subjects in filter: give one that is not reserved, such as "+
				`filter = "orders.>"`)
		}
	}
	_, err := ParseStart(c.Start)
	c.add("start", err)
	c.oneOf("missed", c.Missed, MissedOnce, MissedAll, MissedSkip)
	c.oneOf("overlap", c.Overlap, OverlapQueue, OverlapSkip)
}

// oneOf finds a value that is none of several.
func (c *triggerCheck) oneOf(key, value string, all ...string) {
	if value != "" && !slices.Contains(all, value) {
		c.refuse(key, "%s = %.40q: use one of %s", key, value, strings.Join(all, ", "))
	}
}

// twin finds a trigger before this one whose events this one would take, or whose replies it would send elsewhere.
func (c *triggerCheck) twin(name string, before []Trigger) {
	for k, other := range before {
		switch {
		case other.Source() != c.Source():
		case c.Durable() && c.SourceID() == other.SourceID():
			c.refuse(c.Source(), "%s is that of trigger %d too: each event would become two jobs: take one off", c, k+1)
			return
		case !c.Durable() && c.Subject == other.Subject && c.QueueOf(name) == other.QueueOf(name) && c.To != other.To:
			c.refuse("to", "%s is that of trigger %d, but to is not: let another function, or another queue, pass it on",
				c.Subject, k+1)
			return
		}
	}
}

// printable reports whether s has printable characters of ASCII only.
func printable(s string) bool {
	return !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r > '~' })
}

// hasControl reports whether s has a control character of ASCII.
func hasControl(s string) bool {
	return strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// CheckStream returns nil if a trigger may take the events of a stream with this name: one that JetStream takes, and
// none of polyvoke's own. The error's code is 422.
func CheckStream(name string) error {
	switch {
	case len(name) > MaxStream:
		return Errorf(CodeRefused, "", "stream = %.40q... has %d bytes; at most %d", name, len(name), MaxStream)
	case name == "" || !printable(name) || strings.ContainsAny(name, " .*>/\\"):
		return Errorf(CodeRefused, "", "stream = %.80q: the name of a stream has no blanks, dots, *, >, / or \\", name)
	case OwnStream(name):
		return Errorf(CodeRefused, "", "stream %s is polyvoke's own: choose one of yours", name)
	}
	return nil
}

// OwnStream reports whether a stream belongs to polyvoke: no trigger takes its messages.
func OwnStream(name string) bool {
	for _, own := range []string{"FN_", "KV_fn_", "OBJ_fn_"} {
		if strings.HasPrefix(name, own) {
			return true
		}
	}
	return false
}

// checkBucket returns what is wrong with the name of a bucket, which is the value of a key.
func checkBucket(key, name string) error {
	other := func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_'
	}
	switch {
	case len(name) > MaxBucket:
		return Errorf(CodeRefused, "", "%s: bucket %.40q... has %d bytes; at most %d", key, name, len(name), MaxBucket)
	case name == "" || strings.ContainsFunc(name, other):
		return Errorf(CodeRefused, "", "%s: bucket %.80q: the name of a bucket has letters, digits, - and _ only", key, name)
	case strings.HasPrefix(name, "fn_"):
		return Errorf(CodeRefused, "", "%s: bucket %s is polyvoke's own: choose one of yours", key, name)
	}
	return nil
}

// checkKV returns what is wrong with the bucket of keys, or with the pattern of keys.
func (t Trigger) checkKV() error {
	bucket, keys := t.Bucket()
	if err := checkBucket("kv", bucket); err != nil {
		return err
	}
	if strings.HasSuffix(t.KV, ".") {
		return Errorf(CodeRefused, "", "kv = %.80q: write BUCKET, or BUCKET.KEYS, such as %q", t.KV, "prices.eu.*")
	}
	return checkFilter("kv", keys)
}

// checkFilter returns what is wrong with a pattern of the subjects of a stream. It may be one of reserved subjects:
// what a stream has it has.
func checkFilter(key, pattern string) error {
	if len(pattern) > MaxSubject {
		return Errorf(CodeRefused, "", "%s = %.40q... has %d bytes; at most %d", key, pattern, len(pattern), MaxSubject)
	}
	tokens := strings.Split(pattern, ".")
	for i, token := range tokens {
		if token != "*" && (token != ">" || i < len(tokens)-1) && (!literalToken(token) || hasControl(token)) {
			return Errorf(CodeRefused, "", "%s = %.80q: token %d is empty, or has a blank or a control character in it, or "+
				"> is not the last", key, pattern, i+1)
		}
	}
	return nil
}

// checkQueue returns what is wrong with the queue group of a trigger of the function name. A group that others are in
// would take their messages from them.
func (t Trigger) checkQueue(name string) error {
	switch {
	case t.Queue == "":
		return nil
	case len(t.Queue) > MaxQueue:
		return Errorf(CodeRefused, "", "queue %.40q... has %d bytes; at most %d", t.Queue, len(t.Queue), MaxQueue)
	case !literalToken(t.Queue):
		return Errorf(CodeRefused, "", "queue %q must be one token without blanks or wildcards", t.Queue)
	case t.Queue[0] == '_' || t.Queue[0] == '$':
		return Errorf(CodeRefused, "", "queue %q belongs to the NATS server", t.Queue)
	case t.Queue == QueueGroup:
		return Errorf(CodeRefused, "", "queue %q is that of every NATS service: choose one of your own", t.Queue)
	case strings.HasPrefix(t.Queue, RootCall+"-") && t.Queue != (Trigger{}).QueueOf(name):
		return Errorf(CodeRefused, "", "queue %q is that of function %s, whose messages it would take: choose one "+
			"without %s- in front", t.Queue, t.Queue[len(RootCall)+1:], RootCall)
	}
	return nil
}
