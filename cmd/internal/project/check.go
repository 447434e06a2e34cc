package project

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// checker finds what is wrong with the values of one manifest, and where.
type checker struct {
	keys  map[string]protocol.Key // by path
	lines map[string]int          // of the paths
	found []finding
	bad   map[string]bool // paths with a finding
}

// finding is one thing that is wrong.
type finding struct {
	line int // 0: none
	text string
}

// add takes note of what is wrong with the key at a path, once for each.
func (c *checker) add(path, format string, a ...any) {
	if c.bad[path] {
		return
	}
	if c.bad == nil {
		c.bad = map[string]bool{}
	}
	c.bad[path] = true
	c.found = append(c.found, finding{line: c.line(path), text: oneLine(fmt.Sprintf(format, a...))})
}

// line returns the line of a key, or of the nearest table around it that is written down; 0 for none.
func (c *checker) line(path string) int {
	for path != "" {
		if n := c.lines[path]; n > 0 {
			return n
		}
		path = path[:max(0, strings.LastIndexAny(path, ".["))]
	}
	return 0
}

// oneLine returns a text without what could break its line, since a manifest can be a stranger's.
func oneLine(text string) string { return protocol.CleanValue(text, protocol.MaxErrorText) }

// err returns all that was found, in the order of lines, or nil.
func (c *checker) err(path string) error {
	if len(c.found) == 0 {
		return nil
	}
	slices.SortStableFunc(c.found, func(a, b finding) int { return cmp.Compare(a.line, b.line) })
	var lines []string
	for i, f := range c.found {
		if i == protocol.MaxProblems {
			lines = append(lines, fmt.Sprintf("%s: and %d more", path, len(c.found)-i))
			break
		}
		at := path + ":"
		if f.line > 0 {
			at = fmt.Sprintf("%s:%d:", path, f.line)
		}
		lines = append(lines, at+" "+f.text)
	}
	return &protocol.Error{Code: protocol.CodeRefused, Msg: strings.Join(lines, "\n")}
}

// table checks the keys of a table, which is at path, and returns those that are right. kind is its path in keys.
func (c *checker) table(path, kind string, values map[string]any) map[string]any {
	right := map[string]any{}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		at := join(path, name)
		k, ok := c.keys[join(kind, name)]
		switch {
		case kind == "" && given[name]:
			continue
		case !ok:
			c.add(at, "%s", c.unknown(at, kind, name))
			continue
		}
		if v, ok := c.value(at, k, values[name]); ok {
			right[name] = v
		}
	}
	for _, k := range c.keys {
		rest, inside := strings.CutPrefix(k.Path, kind+".")
		if inside && k.Must && values[rest] == nil {
			c.add(join(path, rest), "%s: it is missing, such as %s = %s", join(path, rest), rest, k.Example)
		}
	}
	return right
}

// given are keys that a manifest on disk does not give; they are ignored.
var given = map[string]bool{"version": true, "digest": true, "size": true, "created": true, "signature": true}

// join returns the path of a key in a table.
func join(table, key string) string {
	if table == "" {
		return key
	}
	return table + "." + key
}

// value checks a key's value and returns it as JSON has it. ok is false if it cannot be used.
func (c *checker) value(at string, k protocol.Key, v any) (right any, ok bool) {
	switch k.Type {
	case protocol.TypeString, protocol.TypeDuration, protocol.TypeBackoff, protocol.TypeSize, protocol.TypeNumber,
		protocol.TypeBool:
		return v, c.scalar(at, k, v)
	case protocol.TypeStrings, protocol.TypeNumbers:
		return c.list(at, k, v)
	case protocol.TypeEnv:
		return c.env(at, k, v)
	case protocol.TypeTable:
		if m, is := v.(map[string]any); is {
			return c.table(at, k.Path, m), true
		}
	case protocol.TypeTables:
		if all, is := tables(v); is {
			return c.tables(at, k, all), true
		}
	}
	return nil, c.wrongType(at, k, v)
}

