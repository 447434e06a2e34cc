package protocol

import (
	"testing"
	"time"
)

func TestParseRate(t *testing.T) {
	for text, want := range map[string]Rate{
		"": {}, "50/s": {50, time.Second}, "10/m": {10, time.Minute}, "1/h": {1, time.Hour}, "5/ms": {5, time.Millisecond},
		"100/10s": {100, 10 * time.Second}, "1000000/24h": {1000000, 24 * time.Hour},
	} {
		if r, err := ParseRate(text); err != nil || r != want {
			t.Errorf("%q is %v, %v", text, r, err)
		}
	}
	for _, text := range []string{"50", "0/s", "-1/s", "1.5/s", "1/", "/s", "1/0s", "1/d", "1/25h", "1000001/s", "1/s/s", "x"} {
		if r, err := ParseRate(text); err == nil {
			t.Errorf("%q is %v", text, r)
		}
	}
}

// FuzzParseRate checks that whatever is taken is a rate within the bounds.
func FuzzParseRate(f *testing.F) {
	for _, s := range []string{"", "50/s", "100/10s", "1/24h", "1/1e3s", "9999999999/s"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		r, err := ParseRate(s)
		if err != nil || s == "" {
			return
		}
		if r.Count < 1 || r.Count > MaxRate || r.Per <= 0 || r.Per > MaxRateFor || r.Gap() <= 0 {
			t.Errorf("%q is %+v", s, r)
		}
	})
}
