package protocol

import (
	"bytes"
	"fmt"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/tools/txtar"
)

// vectors calls test with each file of an archive and its .want.
func vectors(t *testing.T, name string, test func(in, want string) string) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + name)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, f := range txtar.Parse(b).Files {
		files[f.Name] = string(f.Data)
	}
	if len(files) == 0 {
		t.Fatal("the archive is empty")
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		if strings.HasSuffix(name, ".want") {
			continue
		}
		t.Run(name, func(t *testing.T) {
			want, ok := files[name+".want"]
			if !ok {
				t.Fatal("there is no .want")
			}
			if diff := cmp.Diff(strings.TrimSuffix(want, "\n"), test(files[name], want)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
		})
	}
}

// message splits what a vector says of a message. A client in another language can send
// anything in a header but a line feed, which vectors write as \r and \n.
func message(in string) (subject string, h Header, body []byte) {
	head, b, _ := strings.Cut(strings.TrimSuffix(in, "\n"), "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	for _, l := range lines[1:] {
		name, value, _ := strings.Cut(l, ": ")
		if h == nil {
			h = Header{}
		}
		h[name] = append(h[name], strings.NewReplacer(`\r`, "\r", `\n`, "\n").Replace(value))
	}
	return lines[0], h, []byte(b)
}

func TestRequestVectors(t *testing.T) {
	vectors(t, "requests.txtar", func(in, _ string) string {
		subject, h, body := message(in)
		r, err := ParseRequest(subject, h, body)
		if err != nil {
			return fmt.Sprintf("error %d: %v", CodeOf(err), err)
		}
		var out strings.Builder
		line := func(show bool, name string, value any) {
			if show {
				fmt.Fprintf(&out, "%s: %v\n", name, value)
			}
		}
		line(true, "function", r.Function)
		line(len(r.Args) > 0, "args", strings.Join(r.Args, " "))
		line(r.ID != "", "id", r.ID)
		line(r.Timeout != 0, "timeout", r.Timeout)
		line(r.Report, "report", r.Report)
		line(r.Stdout, "stdout", r.Stdout)
		line(r.DryRun, "dry run", r.DryRun)
		line(r.Hops > 0, "hops", r.Hops)
		if c := r.Claim; c != nil {
			line(true, "claim", fmt.Sprintf("%s %d %s", c.Object, c.Size, c.Digest))
		}
		line(true, "body", string(r.Body))
		return strings.TrimSuffix(out.String(), "\n")
	})
}

func TestReplyVectors(t *testing.T) {
	vectors(t, "replies.txtar", func(in, _ string) string {
		r := replyOf(t, in)
		h, body := r.Message()
		var out strings.Builder
		for _, k := range slices.Sorted(maps.Keys(h)) {
			fmt.Fprintf(&out, "%s: %s\n", k, h.Get(k))
		}
		back, err := ParseReply(h, body)
		if err != nil {
			t.Error(err)
		}
		if back.Exit != r.Exit || CodeOf(asErr(back.Err)) != CodeOf(asErr(r.Err)) || !bytes.Equal(back.Stdout, r.Stdout) ||
			(back.Report == nil) != (r.Report == nil) || (back.Claim == nil) != (r.Claim == nil) {
			t.Errorf("read back: %+v", back)
		}
		return out.String() + "\n" + string(body)
	})
}

// asErr keeps a nil *Error from becoming an error that is not nil.
func asErr(e *Error) error {
	if e == nil {
		return nil
	}
	return e
}

// replyOf reads a reply of the vectors.
func replyOf(t *testing.T, in string) *Reply {
	r := &Reply{}
	number := func(s string) int {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatal(err)
		}
		return n
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(in, "\n"), "\n") {
		key, value, _ := strings.Cut(l, ": ")
		part := strings.Fields(value)
		switch key {
		case "id":
			r.ID = value
		case "exit":
			r.Exit = number(value)
		case "error":
			r.Err = &Error{Code: number(part[0]), Msg: strings.TrimPrefix(value, part[0]+" ")}
		case "claim":
			r.Claim = &Claim{Object: part[0], Size: int64(number(part[1])), Digest: part[2]}
		case "report":
			ref, err := ParseRef(part[0])
			if err != nil {
				t.Fatal(err)
			}
			d, _ := time.ParseDuration(part[1])
			r.Report = &Report{Function: ref, Duration: d, Memory: uint64(number(part[2])), Start: part[3]}
			if len(part) > 4 {
				r.Report.Reads, r.Report.Writes = int64(number(part[4])), int64(number(part[5]))
			}
		case "stdout":
			r.Stdout = []byte(value)
		case "body":
			r.Body = bytes.TrimSpace([]byte(value))
		}
	}
	return r
}

func TestDestinationVectors(t *testing.T) {
	vectors(t, "destinations.txtar", func(in, _ string) string {
		lines := strings.Split(in, "\n")
		f := Function{Name: "f", Triggers: []Trigger{{Subject: lines[0], To: lines[1]}}}
		if err := f.Check(); err != nil {
			return fmt.Sprintf("error %d: %v", CodeOf(err), err)
		}
		to, err := f.Triggers[0].Destination(lines[2])
		if err != nil {
			return fmt.Sprintf("error %d: %v", CodeOf(err), err)
		}
		if _, ok := Match(f.Triggers[0].DestinationPattern(), to); !ok {
			t.Errorf("%s is none of %s", to, f.Triggers[0].DestinationPattern())
		}
		return to
	})
}
