package terminal

import (
	"bytes"
	"io"
	"strings"
	"testing"
	"time"
)

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 KB", 1449: "1.4 KB", 14_300: "14 KB", 999_499: "999 KB", 999_500: "1.0 MB",
		3_288_259: "3.3 MB", 1 << 30: "1.1 GB", 5e12: "5000 GB",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	Table(&b, "", []string{"NAME", " SIZE", "WHAT"}, [][]string{{"a", "1", "ä"}, {"long", "1000000", ""}})
	want := "NAME     SIZE  WHAT\na           1  ä\nlong  1000000\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := &progress{r: strings.NewReader(strings.Repeat("x", 4000)), w: &b, what: "uploading", total: 4000, shown: -1}
	n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{p}, make([]byte, 1000))
	if n != 4000 || err != nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	if out := b.String(); strings.Count(out, "\r") != 4 ||
		!strings.HasSuffix(out, "uploading [#########################] 100% of 4.0 KB\n") {
		t.Errorf("printed %q", out)
	}
}

// lines is a writer that passes on what is written.
type lines chan string

func (l lines) Write(b []byte) (int, error) {
	l <- string(b)
	return len(b), nil
}

func TestWaitingWithoutATerminal(t *testing.T) {
	out, stop := make(lines, 1000), make(chan struct{})
	go list(out, "compiling", stop, 0, time.Millisecond)
	for range 3 {
		if got := <-out; !strings.HasPrefix(got, "compiling ... ") || !strings.HasSuffix(got, " s\n") {
			t.Errorf("printed %q", got)
		}
	}
	close(stop)
	var b bytes.Buffer
	if Waiting(&b, "compiling")(); b.Len() > 0 {
		t.Errorf("something quick prints %q", &b)
	}
}

func TestProgressWithoutATerminal(t *testing.T) {
	var b bytes.Buffer
	r := strings.NewReader("")
	if got := Progress(&b, r, "uploading", progressFrom); got != io.Reader(r) {
		t.Errorf("got %T for little, want what was given", got)
	}
	p, ok := Progress(&b, strings.NewReader(strings.Repeat("x", 4<<20)), "uploading", 4<<20).(*progress)
	if !ok {
		t.Fatal("there is no progress")
	}
	buf := make([]byte, 1<<20)
	for i := range 4 {
		if i == 2 {
			p.next = time.Now() // two seconds have passed
		}
		if _, err := io.ReadFull(p, buf); err != nil {
			t.Fatal(err)
		}
	}
	if got := b.String(); got != "uploading ... 75% of 4.2 MB\n" {
		t.Errorf("printed %q", got)
	}
}

func TestPaintFor(t *testing.T) {
	for _, tt := range []struct {
		choice string
		env    map[string]string
		want   Paint
	}{
		{"auto", nil, ""},
		{"always", map[string]string{"NO_COLOR": "1"}, escape},
		{"never", map[string]string{"CLICOLOR_FORCE": "1"}, ""},
		{"auto", map[string]string{"CLICOLOR_FORCE": "1"}, escape},
		{"auto", map[string]string{"CLICOLOR_FORCE": "0"}, ""},
		{"auto", map[string]string{"CLICOLOR_FORCE": "1", "NO_COLOR": "1"}, ""},
	} {
		if got := PaintFor(&bytes.Buffer{}, tt.choice, func(k string) string { return tt.env[k] }); got != tt.want {
			t.Errorf("%s, %v: got %q", tt.choice, tt.env, got)
		}
	}
}

func TestAge(t *testing.T) {
	for d, want := range map[time.Duration]string{
		-time.Second: "0s", 59 * time.Second: "59s", time.Minute: "1m", time.Hour: "1h", 47 * time.Hour: "47h",
		48 * time.Hour: "2d",
	} {
		if got := Age(d); got != want {
			t.Errorf("Age(%s) = %q, want %q", d, got, want)
		}
	}
}

func TestWaiting(t *testing.T) {
	var out bytes.Buffer
	Waiting(&out, "compiling")()
	if out.Len() > 0 {
		t.Errorf("what is no terminal got %q", &out)
	}
	stop := make(chan struct{})
	close(stop)
	count(&out, "compiling", stop)
	if out.String() != "\rcompiling ... 0 s" {
		t.Errorf("got %q", &out)
	}
}
