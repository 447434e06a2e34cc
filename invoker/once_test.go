package invoker

import (
	"bytes"
	"encoding/json"
	"testing"

	"github.com/polyvoke/polyvoke/invoker/backend/kv"
)

// TestOutcome keeps the largest output that is kept, where a mark keeps it, and reads what has no output.
func TestOutcome(t *testing.T) {
	body := bytes.Repeat([]byte{0xff}, mostOutcome)
	value, err := json.Marshal(outcome{Body: body})
	if err != nil || len(value) > kv.MaxMark {
		t.Errorf("%d bytes, of which a mark keeps %d; %v", len(value), kv.MaxMark, err)
	}
	if o, err := parseOutcome(value); err != nil || !bytes.Equal(o.Body, body) || o.Gone != 0 {
		t.Errorf("what was kept: %d bytes, %d gone, %v", len(o.Body), o.Gone, err)
	}
	if o, err := parseOutcome(nil); err != nil || o.Gone == 0 {
		t.Errorf("what was not: %+v, %v", o, err)
	}
	if _, err := parseOutcome([]byte("{")); err == nil {
		t.Error("half of it is no error")
	}
}
