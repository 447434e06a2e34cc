package schedule

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Bounds of what Parse reads, in bytes.
const (
	MaxText = 256
	MaxZone = 64
)

// MinEvery is the shortest time between two runs.
const MinEvery = time.Second

// maxEvery is the longest: a leap year.
const maxEvery = 366 * 24 * time.Hour

// field says what can be written in a field of a pattern.
type field struct {
	name     string
	min, max int
	names    string // of its values from min on, with three letters each
}

var fields = [...]field{
	{"second", 0, 59, ""}, {"minute", 0, 59, ""}, {"hour", 0, 23, ""}, {"day of month", 1, 31, ""},
	{"month", 1, 12, "jan feb mar apr may jun jul aug sep oct nov dec"},
	{"day of week", 0, 7, "sun mon tue wed thu fri sat sun"},
}

// shorthands are the names that stand for patterns.
var shorthands = map[string]string{
	"@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
	"@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}

// Parse reads a schedule. zone is a name of the IANA time zone database, such as Asia/Seoul; none means UTC. The error
// says what to write instead.
func Parse(text, zone string) (Schedule, error) {
	if len(text) > MaxText {
		return Schedule{}, fmt.Errorf("%s... has %d bytes; at most %d", describe(text), len(text), MaxText)
	}
	words := strings.Fields(text)
	s := Schedule{text: strings.Join(words, " "), zone: time.UTC}
	if len(words) == 0 {
		return Schedule{}, fmt.Errorf(`a schedule is empty: write one such as "*/5 * * * *" or "@every 10s"`)
	}
	if words[0] == "@every" {
		if zone != "" {
			return Schedule{}, fmt.Errorf("%s with zone %.40q: it goes by elapsed time; take zone away", describe(text), zone)
		}
		return s, s.parseEvery(words[1:])
	}
	location, err := parseZone(zone)
	if err != nil {
		return Schedule{}, err
	}
	s.zone = location
	if words, err = expand(text, words); err != nil {
		return Schedule{}, err
	}
	for i, f := range fields {
		if s.in[i], err = f.parse(words[i]); err != nil {
			return Schedule{}, fmt.Errorf("%s: %w", describe(text), err)
		}
		s.star[i] = words[i][0] == '*' || words[i][0] == '?'
	}
	s.in[weekday] |= s.in[weekday] >> 7 & 1 // 7 is Sunday too
	if s.Next(time.Unix(0, 0)).IsZero() {
		return Schedule{}, fmt.Errorf("%s: there is no such date", describe(text))
	}
	return s, nil
}

// parseEvery reads what follows @every.
func (s *Schedule) parseEvery(words []string) error {
	d, err := time.ParseDuration(strings.Join(words, ""))
	if err != nil || len(words) != 1 || d < MinEvery || d > maxEvery || d%time.Second != 0 {
		return fmt.Errorf(`%s: write whole seconds from %s to %s, such as "@every 90s"`, describe(s.text), MinEvery, maxEvery)
	}
	s.every = int64(d / time.Second)
	return nil
}

// parseZone returns the zone of a name.
func parseZone(name string) (*time.Location, error) {
	if name == "" {
		return time.UTC, nil
	}
	plain := func(r rune) bool {
		return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || strings.ContainsRune("_/+-", r)
	}
	if len(name) <= MaxZone && strings.TrimFunc(name, plain) == "" && name != "Local" {
		if location, err := time.LoadLocation(name); err == nil {
			return location, nil
		}
	}
	return nil, fmt.Errorf("zone %.40q is none of the IANA time zone database: write one such as Asia/Seoul", name)
}

// expand returns six fields, whatever was written in place of some.
func expand(text string, words []string) ([]string, error) {
	first := words[0]
	switch {
	case first == "@reboot":
		return nil, fmt.Errorf("%s: functions do not begin with a machine; call it once when you deploy it", describe(text))
	case first[0] == '@':
		pattern, ok := shorthands[first]
		if !ok || len(words) > 1 {
			return nil, fmt.Errorf("%s: use @every DURATION, @hourly, @daily, @weekly, @monthly, @yearly, or five fields",
				describe(text))
		}
		words = strings.Fields(pattern)
	case strings.HasPrefix(first, "TZ=") || strings.HasPrefix(first, "CRON_TZ="):
		_, zone, _ := strings.Cut(first, "=")
		return nil, fmt.Errorf("%s: write zone = %.40q beside it", describe(text), zone)
	}
	switch len(words) {
	case 5:
		return append([]string{"0"}, words...), nil
	case 6:
		return words, nil
	}
	return nil, fmt.Errorf("%s has %d fields: write minute, hour, day of month, month and day of week, and before them, "+
		"if you want, second", describe(text), len(words))
}

// parse reads a field: values, ranges and *, with steps, joined by commas.
func (f field) parse(text string) (mask, error) {
	var all mask
	for part := range strings.SplitSeq(text, ",") {
		from, to, step, err := f.parsePart(part)
		if err != nil {
			return 0, err
		}
		for v := from; v <= to; v += step {
			all |= 1 << v
		}
	}
	return all, nil
}

func (f field) parsePart(text string) (from, to, step int, err error) {
	values, by, stepped := strings.Cut(text, "/")
	low, high, ranged := strings.Cut(values, "-")
	switch {
	case values == "*" || values == "?" && strings.HasPrefix(f.name, "day"):
		from, to, ranged = f.min, f.max, true
		if f.max == 7 {
			to = 6
		}
	case ranged:
		if from, err = f.value(low); err == nil {
			to, err = f.value(high)
		}
		if err == nil && from > to {
			err = fmt.Errorf("%s %q ends before it begins: write two ranges with a comma between them", f.name, text)
		}
	default:
		from, err = f.value(values)
		to = from
	}
	if step = 1; err != nil || !stepped {
		return from, to, step, err
	}
	step, bad := strconv.Atoi(by)
	switch {
	case bad != nil || !digits(by) || step < 1 || step > f.max-f.min:
		err = fmt.Errorf("%s %q: a step is a number from 1 to %d", f.name, text, f.max-f.min)
	case !ranged:
		err = fmt.Errorf("%s %q: a step needs a range: write %d-%d/%d", f.name, text, from, f.max, step)
	}
	return from, to, step, err
}

// value reads a number or a name.
func (f field) value(text string) (int, error) {
	if i := strings.Index(f.names, strings.ToLower(text)); len(text) == 3 && i >= 0 && i%4 == 0 {
		return f.min + i/4, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || !digits(text) || n < f.min || n > f.max {
		names := ""
		if f.names != "" {
			names = ", or " + f.names
		}
		return 0, fmt.Errorf("%s %.20q: use %d to %d%s", f.name, text, f.min, f.max, names)
	}
	return n, nil
}

// digits reports whether a text that strconv takes has no sign.
func digits(text string) bool { return text != "" && text[0] >= '0' && text[0] <= '9' }
