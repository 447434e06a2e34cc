package protocol

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Rate is how often something may begin: Count times in a time. The zero value is no bound.
type Rate struct {
	Count int
	Per   time.Duration
}

// Bounds of a rate.
const (
	MaxRate    = 1_000_000 // beginnings in its time
	MaxRateFor = 24 * time.Hour
)

// ParseRate reads COUNT/TIME, such as 50/s, 10/m or 100/10s. Empty is no bound.
func ParseRate(s string) (Rate, error) {
	if s == "" {
		return Rate{}, nil
	}
	count, per, _ := strings.Cut(s, "/")
	n, err := strconv.ParseUint(count, 10, 31)
	if per == "s" || per == "m" || per == "h" || per == "ms" {
		per = "1" + per
	}
	d, errTime := ParseDuration(per)
	if err != nil || errTime != nil || n < 1 || n > MaxRate || time.Duration(d) > MaxRateFor {
		return Rate{}, fmt.Errorf(`%.40q: write a number and a time, such as "50/s" or "10/m": 1 to %d in at most %s`, s,
			MaxRate, Duration(MaxRateFor))
	}
	return Rate{int(n), time.Duration(d)}, nil
}

// Gap returns the time from one beginning to the next.
func (r Rate) Gap() time.Duration { return max(1, r.Per/time.Duration(max(1, r.Count))) }
