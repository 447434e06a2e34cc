package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/polyvoke/polyvoke/protocol"
)

// noon is a time.
var noon = time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)

// TestBlame tells stories of processes that died, one after the other within a short time, and who is guilty then.
func TestBlame(t *testing.T) {
	// An entry is a letter for the module, + if calls of it had ended, and ~ if it was only being loaded.
	type death struct {
		how ending
		ran string
	}
	for _, c := range []struct {
		what   string
		deaths []death
		guilty string
	}{
		{"nothing ran", []death{{crashed, ""}, {memory, ""}, {killed, ""}}, ""},
		{"a crash in the first call", []death{{crashed, "a"}}, "a"},
		{"a crash while it was loaded", []death{{crashed, "a~"}}, "a"},
		{"a crash in a later call", []death{{crashed, "a+"}}, ""},
		{"two crashes in later calls", []death{{crashed, "a+"}, {crashed, "a+"}}, "a"},
		{"crashes in later calls of two", []death{{crashed, "a+"}, {crashed, "b+"}}, ""},
		{"a crash among others", []death{{crashed, "a b c+"}}, ""},
		{"a crash among others that had worked", []death{{crashed, "a b+ c+"}}, "a"},
		{"among others, then alone", []death{{crashed, "a b c"}, {crashed, "b c+"}}, "b"},
		{"among others that have worked since", []death{{crashed, "a+ b+"}, {crashed, "a b+"}}, "a"},
		{"always among others", []death{{crashed, "a b"}, {crashed, "a b"}, {crashed, "a b"}}, "a b"},
		{"two may be guilty", []death{{crashed, "a"}, {crashed, "b"}}, "a b"},
		{"for want of memory", []death{{memory, "a+"}}, ""},
		{"for want of memory again", []death{{memory, "a+"}, {memory, "a"}}, "a"},
		{"for want of memory and by a crash", []death{{memory, "a+"}, {crashed, "a+"}}, "a"},
		{"a kill", []death{{killed, "a"}}, ""},
		{"two kills in first calls", []death{{killed, "a"}, {killed, "a"}}, "a"},
		{"two kills in later calls", []death{{killed, "a+"}, {killed, "a+"}, {killed, "a+"}, {killed, "a+"}}, ""},
		{"kills that clear", []death{{killed, "a"}, {killed, "a+"}, {killed, "a"}}, ""},
		{"kills among others", []death{{killed, "a b"}, {killed, "a b"}}, ""},
		{"kills while it was loaded", []death{{killed, "a~"}, {killed, "a~"}, {killed, "a~"}}, ""},
		{"a kill and a crash", []death{{killed, "a"}, {crashed, "a+"}}, "a"},
	} {
		s := suspects{}
		for _, d := range c.deaths {
			var all []entry
			for _, word := range strings.Fields(d.ran) {
				loading := strings.Contains(word, "~")
				all = append(all, entry{digest: word[:1], running: !loading, loading: loading, worked: strings.Contains(word, "+")})
			}
			s.charge(d.how, d.how.suspects(all, s), noon)
		}
		var got []string
		for d, it := range s {
			if it.barred(noon) {
				got = append(got, d)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.guilty {
			t.Errorf("%s: %q are guilty, want %q", c.what, got, c.guilty)
		}
	}
}

func TestEnding(t *testing.T) {
	began := circumstances{Boot: "x", Killed: 7}
	for _, c := range []struct {
		what     string
		now      circumstances
		stopping bool
		crash    string
		want     ending
	}{
		{"kill -9", began, false, "", killed},
		{"the machine went down", circumstances{"y", 0}, false, "", inOrder},
		{"somebody did not want to wait", began, true, "", inOrder},
		{"no memory", circumstances{"x", 8}, false, "", memory},
		{"a panic", began, false, "panic: boom\n", crashed},
		{"a panic at the end", began, true, "panic: boom\n", crashed},
		{"kill -QUIT", began, false, "SIGQUIT: quit\nPC=0x1", inOrder},
	} {
		r := record{circumstances: began, stopping: c.stopping}
		if got := r.ending(c.now, []byte(c.crash)); got != c.want {
			t.Errorf("%s: the process %v, want: %v", c.what, got, c.want)
		}
	}
}

func TestSuspectsFile(t *testing.T) {
	dir := t.TempDir()
	s := suspects{}
	s.charge(crashed, []entry{{digest: "a", running: true}, {digest: "b", running: true}}, noon)
	s.charge(crashed, []entry{{digest: "b", running: true}}, noon.Add(time.Minute))
	if err := s.write(dir); err != nil {
		t.Fatal(err)
	}
	got := readSuspects(dir)
	if diff := cmp.Diff(s, got); diff != "" {
		t.Error(diff)
	}
	it := got["b"]
	err := it.refusal()
	if protocol.CodeOf(err) != protocol.CodeRefused || !strings.Contains(err.Error(), "until 2026-11-22T13:01:00Z: it was running when the invoker's process crashed; to have it tried at once, deploy it again") {
		t.Errorf("the refusal is %v", err)
	}
	for _, at := range []struct {
		now  time.Time
		left int
	}{{noon.Add(59 * time.Minute), 2}, {noon.Add(time.Hour), 1}, {noon.Add(61 * time.Minute), 0}} {
		got.expire(at.now)
		if len(got) != at.left {
			t.Errorf("at %v there are %v", at.now, got)
		}
	}
	if err := got.write(dir); err != nil {
		t.Fatal(err)
	}
	if files, err := os.ReadDir(dir); err != nil || len(files) > 0 {
		t.Errorf("with no suspects there are %v, %v", files, err)
	}
	got["c"] = suspect{Points: 1, Time: noon}
	if got.expire(noon.Add(-time.Minute)); len(got) > 0 {
		t.Error("one from the future stays")
	}
	for _, broken := range []string{"", "null", "[]", "{", `{"a":1}`} {
		if err := os.WriteFile(filepath.Join(dir, suspectsFile), []byte(broken), 0o600); err != nil {
			t.Fatal(err)
		}
		if s := readSuspects(dir); s == nil || len(s) > 0 {
			t.Errorf("%q gives %v", broken, s)
		}
	}
}

func TestEndingInWords(t *testing.T) {
	if got := fmt.Sprint(inOrder, crashed, memory, killed); got != "ended in order crashed was killed, probably for want of memory was killed" {
		t.Error(got)
	}
}
