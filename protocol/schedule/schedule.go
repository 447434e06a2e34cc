// Package schedule reads crontab lines, and says when they are due.
//
// In goes a text such as "*/5 8-18 * * MON-FRI" and a zone; out come instants. The text is that of crontab(5): five
// fields, or six with seconds first; names of months and days; 7 is Sunday as 0 is; @hourly and its like; and
// "@every 10s". What a field means, and what happens when clocks are put forward or back, is what Vixie cron does:
//
//   - A pattern whose hour begins with * follows the clock on the wall as it goes: every 15 minutes are 15 minutes.
//   - One that fixes its hours runs once for each of its local times. One that the clock skips runs at the next instant
//     that there is, and one that comes twice runs the first time.
//   - If the day of the month and the day of the week both do not begin with *, either will do; otherwise both must
//     match.
//
// "@every 10s" is due whenever the seconds since 1970 are a multiple of 10, so every 1h means on the hour in UTC.
package schedule

import (
	"fmt"
	"math/bits"
	"strings"
	"time"
)

// Schedule says when something is due. The zero value is never due. Its methods may be called from several goroutines.
type Schedule struct {
	text  string
	zone  *time.Location
	every int64             // seconds; 0: the fields count
	in    [len(fields)]mask // which values each field has
	star  [len(fields)]bool // it begins with *
}

// mask has a bit for each value of a field.
type mask uint64

func (m mask) has(v int) bool { return m>>v&1 != 0 }

// from returns the first value of the mask that is v or more. It is 64 if there is none.
func (m mask) from(v int) int { return v + bits.TrailingZeros64(uint64(m>>v)|1<<(63-v)<<1) }

// The fields of a pattern, in the order in which they are written.
const (
	second = iota
	minute
	hour
	day
	month
	weekday
)

// String returns the text that Parse has read.
func (s Schedule) String() string { return s.text }

// Zone returns the zone in which the fields are read.
func (s Schedule) Zone() *time.Location {
	if s.zone == nil {
		return time.UTC
	}
	return s.zone
}

// Next returns the first instant behind after at which something is due, in whole seconds. It is the zero time if there
// is none.
func (s Schedule) Next(after time.Time) time.Time {
	unix, ok := s.next(after.Unix())
	if !ok {
		return time.Time{}
	}
	return time.Unix(unix, 0).In(s.Zone())
}

// next is Next in seconds since 1970.
func (s *Schedule) next(after int64) (int64, bool) {
	switch {
	case s.every > 0:
		return after - mod(after, s.every) + s.every, true
	case s.zone == nil:
		return 0, false
	case s.star[hour]:
		return s.nextOnWall(after)
	}
	for local := after + s.segment(after).offset; ; local++ {
		var ok bool
		if local, ok = s.nextLocal(local); !ok {
			return 0, false
		}
		if at := s.instant(local); at > after {
			return at, true
		}
	}
}

// nextOnWall returns the first instant behind after at which the clock on the wall shows what the fields say.
func (s *Schedule) nextOnWall(after int64) (int64, bool) {
	for at := after + 1; ; {
		seg := s.segment(at)
		local, ok := s.nextLocal(at + seg.offset)
		if !ok {
			return 0, false
		}
		if next := local - seg.offset; seg.holds(next) {
			return next, true
		}
		at = seg.end
	}
}

// instant returns when the clock on the wall shows a local time for the first time, or has passed it.
func (s *Schedule) instant(local int64) int64 {
	for at := local - int64(farthest/time.Second); ; {
		seg := s.segment(at)
		if local-seg.offset < seg.begin {
			return seg.begin
		}
		if seg.holds(local - seg.offset) {
			return local - seg.offset
		}
		at = seg.end
	}
}

// farthest is more than any zone was ever ahead of UTC: Manila was behind by 15:56 until 1844, and Juneau ahead by
// 15:02 until 1867 ("tz database").
const farthest = 16 * time.Hour

