package protocol

import (
	"fmt"
	"strings"
)

// Trigger binds subjects to a function besides fn.NAME.
type Trigger struct {
	// Subject is a pattern; the tokens that its wildcards match become arguments.
	Subject string `json:"subject"`
	// Queue is the queue group. Empty means one of the function's own, so that each
	// message runs each function once however many invokers there are.
	Queue string `json:"queue,omitempty"`
	// To is the subject on which the body of a successful reply is published too. {1} in it, as a token, is
	// what the first wildcard of Subject stands for, {2} the second, and so on. Empty means nowhere.
	To string `json:"to,omitempty"`
}

// QueueOf returns the queue group in which the function name takes the trigger's messages.
func (t Trigger) QueueOf(name string) string {
	if t.Queue != "" {
		return t.Queue
	}
	return RootCall + "-" + name
}

// TriggerKey identifies a trigger of a function: no two triggers have the same subject and the same queue group.
type TriggerKey struct {
	// Subject is the pattern, as it stands in the manifest.
	Subject string
	// Queue is the queue group, as QueueOf returns it. Empty means any trigger with the subject.
	Queue string
}

// IsZero reports whether the key names no trigger.
func (k TriggerKey) IsZero() bool { return k == TriggerKey{} }

// Trigger returns the trigger that a key names. It returns false if the function has none, or has it no more.
func (f *Function) Trigger(k TriggerKey) (Trigger, bool) {
	for _, t := range f.Triggers {
		if t.Subject == k.Subject && (k.Queue == "" || t.QueueOf(f.Name) == k.Queue) {
			return t, true
		}
	}
	return Trigger{}, false
}

// checkTriggers finds triggers that cannot be subscribed to.
func (f *Function) checkTriggers(p *problems) {
	if len(f.Triggers) > MaxTriggers {
		p.add("trigger", "%d triggers; at most %d", len(f.Triggers), MaxTriggers)
		return
	}
	for i, t := range f.Triggers {
		key := fmt.Sprintf("trigger[%d].", i)
		if err := CheckPattern(t.Subject); err != nil {
			p.add(key+"subject", "trigger %d: %w", i+1, err)
			continue
		}
		if err := t.checkQueue(f.Name); err != nil {
			p.add(key+"queue", "trigger %d: %w", i+1, err)
		}
		if err := t.checkTo(); err != nil {
			p.add(key+"to", "trigger %d: %w", i+1, err)
		}
		for k, other := range f.Triggers[:i] {
			if t.Subject == other.Subject && t.QueueOf(f.Name) == other.QueueOf(f.Name) && t.To != other.To {
				p.add(key+"to", "trigger %d: %s is that of trigger %d, but to is not: let another function, or "+
					"another queue, pass it on", i+1, t.Subject, k+1)
				break
			}
		}
	}
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
