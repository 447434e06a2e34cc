package console

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"html/template"
	"math"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/console/visible"
	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// How long what a stranger has written may be on a page, in bytes.
const (
	maxLine = 500
	maxText = 64 << 10
	maxDump = 2 << 10 // of bytes that are no text
)

// words are the functions of the templates.
var words = template.FuncMap{
	"asset":    assetURL,
	"took":     took,
	"count":    count,
	"rate":     rate,
	"bytes":    func(n any) string { return terminal.Bytes(whole(n)) },
	"line":     func(s string) string { return visible.Line(s, maxLine) },
	"text":     func(s string) string { return visible.Text(s, maxText) },
	"short":    func(s string, n int) string { return visible.Text(s, n) },
	"head":     head,
	"ago":      ago,
	"until":    until,
	"clock":    func(t time.Time) string { return t.Local().Format("15:04:05.000") },
	"stamp":    func(t time.Time) string { return t.UTC().Format(time.RFC3339) },
	"day":      func(t time.Time) string { return t.Format("Mon 2 Jan 2006, 15:04:05 MST") },
	"digest":   func(s string) string { return visible.Line(strings.TrimPrefix(s, "sha256:"), 12) },
	"plural":   terminal.Plural,
	"spark":    spark,
	"bars":     bars,
	"curves":   curves,
	"dict":     dict,
	"percent":  percent,
	"status":   status,
	"codeText": codeText,
	"join":     strings.Join,
	"split":    splitOf,
	"methods":  func() []string { return strings.Fields("GET POST PUT PATCH DELETE HEAD OPTIONS") },
}

// head returns the beginning of an id, of at most n bytes.
func head(s string, n int) string { return visible.Line(s[:min(len(s), n)], n) }

// whole returns any whole number as an int64.
func whole(n any) int64 {
	switch n := n.(type) {
	case int:
		return int64(n)
	case int64:
		return n
	case uint64:
		return int64(min(n, math.MaxInt64))
	case protocol.Size:
		return int64(n)
	}
	return 0
}

// count writes a number with narrow gaps between thousands.
func count(n any) string {
	s := strconv.FormatInt(whole(n), 10)
	for i := len(s) - 3; i > 0 && s[i-1] != '-'; i -= 3 {
		s = s[:i] + "\u202f" + s[i:]
	}
	return s
}

// rate writes how often something is, a second.
func rate(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 10:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return count(int64(math.Round(f)))
}

// took writes a duration with three digits.
func took(d time.Duration) string {
	f := float64(d)
	switch {
	case d <= 0:
		return "–"
	case d < time.Millisecond:
		return digits(f/1e3) + "\u202fµs"
	case d < time.Second:
		return digits(f/1e6) + "\u202fms"
	case d < 2*time.Minute:
		return digits(f/1e9) + "\u202fs"
	}
	return d.Round(time.Second).String()
}

// digits writes a number with about three digits.
func digits(f float64) string {
	switch {
	case f < 9.995:
		return strconv.FormatFloat(f, 'f', 2, 64)
	case f < 99.95:
		return strconv.FormatFloat(f, 'f', 1, 64)
	}
	return strconv.FormatFloat(f, 'f', 0, 64)
}

// ago writes how long ago a time was.
func ago(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	return span(time.Since(t)) + " ago"
}

// until writes how far away a time is.
func until(t time.Time) string {
	if t.IsZero() {
		return "–"
	}
	if d := time.Until(t); d > 0 {
		return "in " + span(d)
	}
	return "now"
}

// span writes a duration in one unit.
func span(d time.Duration) string {
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%d s", max(0, int(d.Seconds())))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// percent writes a share.
func percent(part, all int64) string {
	if all == 0 || part == 0 {
		return "0 %"
	}
	p := 100 * float64(part) / float64(all)
	if p < 0.1 {
		return "< 0.1 %"
	}
	return strconv.FormatFloat(p, 'f', 1, 64) + " %"
}

// dict makes a map of names and values, for templates with more than one argument.
func dict(pairs ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		m[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return m
}

// status returns the class of a code: ok, warn or bad.
func status(code int) string {
	switch {
	case code == 0 || code >= 200 && code < 400:
		return "ok"
	case code < 500:
		return "warn"
	}
	return "bad"
}

// codeTexts says what codes mean, shortly.
var codeTexts = map[int]string{
	protocol.CodeBadRequest: "bad request", protocol.CodeForbidden: "not permitted",
	protocol.CodeNotFound: "not found", protocol.CodeConflict: "conflict", protocol.CodeTooLarge: "too large",
	protocol.CodeRefused: "refused", protocol.CodeTooMany: "too many calls", protocol.CodeHeaders: "headers too large",
	protocol.CodeFailed: "failed", protocol.CodeUnknownNeed: "needs a newer invoker",
	protocol.CodeBadOutput: "bad output", protocol.CodeUnavailable: "unavailable",
	protocol.CodeTimeout: "timed out", protocol.CodeMemory: "out of memory",
}

// codeText says what a code means.
func codeText(code int) string {
	if text := codeTexts[code]; text != "" {
		return text
	}
	return strings.ToLower(http.StatusText(code))
}

// body is a body as a person can read it.
type body struct {
	Text   string
	Kind   string // such as JSON; empty for plain text
	Size   int
	Binary bool
}

// readable makes a body readable: JSON is indented, and what is no text becomes a dump.
func readable(b []byte) body {
	out := body{Size: len(b)}
	var indented bytes.Buffer
	trimmed := bytes.TrimSpace(b)
	switch {
	case len(trimmed) > 0 && (trimmed[0] == '{' || trimmed[0] == '[') && len(b) <= maxText &&
		json.Indent(&indented, trimmed, "", "  ") == nil:
		out.Kind, out.Text = "JSON", visible.Text(indented.String(), 2*maxText)
	case visible.Printable(b):
		out.Text = visible.Text(string(b), maxText)
	default:
		out.Binary, out.Kind = true, "binary"
		out.Text = hex.Dump(b[:min(len(b), maxDump)])
		if len(b) > maxDump {
			out.Text += fmt.Sprintf("… (%d bytes more)", len(b)-maxDump)
		}
	}
	return out
}