// segment is a time in which a zone has the same offset, all in seconds. Local times are those of the wall, counted as
// if it were UTC.
type segment struct {
	begin, end int64 // since 1970; the first has begun long ago
	endless    bool  // there is no end
	offset     int64
}

func (s segment) holds(at int64) bool { return s.endless || at < s.end }

// segment returns the segment in which an instant is.
func (s *Schedule) segment(at int64) segment {
	t := time.Unix(at, 0).In(s.zone)
	begin, end := t.ZoneBounds()
	_, offset := t.Zone()
	seg := segment{begin: -1 << 62, endless: end.IsZero(), offset: int64(offset)}
	if !begin.IsZero() {
		seg.begin = begin.Unix()
	}
	if !seg.endless {
		seg.end = end.Unix()
	}
	return seg
}

const (
	secondsOfDay = 24 * 60 * 60
	cycle        = 400 * 12 // months in which the calendar, days of the week included, comes round
)

// nextLocal returns the first local time, from the given one, that the fields name. ok is false if there is none, ever.
func (s *Schedule) nextLocal(local int64) (next int64, ok bool) {
	y, m, d := time.Unix(local, 0).UTC().Date()
	clock := int(mod(local, secondsOfDay))
	for range cycle + 1 {
		first := time.Date(y, m, 1, 0, 0, 0, 0, time.UTC)
		last := first.AddDate(0, 1, -1).Day()
		for ; s.in[month].has(int(m)) && d <= last; d++ {
			if s.onDay(d, (int(first.Weekday())+d-1)%7) {
				if at, ok := s.nextClock(clock); ok {
					return first.Unix() + int64(d-1)*secondsOfDay + int64(at), true
				}
			}
			clock = 0
		}
		d, clock = 1, 0
		if m++; m > time.December {
			y, m = y+1, time.January
		}
	}
	return 0, false
}

// onDay reports whether a day of the month, which is a day of the week, is one of the fields'.
func (s *Schedule) onDay(d, w int) bool {
	if s.star[day] || s.star[weekday] {
		return s.in[day].has(d) && s.in[weekday].has(w)
	}
	return s.in[day].has(d) || s.in[weekday].has(w)
}

// nextClock returns the first time of a day, from the given one, in seconds since midnight.
func (s *Schedule) nextClock(clock int) (int, bool) {
	h, m, sec := clock/3600, clock/60%60, clock%60
	if s.in[hour].has(h) {
		if s.in[minute].has(m) {
			if sec = s.in[second].from(sec); sec < 60 {
				return h*3600 + m*60 + sec, true
			}
		}
		if m = s.in[minute].from(m + 1); m < 60 {
			return h*3600 + m*60 + s.in[second].from(0), true
		}
	}
	if h = s.in[hour].from(h + 1); h > 23 {
		return 0, false
	}
	return h*3600 + s.in[minute].from(0)*60 + s.in[second].from(0), true
}

// mod is the remainder that is never negative.
func mod(a, b int64) int64 { return (a%b + b) % b }

// Last returns the last instants behind from and up to to at which something is due, at most most of them, in order.
// more says that there are earlier ones. It costs what it returns, however long that time is.
func (s Schedule) Last(from, to time.Time, most int) (times []time.Time, more bool) {
	if most < 1 || !from.Before(to) {
		return nil, false
	}
	all := to.Sub(from)
	for window := time.Minute; ; window *= 2 {
		whole := window >= all || window < 0
		begin := from
		if !whole {
			begin = to.Add(-window)
		}
		times = times[:0]
		for t := s.Next(begin); !t.IsZero() && !t.After(to); t = s.Next(t) {
			times = append(times, t)
		}
		if len(times) > most {
			return times[len(times)-most:], true
		}
		if whole {
			return times, false
		}
	}
}

// describe names the schedule in an error.
func describe(text string) string { return fmt.Sprintf("schedule %.80q", strings.TrimSpace(text)) }
