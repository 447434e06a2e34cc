package logs_test

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/nats-io/nats-server/v2/server"

	"github.com/polyvoke/polyvoke/invoker/invokertest"
	"github.com/polyvoke/polyvoke/invoker/logs"
	"github.com/polyvoke/polyvoke/invoker/registry/registrytest"
	"github.com/polyvoke/polyvoke/protocol"
)

// lines writes with a Writer and returns what is published.
func lines(t *testing.T, write func(w *logs.Writer)) (published []protocol.LogLine, tail []byte) {
	t.Helper()
	s := registrytest.StartNATS(t, "", -1)
	nc := registrytest.Connect(t, s)
	sub, err := nc.SubscribeSync("log.>")
	if err != nil {
		t.Fatal(err)
	}
	w := &logs.Writer{NC: nc, Function: protocol.Ref{Name: "f", Version: "1"}, ID: func() string { return "7" }}
	write(w)
	w.Flush()
	if err := nc.Publish("log.end", nil); err != nil {
		t.Fatal(err)
	}
	for {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatal(err)
		}
		if m.Subject == "log.end" {
			return published, w.Tail()
		}
		l := protocol.ParseLogLine(protocol.Header(m.Header), m.Data)
		if m.Subject != "log.f" || l.ID != "7" || l.Function.String() != "f@1" {
			t.Errorf("%s: %+v", m.Subject, l)
		}
		published = append(published, l)
	}
}

func TestLines(t *testing.T) {
	got, tail := lines(t, func(w *logs.Writer) {
		for _, part := range []string{"one\ntw", "o\n", "\n", "", "thr", "ee"} {
			if n, err := w.Write([]byte(part)); n != len(part) || err != nil {
				t.Errorf("Write: %d, %v", n, err)
			}
		}
	})
	var texts []string
	for _, l := range got {
		texts = append(texts, l.Text)
	}
	if want := "one|two||three"; strings.Join(texts, "|") != want || string(tail) != "one\ntwo\n\nthree" {
		t.Errorf("lines %q, tail %q", texts, tail)
	}
}

func TestLongLine(t *testing.T) {
	long := bytes.Repeat([]byte("0123456789"), protocol.MaxLogLine/5) // twice as long as a line may be
	got, tail := lines(t, func(w *logs.Writer) { w.Write(long) })
	var all string
	for _, l := range got {
		if len(l.Text) > protocol.MaxLogLine {
			t.Errorf("a line of %d bytes", len(l.Text))
		}
		all += l.Text
	}
	if all != string(long) || len(got) < 2 {
		t.Errorf("%d bytes in %d lines, want %d", len(all), len(got), len(long))
	}
	if !bytes.Equal(tail, long[len(long)-protocol.MaxTail:]) {
		t.Errorf("a tail of %d bytes", len(tail))
	}
}

// TestSmallMessages writes a long line where NATS takes messages of 4 KiB.
func TestSmallMessages(t *testing.T) {
	nc := invokertest.Connect(t, invokertest.StartNATS(t, func(o *server.Options) { o.MaxPayload = 4 << 10 }))
	sub, err := nc.SubscribeSync("log.f")
	if err != nil {
		t.Fatal(err)
	}
	w := &logs.Writer{NC: nc, Function: protocol.Ref{Name: "f", Version: "1"},
		ID: func() string { return strings.Repeat("7", protocol.MaxID) }}
	long := strings.Repeat("0123456789", 2000)
	fmt.Fprintln(w, long)
	for got := ""; got != long; {
		m, err := sub.NextMsg(10 * time.Second)
		if err != nil {
			t.Fatalf("after %d of %d bytes: %v", len(got), len(long), err)
		}
		got += string(m.Data)
	}
}

func TestTooMuch(t *testing.T) {
	const n = 1 << 15 // lines of 64 bytes: 2 MiB
	got, tail := lines(t, func(w *logs.Writer) {
		for i := range n {
			fmt.Fprintf(w, "%063d\n", i)
		}
	})
	last := got[len(got)-1]
	if len(got) != 1<<14+1 || !last.Platform || !strings.Contains(last.Text, "left out") {
		t.Errorf("%d lines, the last one %+v", len(got), last)
	}
	if want := fmt.Sprintf("%063d\n", n-1); !strings.HasSuffix(string(tail), want) || len(tail) != protocol.MaxTail {
		t.Errorf("the tail has %d bytes and ends with %q", len(tail), tail[len(tail)-64:])
	}
}

func TestNoConnection(t *testing.T) {
	var w logs.Writer // of a call that failed before its process was prepared
	w.Platform("nobody hears")
	if n, err := w.Write([]byte("x\n")); n != 2 || err != nil || string(w.Tail()) != "x\n" {
		t.Errorf("%d, %v, %q", n, err, w.Tail())
	}
}