// tables returns the tables of an array, however it is written.
func tables(v any) ([]map[string]any, bool) {
	if all, ok := v.([]map[string]any); ok {
		return all, true
	}
	list, ok := v.([]any)
	var all []map[string]any
	for _, v := range list {
		m, is := v.(map[string]any)
		all, ok = append(all, m), ok && is
	}
	return all, ok
}

func (c *checker) tables(at string, k protocol.Key, all []map[string]any) []any {
	var right []any
	for i, m := range all {
		right = append(right, c.table(fmt.Sprintf("%s[%d]", at, i), k.Path, m))
	}
	return right
}

// list checks a list of strings or numbers.
func (c *checker) list(at string, k protocol.Key, v any) (right any, ok bool) {
	all, ok := v.([]any)
	for _, v := range all {
		_, text := v.(string)
		_, number := v.(int64)
		ok = ok && (text && k.Type == protocol.TypeStrings || number && k.Type == protocol.TypeNumbers)
	}
	if !ok {
		return nil, c.wrongType(at, k, v)
	}
	return all, true
}

// env checks a table of strings.
func (c *checker) env(at string, k protocol.Key, v any) (right any, ok bool) {
	m, ok := v.(map[string]any)
	if !ok {
		return nil, c.wrongType(at, k, v)
	}
	for _, name := range slices.Sorted(maps.Keys(m)) {
		if _, text := m[name].(string); !text {
			c.add(join(at, name), "%s must be a string%s", join(at, name), quoted(m[name]))
			ok = false
		}
	}
	return m, ok
}

// quoted says how a value of another type is written as a string, if that is simple.
func quoted(v any) string {
	switch v.(type) {
	case int64, float64, bool:
		return fmt.Sprintf(`: write "%v"`, v)
	}
	return ", not " + typeOf(v)
}

// scalar checks a string, a number, a duration or a size.
func (c *checker) scalar(at string, k protocol.Key, v any) bool {
	text, isText := v.(string)
	n, isNumber := v.(int64)
	_, isBool := v.(bool)
	switch {
	case k.Type == protocol.TypeBool && isBool:
		return true
	case k.Type == protocol.TypeNumber && isNumber:
		if n >= k.Min && (k.Max == 0 || n <= k.Max) {
			return true
		}
		c.add(at, "%s = %d: it can be %s", at, n, plain(k.Range))
		return false
	case k.Type == protocol.TypeDuration && isText:
		_, err := protocol.ParseDuration(text)
		return c.is(at, err, durationHint(text))
	case k.Type == protocol.TypeBackoff && isText:
		_, err := protocol.ParseBackoff(text)
		return c.is(at, err, "")
	case k.Type == protocol.TypeSize && isText:
		_, err := protocol.ParseSize(text)
		return c.is(at, err, sizeHint(text))
	case k.Type == protocol.TypeSize && isNumber:
		_, err := protocol.ParseSize(strconv.FormatInt(n, 10))
		return c.is(at, err, "")
	case k.Type == protocol.TypeString && isText:
		if k.Values == nil || slices.Contains(k.Values, text) {
			return true
		}
		c.add(at, "%s = %.80q: %s", at, text, cmp.Or(meant(text, k.Values), "use one of "+strings.Join(k.Values, ", ")))
		return false
	}
	return c.wrongType(at, k, v)
}

// is takes note of an error and what to write instead, and reports whether there is none.
func (c *checker) is(at string, err error, hint string) bool {
	if err == nil {
		return true
	}
	if hint != "" {
		err = errors.New(hint)
	}
	c.add(at, "%s: %v", at, err)
	return false
}

// durationHint says what a duration that is none was meant to be, or nothing.
func durationHint(text string) string {
	units := map[string]string{"sec": "s", "secs": "s", "second": "s", "seconds": "s", "s": "s",
		"min": "m", "mins": "m", "minute": "m", "minutes": "m", "m": "m", "hour": "h", "hours": "h", "h": "h",
		"msec": "ms", "millis": "ms", "milliseconds": "ms", "ms": "ms"}
	return unitHint("duration", text, units, func(s string) error { _, err := protocol.ParseDuration(s); return err })
}

