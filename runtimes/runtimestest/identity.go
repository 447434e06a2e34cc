package runtimestest

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// argvCases are about the arguments that a process finds.
func argvCases() []testCase {
	return []testCase{
		{"argv/exact", func(t *testing.T, s *suite) {
			args := []string{"args", "", "two words", " ", "ünïcode 世界 🎈", "--flag=x", "a\nb",
				`"quoted" 'twice'`, "*", "$HOME", `\`, ""}
			p := process(args...)
			want := "probe\x00" + strings.Join(args, "\x00") + "\x00"
			wantText(t, "argv", s.output(t, p), want)
		}},
		{"argv/many", func(t *testing.T, s *suite) {
			p := process("args")
			for i := range 1000 {
				p.Args = append(p.Args, strconv.Itoa(i))
			}
			wantText(t, "argv", s.output(t, p), strings.Join(p.Args, "\x00")+"\x00")
		}},
		{"argv/changed from run to run", func(t *testing.T, s *suite) {
			for i := range 5 {
				n := strconv.Itoa(i)
				wantText(t, "argv", s.output(t, process("args", n)), "probe\x00args\x00"+n+"\x00")
			}
		}},
		{"argv/with a NUL byte", func(t *testing.T, s *suite) {
			if err := s.run(t, process("args", "a\x00b")); err == nil {
				t.Error("the process has run")
			}
			s.echoWorks(t)
		}},
	}
}

// envCases are about the environment that a process finds.
func envCases() []testCase {
	return []testCase{
		{"env/not inherited", func(t *testing.T, s *suite) {
			t.Setenv("RUNTIMESTEST_SECRET", "of the host")
			wantText(t, "environment", s.output(t, process("env")), "")
		}},
		{"env/exact", func(t *testing.T, s *suite) {
			env := []string{"B=2", "A=1", "EMPTY=", "EQUALS=a=b=c", "SPACE= x y ", "lower=ü世界🎈", "LINE=a\nb"}
			p := process("env")
			p.Env = env
			wantText(t, "environment", s.output(t, p), strings.Join(env, "\x00")+"\x00")
		}},
		{"env/changed from run to run", func(t *testing.T, s *suite) {
			for i := range 5 {
				p := process("env")
				p.Env = []string{"N=" + strconv.Itoa(i)}
				wantText(t, "environment", s.output(t, p), p.Env[0]+"\x00")
			}
		}},
		{"env/name twice", func(t *testing.T, s *suite) {
			p := process("env")
			p.Env = []string{"A=1", "A=2"}
			wantText(t, "environment", s.output(t, p), "A=2\x00")
		}},
		{"env/with a NUL byte", func(t *testing.T, s *suite) {
			p := process("env")
			p.Env = []string{"A=x\x00y"}
			if err := s.run(t, p); err == nil {
				t.Error("the process has run")
			}
			s.echoWorks(t)
		}},
		{"env/chooses the mode", func(t *testing.T, s *suite) {
			p := process()
			p.Env = []string{"PROBE=hush"}
			wantText(t, "stdout", s.output(t, p), "ok")
		}},
	}
}

// hostCases are about what a process learns of the machine it runs on.
func hostCases() []testCase {
	return []testCase{
		{"clocks", clocks},
		{"entropy", entropy},
	}
}

// clocks checks that a process sees the time of day, and a clock that does not go back.
func clocks(t *testing.T, s *suite) {
	before := time.Now().UnixNano()
	f := strings.Fields(s.output(t, process("clocks")))
	after := time.Now().UnixNano()
	if len(f) != 3 {
		t.Fatalf("got %q", f)
	}
	var n [3]int64
	for i := range f {
		v, err := strconv.ParseInt(f[i], 10, 64)
		if err != nil {
			t.Fatal(err)
		}
		n[i] = v
	}
	if slack := time.Millisecond.Nanoseconds(); n[0] < before-slack || n[0] > after+slack {
		t.Errorf("the wall clock says %d, between %d and %d", n[0], before, after)
	}
	if n[2] < n[1] {
		t.Errorf("the monotonic clock went back from %d to %d", n[1], n[2])
	}
}

// entropy checks that random bytes do not come twice.
func entropy(t *testing.T, s *suite) {
	seen := map[string]bool{}
	for range 20 {
		b := s.output(t, process("entropy"))
		if len(b) != 32 || seen[b] {
			t.Fatalf("entropy %x came twice or is not 32 bytes", b)
		}
		seen[b] = true
	}
}
