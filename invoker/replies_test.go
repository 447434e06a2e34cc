package invoker_test

import (
	"encoding/binary"
	"slices"
	"strconv"
	"testing"

	"github.com/nats-io/nats.go"

	"github.com/polyvoke/polyvoke/protocol"
)

// says is a module that writes a text of less than 64 bytes to stdout, and ends with an exit code.
func says(text string, exit int) []byte {
	section := func(id byte, body string) string { return string(id) + string(byte(len(body))) + body }
	name := func(s string) string { return string(byte(len(s))) + s }
	const wasi = "wasi_snapshot_preview1"
	code := "\x00\x41\x01\x41\x00\x41\x01\x41\x08\x10\x00\x1a" + // fd_write(1, 0, 1, 8)
		"\x41" + string([]byte{byte(exit&0x7f | 0x80), byte(exit >> 7)}) + "\x10\x01\x0b"
	data := string(binary.LittleEndian.AppendUint32([]byte{12, 0, 0, 0}, uint32(len(text)))) + "\x00\x00\x00\x00" + text
	return []byte("\x00asm\x01\x00\x00\x00" +
		section(1, "\x03\x60\x04\x7f\x7f\x7f\x7f\x01\x7f\x60\x01\x7f\x00\x60\x00\x00") +
		section(2, "\x02"+name(wasi)+name("fd_write")+"\x00\x00"+name(wasi)+name("proc_exit")+"\x00\x01") +
		section(3, "\x01\x02") + section(5, "\x01\x00\x01") +
		section(7, "\x02"+name("_start")+"\x00\x02"+name("memory")+"\x02\x00") +
		section(10, "\x01"+string(byte(len(code)))+code) +
		section(11, "\x01\x00\x41\x00\x0b"+string(byte(len(data)))+data))
}

// TestReplies checks that an exit code which the manifest lists is a reply: to the caller, to whom it is passed on,
// and in the figures. Any other is not.
func TestReplies(t *testing.T) {
	s := startServer(t)
	startInvoker(t, s)
	nc := connect(t, s)
	for _, c := range []struct {
		exit    int
		replies []int
		reply   bool
	}{
		{1, nil, false}, {1, []int{1}, true}, {2, []int{1}, false}, {20, []int{10, 20, 0}, true},
		{255, []int{255}, true}, {0, []int{1}, true}, {65, []int{1}, false},
	} {
		name := "f" + strconv.Itoa(c.exit) + strconv.Itoa(len(c.replies))
		done := listen(t, nc, "done."+name)
		deploy(t, nc, protocol.Function{Name: name, Replies: c.replies,
			Triggers: []protocol.Trigger{{Subject: "go." + name, To: "done." + name}}}, says("none", c.exit))
		for _, header := range [][]string{nil, {"Fn-Report", "1"}} {
			r := call(t, nc, "fn."+name, nil, header...)
			if r.Exit != c.exit || (r.Err == nil) != c.reply || c.reply && string(r.Body) != "none" {
				t.Errorf("exit %d, replies %d: got %q, exit %d, error %v", c.exit, c.replies, r.Body, r.Exit, r.Err)
			}
			if plain := c.exit == 0 && header == nil; plain != (len(r.Header) == 0) {
				t.Errorf("exit %d: the reply has the headers %v", c.exit, r.Header)
			}
		}
		call(t, nc, "go."+name, nil)
		if !c.reply {
			call(t, nc, "go."+name, nil) // what was passed on would be there before its answer
			if n, _, _ := done.Pending(); n != 0 {
				t.Errorf("exit %d, replies %d: it is passed on", c.exit, c.replies)
			}
			continue
		}
		m := next(t, done)
		want := nats.Header{}
		if c.exit != 0 {
			want[protocol.HeaderExit] = []string{strconv.Itoa(c.exit)}
		}
		if string(m.Data) != "none" || !slices.Equal(m.Header[protocol.HeaderExit], want[protocol.HeaderExit]) {
			t.Errorf("exit %d: passed on is %q with %v", c.exit, m.Data, m.Header)
		}
		if n := statsOf(t, nc, name, 1)[0].Endpoints[0].NumErrors; n != 0 {
			t.Errorf("exit %d: %d errors are counted", c.exit, n)
		}
	}
}
