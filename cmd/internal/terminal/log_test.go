package terminal_test

import (
	"bytes"
	"errors"
	"log/slog"
	"sync"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
)

func TestLogHandler(t *testing.T) {
	at := time.Date(2026, 11, 30, 9, 8, 7, 0, time.UTC)
	for _, test := range []struct {
		level slog.Level
		msg   string
		attrs []slog.Attr
		want  string
	}{
		{slog.LevelInfo, "drained", nil, "09:08:07 drained\n"},
		{slog.LevelWarn, "nats", []slog.Attr{slog.String("subject", ""), slog.Any("err", errors.New("no room"))},
			"09:08:07 warn nats subject=\"\" err=\"no room\"\n"},
		{slog.LevelError, "a\x1b[2J", []slog.Attr{slog.String("id", "x\ny\u202e")},
			"09:08:07 error a\\x1b[2J id=\"x\\ny\\u202e\"\n"},
		{slog.LevelDebug, "not shown", nil, ""},
		{slog.LevelInfo, "calls", []slog.Attr{slog.Group("of", slog.Int("a", 1), slog.Duration("p50",
			time.Millisecond)), {}}, "09:08:07 calls of.a=1 of.p50=1ms\n"},
	} {
		var b bytes.Buffer
		h := terminal.NewLogHandler(&b, "", slog.LevelInfo)
		r := slog.NewRecord(at, test.level, test.msg, 0)
		r.AddAttrs(test.attrs...)
		if h.Enabled(t.Context(), test.level) {
			if err := h.Handle(t.Context(), r); err != nil {
				t.Fatal(err)
			}
		}
		if b.String() != test.want {
			t.Errorf("%s: got %q, want %q", test.msg, b.String(), test.want)
		}
	}
	var b bytes.Buffer
	slog.New(terminal.NewLogHandler(&b, "", slog.LevelInfo)).With("function", "hello").WithGroup("g").
		With("a", 1).Info("ran", "b", 2)
	if got := b.String()[len("09:08:07"):]; got != " ran function=hello g.a=1 g.b=2\n" {
		t.Errorf("got %q", got)
	}
}

func TestHammerLogHandler(t *testing.T) {
	var b bytes.Buffer
	log := slog.New(terminal.NewLogHandler(&b, "", slog.LevelInfo))
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			l := log.With("a", 1)
			for range 100 {
				l.Info("line", "b", 2)
			}
		})
	}
	group.Wait()
	lines := bytes.Split(bytes.TrimSuffix(b.Bytes(), []byte("\n")), []byte("\n"))
	if len(lines) != 800 {
		t.Fatalf("there are %d lines", len(lines))
	}
	for _, l := range lines {
		if !bytes.HasSuffix(l, []byte(" line a=1 b=2")) {
			t.Fatalf("a line is %q", l)
		}
	}
}
