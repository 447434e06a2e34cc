package main

import (
	"bytes"
	"io"
	"strings"
	"testing"
)

func TestBytesText(t *testing.T) {
	for n, want := range map[int64]string{
		0: "0 B", 999: "999 B", 1000: "1.0 KB", 1449: "1.4 KB", 14_300: "14 KB", 999_499: "999 KB", 999_500: "1.0 MB",
		3_288_259: "3.3 MB", 1 << 30: "1.1 GB", 5e12: "5000 GB",
	} {
		if got := bytesText(n); got != want {
			t.Errorf("bytesText(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestTable(t *testing.T) {
	var b bytes.Buffer
	table(&b, false, []string{"NAME", " SIZE", "WHAT"}, [][]string{{"a", "1", "ä"}, {"long", "1000000", ""}})
	want := "NAME     SIZE  WHAT\na           1  ä\nlong  1000000\n"
	if b.String() != want {
		t.Errorf("got\n%s\nwant\n%s", b.String(), want)
	}
}

func TestProgress(t *testing.T) {
	var b bytes.Buffer
	p := &progress{r: strings.NewReader(strings.Repeat("x", 4000)), w: &b, what: "uploading", total: 4000, shown: -1}
	if n, err := io.CopyBuffer(struct{ io.Writer }{io.Discard}, struct{ io.Reader }{p}, make([]byte, 1000)); n != 4000 || err != nil {
		t.Fatalf("read %d bytes, %v", n, err)
	}
	if out := b.String(); strings.Count(out, "\r") != 4 || !strings.HasSuffix(out, "uploading [#########################] 100% of 4.0 KB\n") {
		t.Errorf("printed %q", out)
	}
}

func TestGlimpse(t *testing.T) {
	for in, want := range map[string]string{
		"":                        "(empty)",
		"{\"a\": 1}\n":            `{"a": 1}`,
		"two\nlines":              "two lines",
		"\x89PNG\r\n":             "(6 B)",
		"a\x00b":                  "(3 B)",
		strings.Repeat("ä", 1000): strings.Repeat("ä", 33) + "...",
	} {
		if got := glimpse([]byte(in)); got != want {
			t.Errorf("glimpse(%.20q) = %q, want %q", in, got, want)
		}
	}
}