// sizeHint says what a size that is none was meant to be, or nothing.
func sizeHint(text string) string {
	units := map[string]string{"k": "KiB", "ki": "KiB", "kib": "KiB", "kb": "KB", "m": "MiB", "mi": "MiB", "mib": "MiB",
		"mb": "MB", "g": "GiB", "gi": "GiB", "gib": "GiB", "gb": "GB"}
	return unitHint("size", text, units, func(s string) error { _, err := protocol.ParseSize(s); return err })
}

// unitHint says what a number with a unit that is none was meant to be, or nothing. units has the right ones by what
// people write in their place.
func unitHint(what, text string, units map[string]string, parse func(string) error) string {
	number := strings.TrimRight(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ ")
	unit := units[strings.ToLower(strings.TrimSpace(text[len(number):]))]
	right := strings.TrimSpace(number) + unit
	if unit == "" || right == text || parse(right) != nil {
		return ""
	}
	return fmt.Sprintf("%s %.40q: did you mean %q?", what, text, right)
}

// wrongType takes note of a value of another type than the key's. It returns false.
func (c *checker) wrongType(at string, k protocol.Key, v any) bool {
	text, isText := v.(string)
	n, isNumber := v.(int64)
	hint := ""
	switch {
	case k.Type == protocol.TypeDuration && isNumber:
		hint = fmt.Sprintf(`: write it with its unit, such as "%ds" or "%[1]dms"`, n)
	case k.Type == protocol.TypeNumber && isText && strings.Trim(text, "0123456789") == "" && text != "":
		hint = ": write " + text + " without quotes"
	case k.Type == protocol.TypeBool && (text == "true" || text == "false"):
		hint = ": write " + text + " without quotes"
	case k.Type == protocol.TypeStrings && isText:
		hint = fmt.Sprintf(": write [%.80q]", text)
	case k.Type == protocol.TypeNumbers && isNumber:
		hint = fmt.Sprintf(": write [%d]", n)
	case k.Type == protocol.TypeTables && typeOf(v) == "a table":
		hint = fmt.Sprintf(": write [[%s]] above it", k.Path)
	case k.Type == protocol.TypeString && !isText && quoted(v)[0] == ':':
		hint = quoted(v)
	}
	article := "a "
	if k.Type == protocol.TypeBool {
		article = ""
	}
	if k.Type == protocol.TypeTables || k.Type == protocol.TypeTable {
		hint = cmp.Or(hint, fmt.Sprintf(", such as %s = %s", k.Path, k.Example))
	}
	c.add(at, "%s must be %s%s, not %s%s", at, article, k.Type, typeOf(v), cmp.Or(hint, ", such as "+k.Example))
	return false
}

// typeOf names the type of a value in TOML.
func typeOf(v any) string {
	switch v.(type) {
	case string:
		return "a string"
	case int64:
		return "a number"
	case float64:
		return "a fraction"
	case bool:
		return "true or false"
	case []any, []map[string]any:
		return "a list"
	case map[string]any:
		return "a table"
	}
	return "a date"
}

// plain returns a text of the reference without its marks.
func plain(text string) string { return strings.ReplaceAll(text, "`", "") }

// unknown says what to do about a key that there is none of in the table kind.
func (c *checker) unknown(at, kind, name string) string {
	var here, elsewhere []string
	for _, path := range slices.Sorted(maps.Keys(c.keys)) {
		table, key := "", path
		if i := strings.LastIndexByte(path, '.'); i >= 0 {
			table, key = path[:i], path[i+1:]
		}
		if table == kind {
			here = append(here, key)
		} else if key == name {
			elsewhere = append(elsewhere, "["+table+"]")
		}
	}
	switch {
	case len(elsewhere) > 0 && elsewhere[0] == "[]":
		return fmt.Sprintf("unknown key %s: %s stands above all tables", at, name)
	case len(elsewhere) > 0:
		return fmt.Sprintf("unknown key %s: %s stands in %s", at, name, strings.Join(elsewhere, " or "))
	}
	if hint := meant(name, here); hint != "" {
		return fmt.Sprintf("unknown key %s: %s", at, hint)
	}
	return fmt.Sprintf("unknown key %s: the keys here are %s", at, strings.Join(here, ", "))
}
