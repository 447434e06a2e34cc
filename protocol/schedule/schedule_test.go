package schedule_test

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"
	_ "time/tzdata"

	"github.com/polyvoke/polyvoke/protocol/schedule"
)

func parse(t testing.TB, text, zone string) schedule.Schedule {
	t.Helper()
	s, err := schedule.Parse(text, zone)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// on reads a local time of a zone with its offset.
func at(t testing.TB, s string) time.Time {
	t.Helper()
	v, err := time.Parse(time.RFC3339, s)
	if err != nil {
		t.Fatal(err)
	}
	return v
}

// TestNext has the next runs of schedules, those of days included on which clocks are put forward and back.
func TestNext(t *testing.T) {
	const berlin, york, lordHowe = "Europe/Berlin", "America/New_York", "Australia/Lord_Howe"
	for _, c := range []struct {
		text, zone, after string
		want              string // local times with their offsets
	}{
		{"*/5 * * * *", "", "2026-01-01T00:04:59Z", "2026-01-01T00:05:00Z 2026-01-01T00:10:00Z"},
		{"*/20 30 * * * *", "", "2026-01-01T00:00:00Z", "2026-01-01T00:30:00Z 2026-01-01T00:30:20Z"},
		{"0 0 29 2 *", "", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
		{"0 0 */29 2 0", "", "2026-03-01T00:00:00Z", "2032-02-01T00:00:00Z 2037-02-01T00:00:00Z"}, // both must match
		{"0 12 13 * FRI", "", "2026-11-01T00:00:00Z", "2026-11-06T12:00:00Z 2026-11-13T12:00:00Z"},
		{"0 12 13,14 11 7", "", "2026-11-09T00:00:00Z", "2026-11-13T12:00:00Z 2026-11-14T12:00:00Z 2026-11-15T12:00:00Z"},
		{"@every 90s", "", "1970-01-01T00:00:00Z", "1970-01-01T00:01:30Z 1970-01-01T00:03:00Z"},
		{"@every 1h", "", "1969-12-31T22:30:00Z", "1969-12-31T23:00:00Z 1970-01-01T00:00:00Z"},
		{"@weekly", "Asia/Seoul", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00+09:00"},
		{"0 0 * jan-mar/2 mon-wed", "", "2026-01-28T00:00:00Z", "2026-03-02T00:00:00Z"},

		// Forward: 02:00 to 03:00 is skipped. What fixes its hour runs when there is time again, and once.
		{"30 2 * * *", berlin, "2026-03-28T02:30:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-30T02:30:00+02:00"},
		{"*/10 2 * * *", berlin, "2026-03-28T23:00:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-30T02:00:00+02:00"},
		{"0 3 * * *", berlin, "2026-03-28T23:00:00+01:00", "2026-03-29T03:00:00+02:00 2026-03-30T03:00:00+02:00"},
		{"30 2,3 * * *", york, "2026-03-07T23:00:00-05:00", "2026-03-08T03:00:00-04:00 2026-03-08T03:30:00-04:00"},
		{"30 * * * *", york, "2026-03-08T01:00:00-05:00", "2026-03-08T01:30:00-05:00 2026-03-08T03:30:00-04:00"},
		{"0 */2 * * *", york, "2026-03-08T00:00:00-05:00", "2026-03-08T04:00:00-04:00"},
		{"@every 1h", "", "2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z"},
		{"15 2 * * *", lordHowe, "2026-10-03T03:00:00+10:30", "2026-10-04T02:30:00+11:00 2026-10-05T02:15:00+11:00"},
		{"0 0 30 12 *", "Pacific/Apia", "2011-01-01T00:00:00Z", "2011-12-31T00:00:00+14:00"}, // a day that was not

		// Back: 02:00 to 03:00, in New York 01:00 to 02:00, comes twice.
		{"30 2 * * *", berlin, "2026-10-24T12:00:00+02:00", "2026-10-25T02:30:00+02:00 2026-10-26T02:30:00+01:00"},
		{"30 2 * * *", berlin, "2026-10-25T02:10:00+01:00", "2026-10-26T02:30:00+01:00"},
		{"0,30 1 * * *", york, "2026-10-31T23:00:00-04:00", "2026-11-01T01:00:00-04:00 2026-11-01T01:30:00-04:00 " +
			"2026-11-02T01:00:00-05:00"},
		{"*/30 * * * *", york, "2026-11-01T00:59:00-04:00", "2026-11-01T01:00:00-04:00 2026-11-01T01:30:00-04:00 " +
			"2026-11-01T01:00:00-05:00 2026-11-01T01:30:00-05:00 2026-11-01T02:00:00-05:00"},
		{"45 1 * * *", lordHowe, "2026-04-04T12:00:00+11:00", "2026-04-05T01:45:00+11:00 2026-04-06T01:45:00+10:30"},
	} {
		next := at(t, c.after)
		s := parse(t, c.text, c.zone)
		for _, want := range strings.Fields(c.want) {
			if next = s.Next(next); next.Format(time.RFC3339) != want {
				t.Errorf("%q in %q after %s: %s, not %s", c.text, c.zone, c.after, next.Format(time.RFC3339), want)
			}
		}
	}
}

// A day has as many runs as it should: on the day of each change in two zones, and on the one before.
func TestDays(t *testing.T) {
	for _, day := range []struct {
		zone, begin string
		hours       int // of that day
	}{
		{"Europe/Berlin", "2026-03-28T00:00:00+01:00", 24}, {"Europe/Berlin", "2026-03-29T00:00:00+01:00", 23},
		{"Europe/Berlin", "2026-10-25T00:00:00+02:00", 25}, {"America/New_York", "2026-03-08T00:00:00-05:00", 23},
		{"America/New_York", "2026-11-01T00:00:00-04:00", 25},
	} {
		for text, want := range map[string]int{"*/5 * * * *": 12 * day.hours, "30 * * * *": day.hours, "30 2 * * *": 1,
			"0 1 * * *": 1, "17 1,2,3 * * *": 3, "0 0 * * * *": day.hours, "0 0-23 * * *": min(24, day.hours)} {
			begin := at(t, day.begin).Add(-time.Second)
			all, more := parse(t, text, day.zone).Last(begin, begin.Add(time.Duration(day.hours)*time.Hour), 1000)
			if len(all) != want || more {
				t.Errorf("%q in %s on %s: %d runs, not %d: %v", text, day.zone, day.begin, len(all), want, all)
			}
		}
	}
}

func TestLast(t *testing.T) {
	from, to := at(t, "2020-01-01T00:00:00Z"), at(t, "2026-01-01T00:00:00Z")
	for text, want := range map[string]string{
		"@every 1s":   "2025-12-31T23:59:58Z 2025-12-31T23:59:59Z 2026-01-01T00:00:00Z more",
		"0 0 1 7 *":   "2023-07-01T00:00:00Z 2024-07-01T00:00:00Z 2025-07-01T00:00:00Z more",
		"0 0 29 2 *":  "2020-02-29T00:00:00Z 2024-02-29T00:00:00Z",
		"* * * 1 1 *": "2025-01-01T23:59:58Z 2025-01-01T23:59:59Z 2026-01-01T00:00:00Z more",
		"0 0 1 1 *":   "2024-01-01T00:00:00Z 2025-01-01T00:00:00Z 2026-01-01T00:00:00Z more",
	} {
		times, more := parse(t, text, "").Last(from, to, 3)
		got := ""
		for _, one := range times {
			got += one.Format(time.RFC3339) + " "
		}
		if more {
			got += "more"
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("%q: %s, not %s", text, got, want)
		}
	}
	if times, more := parse(t, "@hourly", "").Last(to, to, 3); len(times) > 0 || more {
		t.Errorf("nothing has passed: %v, %v", times, more)
	}
}

func TestRefused(t *testing.T) {
	for _, c := range []struct{ text, zone, want string }{
		{"", "", "is empty"}, {"  ", "", "is empty"}, {"* * * *", "", "4 fields"}, {"* * * * * * *", "", "7 fields"},
		{"60 * * * *", "", `minute "60": use 0 to 59`}, {"* 24 * * *", "", "use 0 to 23"}, {"* * 0 * *", "", "use 1 to 31"},
		{"* * * 13 *", "", "use 1 to 12"}, {"* * * * 8", "", "use 0 to 7"}, {"* * * foo *", "", `month "foo"`},
		{"* * L * *", "", `day of month "L"`}, {"* * 15W * *", "", "use 1 to 31"}, {"* * * * 5#3", "", "use 0 to 7"},
		{"*/0 * * * *", "", "a step is a number from 1 to 59"}, {"*/90 * * * *", "", "from 1 to 59"},
		{"*/+5 * * * *", "", "from 1 to 59"}, {"+5 * * * *", "", "use 0 to 59"}, {"-5 * * * *", "", "use 0 to 59"},
		{"5/10 * * * *", "", "write 5-59/10"}, {"* * * * fri-mon", "", "ends before it begins"},
		{"1,,2 * * * *", "", "use 0 to 59"}, {"?/5 * * * *", "", "use 0 to 59"}, {"0 0 31 2 *", "", "no such date"},
		{"0 0 30 feb ?", "", "no such date"}, {"@reboot", "", "call it once"}, {"@fortnightly", "", "use @every"},
		{"@daily 5", "", "use @every"}, {"@every", "", "whole seconds"}, {"@every 500ms", "", "whole seconds"},
		{"@every 1500ms", "", "whole seconds"}, {"@every -5s", "", "whole seconds"}, {"@every 9000h", "", "whole seconds"},
		{"@every 1 h", "", "whole seconds"}, {"@every 10s", "UTC", "take zone away"},
		{"TZ=Asia/Seoul 0 0 * * *", "", `write zone = "Asia/Seoul"`}, {"CRON_TZ=UTC 0 0 * * *", "", `write zone = "UTC"`},
		{"0 0 * * *", "Local", "IANA"}, {"0 0 * * *", "Mars/Olympus", "IANA"}, {"0 0 * * *", "../etc/passwd", "IANA"},
		{"0 0 * * *", strings.Repeat("a", 65), "IANA"}, {"0 0 * * *", "a b", "IANA"},
		{"99999999999999999999 * * * *", "", "use 0 to 59"}, {strings.Repeat("*", 300), "", "at most 256"},
	} {
		s, err := schedule.Parse(c.text, c.zone)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q in %q: %v, %v, not %s", c.text, c.zone, s, err, c.want)
		}
	}
}

// written returns a field of a pattern at random, and the values that it names, by a way of its own.
func written(r *rand.Rand, least, most int) (text string, has map[int]bool) {
	has = map[int]bool{}
	var parts []string
	for range 1 + r.IntN(3) {
		from := least + r.IntN(most-least+1)
		to := from + r.IntN(most-from+1)
		step := 1 + r.IntN(most-least)
		switch r.IntN(5) {
		case 0:
			parts, to, step = append(parts, strconv.Itoa(from)), from, 1
		case 1:
			parts, step = append(parts, fmt.Sprintf("%d-%d", from, to)), 1
		case 2:
			parts = append(parts, fmt.Sprintf("%d-%d/%d", from, to, step))
		case 3:
			parts, from, to = append(parts, fmt.Sprintf("*/%d", step)), least, most
		case 4:
			parts, from, to, step = append(parts, "*"), least, most, 1
		}
		for v := least; v <= most; v++ {
			if v >= from && v <= to && (v-from)%step == 0 {
				has[v] = true
			}
		}
	}
	return strings.Join(parts, ","), has
}

// TestOracle compares schedules at random with a walk from minute to minute.
func TestOracle(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	zones := []string{"UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe"}
	for range 150 {
		minute, minutes := written(r, 0, 59)
		hour, hours := written(r, 0, 23)
		day, days := written(r, 1, 31)
		month, months := written(r, 1, 12)
		weekday, weekdays := written(r, 0, 6)
		text := strings.Join([]string{minute, hour, day, month, weekday}, " ")
		s, err := schedule.Parse(text, zones[r.IntN(len(zones))])
		if err != nil {
			continue // such as the 31st of February
		}
		matches := func(t time.Time) bool {
			d, w := days[t.Day()], weekdays[int(t.Weekday())]
			both := day[0] == '*' || weekday[0] == '*'
			return minutes[t.Minute()] && hours[t.Hour()] && months[int(t.Month())] && (both && d && w || !both && (d || w))
		}
		begin := time.Date(2026, time.Month(1+r.IntN(12)), 1+r.IntN(28), r.IntN(24), r.IntN(60), 0, 0, s.Zone())
		want := walk(begin, matches, hour[0] == '*')
		if got := s.Next(begin); !want.IsZero() && !got.Equal(want) || want.IsZero() && got.Before(begin.AddDate(0, 0, 20)) {
			t.Errorf("%q in %s after %s: %s, not %s", text, s.Zone(), begin, got, want)
		}
	}
}

// walk returns the first minute behind begin that matches, within 20 days. Local times that fix the hour count once,
// and those that the clock skips count when it goes on.
func walk(begin time.Time, matches func(time.Time) bool, onWall bool) time.Time {
	wall := func(t time.Time) time.Time { // its clock, as if it were UTC
		_, offset := t.Zone()
		return t.UTC().Add(time.Duration(offset) * time.Second)
	}
	latest := wall(begin.AddDate(0, 0, -1))
	for t := begin.AddDate(0, 0, -1); t.Before(begin.AddDate(0, 0, 20)); t = t.Add(time.Minute) {
		due := matches(t)
		if !onWall {
			due = false
			for now := wall(t); latest.Before(now); {
				latest = latest.Add(time.Minute)
				due = due || matches(latest)
			}
		}
		if due && t.After(begin) {
			return t
		}
	}
	return time.Time{}
}

// FuzzParse reads anything; what is taken has a next time, and is read again as it prints itself.
func FuzzParse(f *testing.F) {
	for _, text := range []string{"*/5 * * * *", "0 0 29 2 *", "1-5/2,7 2 ? jan,3-5 MON-FRI", "@every 10s", "@daily",
		"* * *",
		"30 2 31 */5 7", "59 59 23 31 12 0"} {
		f.Add(text, "Europe/Berlin", int64(1774746000))
		f.Add(text, "", int64(0))
	}
	f.Fuzz(func(t *testing.T, text, zone string, after int64) {
		s, err := schedule.Parse(text, zone)
		if err != nil {
			if strings.ContainsAny(err.Error(), "\n\r\x00") {
				t.Errorf("%q: %q", text, err)
			}
			return
		}
		after = min(max(after, -1<<33), 1<<35) // years 1697 to 3058
		next := s.Next(time.Unix(after, 0))
		if next.Unix() <= after || next.Nanosecond() != 0 || !s.Next(next.Add(-time.Nanosecond)).Equal(next) {
			t.Errorf("%q after %d: %s", text, after, next)
		}
		if again := parse(t, s.String(), zone); !again.Next(time.Unix(after, 0)).Equal(next) {
			t.Errorf("%q and %q differ", text, s)
		}
	})
}

func BenchmarkNext(b *testing.B) {
	for _, text := range []string{"*/5 * * * *", "30 2 * * *", "0 0 29 2 *"} {
		b.Run(text, func(b *testing.B) {
			s := parse(b, text, "Europe/Berlin")
			after := time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC)
			for b.Loop() {
				s.Next(after)
			}
		})
	}
}
