package protocol

import (
	"encoding/json"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Duration is a time.Duration that manifests write as "500ms" or "1m30s".
type Duration time.Duration

// String returns the form that ParseDuration reads.
func (d Duration) String() string { return time.Duration(d).String() }

// MarshalText implements encoding.TextMarshaler.
func (d Duration) MarshalText() ([]byte, error) { return []byte(d.String()), nil }

// UnmarshalJSON reads a string such as "500ms". A bare number is refused: it has no unit.
func (d *Duration) UnmarshalJSON(b []byte) error {
	var s string
	if err := json.Unmarshal(b, &s); err != nil {
		return fmt.Errorf(`duration %.40s: write it with its unit, such as "500ms" or "3s"`, b)
	}
	v, err := ParseDuration(s)
	*d = v
	return err
}

// ParseDuration reads a duration in Go's notation that is longer than nothing.
func ParseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf(`duration %.40q: write it with its unit, such as "500ms" or "3s"`, s)
	}
	if d <= 0 {
		return 0, fmt.Errorf("duration %q must be longer than zero", s)
	}
	return Duration(d), nil
}

// Size is a number of bytes that manifests write as "64MiB", "10MB" or a bare number.
type Size int64

// sizeUnits are the units of sizes, each before the ones whose ending it is.
var sizeUnits = []struct {
	name  string
	bytes int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"B", 1},
}

// String returns the size in the largest binary unit that holds it without a fraction.
func (s Size) String() string {
	for _, u := range []int{2, 1, 0} {
		if unit := sizeUnits[u]; s != 0 && int64(s)%unit.bytes == 0 {
			return strconv.FormatInt(int64(s)/unit.bytes, 10) + unit.name
		}
	}
	return strconv.FormatInt(int64(s), 10) + "B"
}

// MarshalText implements encoding.TextMarshaler.
func (s Size) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// UnmarshalJSON reads "64MiB" or a number of bytes.
func (s *Size) UnmarshalJSON(b []byte) error {
	text := string(b)
	if len(b) > 0 && b[0] == '"' {
		if err := json.Unmarshal(b, &text); err != nil {
			return err
		}
	}
	v, err := ParseSize(text)
	*s = v
	return err
}

// ParseSize reads a whole number of bytes, with or without a unit, that is more than zero.
func ParseSize(text string) (Size, error) {
	number, unit := strings.TrimSpace(text), int64(1)
	for _, u := range sizeUnits {
		if n, ok := strings.CutSuffix(number, u.name); ok {
			number, unit = strings.TrimSpace(n), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n > math.MaxInt64/unit {
		return 0, fmt.Errorf(`size %.40q: write a whole number and a unit, such as "64MiB"`, text)
	}
	if n <= 0 {
		return 0, fmt.Errorf("size %q must be more than zero", text)
	}
	return Size(n * unit), nil
}
