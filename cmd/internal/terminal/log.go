package terminal

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"strconv"
	"strings"
	"sync"
	"time"
)

// logHandler writes lines of a log as people read them: time, level, message, and what is known besides.
type logHandler struct {
	mu    *sync.Mutex // one line at a time; shared by all that come of one handler
	w     io.Writer
	paint Paint
	level slog.Leveler
	known string // what WithAttrs was given, as it is written
	group string // what the names of what follows begin with
}

var _ slog.Handler = (*logHandler)(nil)

// NewLogHandler returns a handler that writes lines from a level on for people who look at w: the time of day, the
// level unless it is info, the message, and NAME=VALUE in quotes where that is not one word. Any number of goroutines
// may use it.
func NewLogHandler(w io.Writer, p Paint, level slog.Leveler) slog.Handler {
	return &logHandler{mu: new(sync.Mutex), w: w, paint: p, level: level}
}

// Enabled implements slog.Handler.
func (h *logHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

// Handle implements slog.Handler.
func (h *logHandler) Handle(_ context.Context, r slog.Record) error {
	var b strings.Builder
	if !r.Time.IsZero() {
		b.WriteString(h.paint.Dim(r.Time.Format(time.TimeOnly)) + " ")
	}
	switch level := strings.ToLower(r.Level.String()); {
	case r.Level >= slog.LevelError:
		b.WriteString(h.paint.Red(level) + " ")
	case r.Level != slog.LevelInfo:
		b.WriteString(h.paint.Bold(level) + " ")
	}
	b.Write(appendVisible(nil, []byte(r.Message), !keepLines))
	b.WriteString(h.known)
	r.Attrs(func(a slog.Attr) bool {
		h.attr(&b, h.group, a)
		return true
	})
	b.WriteByte('\n')
	h.mu.Lock()
	defer h.mu.Unlock()
	_, err := io.WriteString(h.w, b.String())
	return err
}

// attr writes one attribute, or those of a group.
func (h *logHandler) attr(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, sub := range v.Group() {
			h.attr(b, group, sub)
		}
		return
	}
	if a.Key == "" {
		return
	}
	text := v.String()
	if t, ok := v.Any().(time.Time); ok {
		text = t.Format(time.RFC3339)
	}
	if text == "" || strings.ContainsFunc(text, needsQuotes) {
		text = strconv.Quote(text)
	}
	fmt.Fprintf(b, " %s%s", h.paint.Dim(group+a.Key+"="), text)
}

// needsQuotes reports whether a character would not be one word with others.
func needsQuotes(c rune) bool { return c <= ' ' || c == '"' || c == '=' || acts(c) }

// WithAttrs implements slog.Handler.
func (h *logHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	for _, a := range attrs {
		h.attr(&b, h.group, a)
	}
	with := *h
	with.known += b.String()
	return &with
}

// WithGroup implements slog.Handler.
func (h *logHandler) WithGroup(name string) slog.Handler {
	with := *h
	if name != "" {
		with.group += name + "."
	}
	return &with
}
