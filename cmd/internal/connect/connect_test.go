package connect

import "testing"

func TestRedact(t *testing.T) {
	for in, want := range map[string]string{
		"nats://h:4222":                   "nats://h:4222",
		"nats://ada:secret@h:1":           "nats://...@h:1",
		"nats://token@h:1, nats://x@h2:1": "nats://...@h:1,nats://...@h2:1",
	} {
		if got := Redact(in); got != want {
			t.Errorf("Redact(%q) = %q, want %q", in, got, want)
		}
	}
}
