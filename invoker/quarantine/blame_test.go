package quarantine

import (
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

// TestBlame tells stories of processes that ended, one after the other within a short time, and which modules are in
// quarantine then.
func TestBlame(t *testing.T) {
	// An entry is a letter for the module, with ? if it was a suspect and no call of it had ended.
	type death struct {
		how crash
		ran string
	}
	killed, crashed := crash{}, crash{reason: "fatal error: oops", raised: true}
	named := func(module string) crash { return crash{reason: "panic: boom", raised: true, module: module} }
	for _, c := range []struct {
		what   string
		deaths []death
		guilty string
	}{
		{"nothing ran", []death{{crashed, ""}, {killed, ""}}, ""},
		{"it is named", []death{{named("a"), "a"}}, "a"},
		{"it is named among others", []death{{named("b"), "a b c"}}, "b"},
		{"it is named, though no call of it ran", []death{{named("a"), "b"}}, "a"},
		{"named after others", []death{{named("a"), "a b"}, {named("b"), "b c"}}, "a b"},
		{"kills", []death{{killed, "a"}, {killed, "a?"}, {killed, "a?"}, {killed, "a? b"}}, ""},
		{"a crash while it ran", []death{{crashed, "a"}}, ""},
		{"a crash while it ran alone, again", []death{{crashed, "a"}, {crashed, "a?"}}, "a"},
		{"a call has ended meanwhile", []death{{crashed, "a"}, {crashed, "a"}, {crashed, "a"}}, ""},
		{"a kill, then a crash", []death{{killed, "a b"}, {crashed, "a?"}}, "a"},
		{"always beside others", []death{{crashed, "a b"}, {crashed, "a? b"}, {crashed, "a? c"}, {crashed, "a? b?"}}, ""},
		{"a kill of one in quarantine", []death{{named("a"), "a"}, {killed, "a"}}, "a"},
		{"modules without a slot", []death{{crashed, overflow.String()}, {crashed, "a? " + overflow.String()}}, ""},
	} {
		s := suspects{}
		for _, d := range c.deaths {
			var ran []entry
			for _, word := range strings.Fields(d.ran) {
				name, suspect := strings.CutSuffix(word, "?")
				ran = append(ran, entry{name, suspect})
			}
			s.judge(d.how, ran, noon)
		}
		var got []string
		for d, it := range s {
			if it.barred(noon) {
				got = append(got, d)
			}
		}
		slices.Sort(got)
		if strings.Join(got, " ") != c.guilty {
			t.Errorf("%s: %q are in quarantine, want %q", c.what, got, c.guilty)
		}
	}
}

// TestReadCrash reads what Go writes.
func TestReadCrash(t *testing.T) {
	digest := protocol.Digest([]byte("bad"))
	running := "\n\ngoroutine 7 gp=0x1 m=2 [running labels:{\"module\": \"" + digest + "\"}]:\nmain.f()\n"
	other := "\n\ngoroutine 8 gp=0x1 m=nil [select labels:{\"module\": \"" + digest + "\"}]:\nmain.f()\n"
	own := "\n\ngoroutine 1 gp=0x1 m=2 [running]:\nmain.f()\n"
	for _, c := range []struct {
		what, text string
		want       crash
	}{
		{"kill -9", "", crash{}},
		{"a panic", "panic: boom" + running + other, crash{"panic: boom", digest, true}},
		{"a panic of the invoker's own", "panic: boom" + own + other, crash{"panic: boom", "", true}},
		{"a panic that lies", "panic: a\n\t" + strings.TrimPrefix(running, "\n\n") + own, crash{"panic: a", "", true}},
		{"a fault", "fatal error: fault\n[signal SIGSEGV: x code=0x1 addr=0x2 pc=0x3]" + running,
			crash{"fatal error: fault", digest, true}},
		{"a signal of the kernel", "SIGSEGV: segmentation violation\nPC=0x1 m=0 sigcode=1 addr=0x2" + running,
			crash{"SIGSEGV: segmentation violation", digest, true}},
		{"kill -SEGV", "SIGSEGV: segmentation violation\nPC=0x1 m=0 sigcode=0" + running,
			crash{"SIGSEGV: segmentation violation", "", false}},
		{"kill -QUIT to a thread", "SIGQUIT: quit\nPC=0x1 m=0 sigcode=-6" + running, crash{"SIGQUIT: quit", "", false}},
		{"out of memory", "fatal error: runtime: cannot allocate memory" + running,
			crash{"fatal error: runtime: cannot allocate memory", "", true}},
		{"memory, in another way",
			"runtime: out of memory: cannot allocate 4194304-byte block\nfatal error: out of memory" + running,
			crash{"runtime: out of memory: cannot allocate 4194304-byte block", "", true}},
		{"out of threads",
			"runtime: failed to create new OS thread (have 5 already; errno=11)\nfatal error: newosproc" + running,
			crash{"runtime: failed to create new OS thread (have 5 already; errno=11)", "", true}},
		{"cut off", "panic: boom\n\ngoroutine 7 [running labels:{\"module\": \"" + digest[:20],
			crash{"panic: boom", "", true}},
	} {
		if diff := cmp.Diff(c.want, readCrash([]byte(c.text)), cmp.AllowUnexported(crash{})); diff != "" {
			t.Errorf("%s: %s", c.what, diff)
		}
	}
}

func TestSuspectsFile(t *testing.T) {
	dir := t.TempDir()
	s := suspects{}
	s.judge(crash{}, []entry{{digest: "a"}, {digest: "b"}}, noon)
	s.judge(crash{reason: "panic: \x1b[31m", module: "b", raised: true}, nil, noon.Add(time.Minute))
	if err := s.write(dir); err != nil {
		t.Fatal(err)
	}
	got, err := readSuspects(dir)
	if diff := cmp.Diff(s, got); diff != "" || err != nil {
		t.Error(diff, err)
	}
	it := got["b"]
	err = it.refusal()
	if protocol.CodeOf(err) != protocol.CodeRefused || strings.Contains(err.Error(), "\x1b") ||
		!strings.Contains(err.Error(), "until 2026-11-22T13:01:00Z: it crashed the invoker's process (panic: ") {
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
	got["c"] = suspect{Time: noon}
	if got.expire(noon.Add(-time.Minute)); len(got) > 0 {
		t.Error("one from the future stays")
	}
}

// TestSuspectsFileDamaged flips each bit of the file, and cuts it at each byte: it is never read as something else.
func TestSuspectsFileDamaged(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, suspectsFile)
	want := suspects{"a": {Time: noon, Reason: "it crashed"}}
	if err := want.write(dir); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	check := func(what string, at int, b []byte) {
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		s, err := readSuspects(dir)
		// A letter of a key in the other case is the same key to Go's decoder.
		if s == nil || err == nil && !cmp.Equal(s, want) ||
			err != nil && (len(s) > 0 || !strings.Contains(err.Error(), path)) {
			t.Errorf("%s at %d: %v, %v", what, at, s, err)
		}
	}
	for at := range whole {
		for bit := range 8 {
			b := slices.Clone(whole)
			b[at] ^= 1 << bit
			check("a bit", at, b)
		}
		check("a cut", at, whole[:at])
	}
}
