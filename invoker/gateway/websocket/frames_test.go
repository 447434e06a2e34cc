package websocket

import (
	"bufio"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// frame is a frame as a client sends it, well-formed or not.
type frame struct {
	op     byte   // 0 continuation, 1 text, 2 binary, 8 close, 9 ping, 10 pong
	flags  byte   // instead of FIN alone, see the constants; 0: FIN
	body   string // unmasked
	length int    // how the length is written: 0 as short as possible, or 16 or 64 bits
	claim  uint64 // a length that is not that of body
	bare   bool   // not masked
	cut    int    // only so many bytes of it are sent
}

// Flags of a frame's first byte.
const (
	fin   = 0x80
	rsv1  = 0x40
	rsv2  = 0x20
	rsv3  = 0x10
	noFin = 0x01 // no flag at all
)

// bytes returns the frame on the wire.
func (f frame) bytes() []byte {
	flags := f.flags
	switch flags {
	case 0:
		flags = fin
	case noFin:
		flags = 0
	}
	b := []byte{flags | f.op}
	mask, n := byte(0x80), uint64(len(f.body))
	if f.bare {
		mask = 0
	}
	if f.claim > 0 {
		n = f.claim
	}
	switch {
	case f.length == 64 || n > 0xffff:
		b = binary.BigEndian.AppendUint64(append(b, mask|127), n)
	case f.length == 16 || n > 125:
		b = binary.BigEndian.AppendUint16(append(b, mask|126), uint16(n))
	default:
		b = append(b, mask|byte(n))
	}
	key := []byte{0x12, 0x34, 0x56, 0x78}
	if f.bare {
		key = make([]byte, 4)
	} else {
		b = append(b, key...)
	}
	for i := range len(f.body) {
		b = append(b, f.body[i]^key[i%4])
	}
	if f.cut > 0 {
		b = b[:f.cut]
	}
	return b
}

// code returns the body of a close frame.
func code(n int, reason string) string {
	return string(binary.BigEndian.AppendUint16(nil, uint16(n))) + reason
}

// TestFrames sends raw frames to an echo, in the manner of the cases of Autobahn's test suite, whose numbers are given,
// and looks at every frame that comes back.
func TestFrames(t *testing.T) {
	text := func(s string) frame { return frame{op: 1, body: s} }
	bye := frame{op: 8, body: code(1000, "")}
	const closed = "close 1000 "
	type row struct {
		about string
		send  []frame
		want  []string // frames as read has them; the last one of a close is compared up to its length
	}
	rows := []row{
		{"1.1.1 empty text calls, and nothing comes of it", []frame{text(""), bye}, []string{closed}},
		{"1.2 binary", []frame{{op: 2, body: "\x00\xfe\xff"}, bye}, []string{"binary \x00\xfe\xff", closed}},
		{"a length in 16 bits that needs none", []frame{{op: 1, body: "a", length: 16}, bye}, []string{"text a", closed}},
		{"a length in 64 bits that needs none", []frame{{op: 1, body: "a", length: 64}, bye}, []string{"text a", closed}},
		{"a length over the limit", []frame{{op: 2, claim: protocol.MaxSocketMessage + 1}}, []string{"close 1009"}},
		{"a length of 63 bits", []frame{{op: 2, length: 64, claim: 1<<63 - 1}}, []string{"close 1009"}},
		{"a length of 64 bits", []frame{{op: 2, length: 64, claim: 1 << 63}}, []string{"close 1009"}},
		{"fragments over the limit", []frame{{op: 2, flags: noFin, body: strings.Repeat("a", 600_000)},
			{body: strings.Repeat("a", 600_000)}}, []string{"close 1009"}},
		{"2.1 ping", []frame{{op: 9}, bye}, []string{"pong ", closed}},
		{"2.3 ping with bytes", []frame{{op: 9, body: "\x00\xff"}, bye}, []string{"pong \x00\xff", closed}},
		{"2.4 ping with 125 bytes", []frame{{op: 9, body: strings.Repeat("p", 125)}, bye},
			[]string{"pong " + strings.Repeat("p", 125), closed}},
		{"2.5 ping with 126 bytes", []frame{{op: 9, body: strings.Repeat("p", 126)}}, []string{"close 1002"}},
		{"2.7 pongs that nobody asked for", []frame{{op: 10, body: "x"}, {op: 10}, bye}, []string{closed}},
		{"2.10 ten pings", []frame{{op: 9, body: "0"}, {op: 9, body: "1"}, {op: 9, body: "2"}, {op: 9, body: "3"}, bye},
			[]string{"pong 0", "pong 1", "pong 2", "pong 3", closed}},
		{"3.1 RSV1", []frame{{op: 1, flags: fin | rsv1, body: "a"}}, []string{"close 1002"}},
		{"3.2 RSV2", []frame{{op: 1, flags: fin | rsv2, body: "a"}}, []string{"close 1002"}},
		{"3.4 RSV3 of a ping", []frame{{op: 9, flags: fin | rsv3}}, []string{"close 1002"}},
		{"3.7 all of a close", []frame{{op: 8, flags: fin | rsv1 | rsv2 | rsv3}}, []string{"close 1002"}},
		{"5.1 a ping in fragments", []frame{{op: 9, flags: noFin, body: "a"}, {body: "b"}}, []string{"close 1002"}},
		{"5.2 a pong in fragments", []frame{{op: 10, flags: noFin, body: "a"}, {body: "b"}}, []string{"close 1002"}},
		{"a close in fragments", []frame{{op: 8, flags: noFin, body: code(1000, "")}}, []string{"close 1002"}},
		{"5.3 text in fragments", []frame{{op: 1, flags: noFin, body: "a"}, {body: "b"}, bye}, []string{"text ab", closed}},
		{"5.6 a ping between fragments", []frame{{op: 1, flags: noFin, body: "a"}, {op: 9, body: "p"}, {body: "b"}, bye},
			[]string{"pong p", "text ab", closed}},
		{"5.9 a continuation of nothing", []frame{{body: "a"}}, []string{"close 1002"}},
		{"5.11 an unfinished one of nothing", []frame{{flags: noFin, body: "a"}}, []string{"close 1002"}},
		{"5.15 a continuation of what is whole", []frame{{op: 1, flags: noFin, body: "a"}, {body: "b"},
			{flags: noFin, body: "c"}}, []string{"close 1002"}},
		{"5.18 text between fragments", []frame{{op: 1, flags: noFin, body: "a"}, text("b")}, []string{"close 1002"}},
		{"5.19 many fragments and pings", []frame{{op: 2, flags: noFin, body: "a"}, {flags: noFin}, {op: 9, body: "1"},
			{flags: noFin, body: "b"}, {op: 9, body: "2"}, {body: "c"}, bye},
			[]string{"pong 1", "pong 2", "binary abc", closed}},
		{"6.2 UTF-8", []frame{text("Hello-µ@ßöäüàá-UTF-8!!"), bye}, []string{"text Hello-µ@ßöäüàá-UTF-8!!", closed}},
		{"6.2.3 UTF-8 that fragments cut", []frame{{op: 1, flags: noFin, body: "\xce"}, {body: "\xba"}, bye},
			[]string{"text κ", closed}},
		{"6.3 no UTF-8", []frame{text("\xce\xba\xed\xa0\x80edited")}, []string{"close 1007"}},
		{"6.4 no UTF-8 in the last fragment", []frame{{op: 1, flags: noFin, body: "a"}, {body: "\xf4\x90\x80\x80"}},
			[]string{"close 1007"}},
		{"6.6 an unfinished character", []frame{text("\xce")}, []string{"close 1007"}},
		{"6.10 overlong", []frame{text("\xc0\xaf")}, []string{"close 1007"}},
		{"6.12 a surrogate", []frame{text("\xed\xbf\xbf")}, []string{"close 1007"}},
		{"6.20 a noncharacter", []frame{text("\uffff"), bye}, []string{"text \uffff", closed}},
		{"6 no UTF-8 is good in binary", []frame{{op: 2, body: "\xce"}, bye}, []string{"binary \xce", closed}},
		{"7.1 close", []frame{text("a"), bye}, []string{"text a", closed}},
		{"7.1.3 a ping after close", []frame{bye, {op: 9, body: "x"}}, []string{closed}},
		{"7.1.4 text after close", []frame{bye, text("x")}, []string{closed}},
		{"7.3.1 close without a body", []frame{{op: 8}}, []string{"close "}},
		{"7.3.4 close with a reason", []frame{{op: 8, body: code(1000, "why")}}, []string{closed}},
		{"7.3.5 with the longest one", []frame{{op: 8, body: code(1000, strings.Repeat("r", 123))}}, []string{closed}},
		{"7.3.6 with a longer one", []frame{{op: 8, body: code(1000, strings.Repeat("r", 124))}}, []string{"close 1002"}},
		{"7.5 with a reason that is no UTF-8", []frame{{op: 8, body: code(1000, "\xce")}}, []string{"close 1002"}},
		{"bad opcode 3", []frame{{op: 3}}, []string{"close 1002"}},
		{"bad opcode 7", []frame{{op: 7, body: "x"}}, []string{"close 1002"}},
		{"bad opcode 11", []frame{{op: 11}}, []string{"close 1002"}},
		{"bad opcode 15", []frame{{op: 15, body: "x"}}, []string{"close 1002"}},
		{"not masked", []frame{{op: 1, body: "a", bare: true}}, []string{"close 1002"}},
		{"a close that is not masked", []frame{{op: 8, bare: true}}, []string{"close 1002"}},
		{"cut in the header", []frame{{op: 1, body: "abc", cut: 1}}, nil},
		{"cut in the length", []frame{{op: 1, body: strings.Repeat("a", 200), cut: 3}}, nil},
		{"cut in the body", []frame{{op: 1, body: "abc", cut: 8}}, nil},
		{"cut between fragments", []frame{{op: 1, flags: noFin, body: "abc"}}, nil},
	}
	for _, n := range []int{1, 124, 125, 126, 127, 128, 65535, 65536, protocol.MaxSocketMessage} {
		s := strings.Repeat("*", n)
		rows = append(rows, row{fmt.Sprint("1.1 text of ", n), []frame{text(s), bye}, []string{"text " + s, closed}})
	}
	for _, n := range []int{1000, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999} {
		rows = append(rows, row{fmt.Sprint("7.7 close ", n), []frame{{op: 8, body: code(n, "")}},
			[]string{fmt.Sprint("close ", n, " ")}})
	}
	for _, n := range []int{0, 999, 1004, 1005, 1006, 1016, 1100, 2000, 2999, 5000, 65535} {
		rows = append(rows, row{fmt.Sprint("7.9 close ", n), []frame{{op: 8, body: code(n, "")}}, []string{"close 1002"}})
	}
	h := serve(t, echo, protocol.WebSocketRoute{}, func(c *Config) { c.Ping = time.Hour }) // pings would come between
	for _, tt := range rows {
		t.Run(tt.about, func(t *testing.T) {
			for _, chop := range []bool{false, true} {
				if chop && len(tt.send) > 0 && len(tt.send[0].body) > 1000 {
					continue // byte by byte takes too long
				}
				got := h.raw(t, tt.send, chop)
				if len(got) != len(tt.want) {
					t.Fatalf("got %.200q, want %.200q", got, tt.want)
				}
				for i, want := range tt.want {
					if !strings.HasPrefix(got[i], want) || got[i] != want && !strings.HasPrefix(want, "close 1") {
						t.Errorf("frame %d is %.80q, want %.80q", i, got[i], want)
					}
				}
			}
		})
	}
}

// raw connects, sends frames, byte by byte if chop says so, and returns what comes back until the end.
func (h *harness) raw(t *testing.T, send []frame, chop bool) (got []string) {
	t.Helper()
	nc, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer nc.Close()
	_ = nc.SetDeadline(time.Now().Add(patience))
	handshake(t, nc, "/ws")
	r := bufio.NewReader(nc)
	resp, err := http.ReadResponse(r, nil)
	if err != nil || resp.StatusCode != 101 || resp.Header.Get("Sec-Websocket-Extensions") != "" {
		t.Fatalf("handshake: %v, %v", resp, err)
	}
	go func() {
		for _, f := range send {
			b := f.bytes()
			if !chop {
				_, _ = nc.Write(b)
				continue
			}
			for i := range b {
				_, _ = nc.Write(b[i : i+1])
			}
		}
		_ = nc.(*net.TCPConn).CloseWrite()
	}()
	for {
		f, err := readFrame(r)
		if errors.Is(err, io.EOF) {
			return got
		}
		if err != nil {
			return append(got, err.Error())
		}
		got = append(got, f)
	}
}

// readFrame reads a frame as a server must send it: whole, unmasked, with the shortest length.
func readFrame(r io.Reader) (string, error) {
	head := make([]byte, 2)
	if _, err := io.ReadFull(r, head); err != nil {
		return "", err
	}
	n, extra := uint64(head[1]), 0
	switch n {
	case 126:
		extra = 2
	case 127:
		extra = 8
	}
	if extra > 0 {
		b := make([]byte, 8)
		if _, err := io.ReadFull(r, b[8-extra:]); err != nil {
			return "", err
		}
		n = binary.BigEndian.Uint64(b)
		if n < 126 || extra == 8 && n <= 0xffff {
			return "", fmt.Errorf("the length %d is written in %d bytes", n, extra)
		}
	}
	body := make([]byte, n)
	if _, err := io.ReadFull(r, body); err != nil {
		return "", fmt.Errorf("a frame is cut: %v", err)
	}
	name, ok := map[byte]string{0x81: "text ", 0x82: "binary ", 0x88: "close ", 0x89: "ping ", 0x8a: "pong "}[head[0]]
	switch {
	case !ok || head[1]&0x80 != 0:
		return "", fmt.Errorf("the frame begins with %x", head)
	case name == "close " && len(body) >= 2:
		return fmt.Sprint(name, binary.BigEndian.Uint16(body), " ", string(body[2:])), nil
	}
	return name + string(body), nil
}

// FuzzFrames sends arbitrary bytes to a connection: it ends, whatever they are, and the next one works.
func FuzzFrames(f *testing.F) {
	for _, seed := range []frame{{op: 1, body: "a"}, {op: 8, body: code(1000, "x")}, {op: 9, body: "p"},
		{op: 2, flags: noFin, body: "a"}, {op: 2, length: 64, claim: 1 << 63}} {
		f.Add(seed.bytes())
	}
	h := serve(f, echo, protocol.WebSocketRoute{})
	f.Fuzz(func(t *testing.T, b []byte) {
		nc, err := net.Dial("tcp", strings.TrimPrefix(h.http.URL, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer nc.Close()
		_ = nc.SetDeadline(time.Now().Add(patience))
		handshake(t, nc, "/ws")
		r := bufio.NewReader(nc)
		if _, err := http.ReadResponse(r, nil); err != nil {
			t.Fatal(err)
		}
		go func() {
			_, _ = nc.Write(b)
			_ = nc.(*net.TCPConn).CloseWrite()
		}()
		for {
			if _, err := readFrame(r); err != nil {
				var slow net.Error
				if errors.As(err, &slow) && slow.Timeout() {
					t.Fatal("the connection does not end")
				}
				return
			}
		}
	})
}
