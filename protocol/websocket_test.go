package protocol

import (
	"slices"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestSocketCodes(t *testing.T) {
	for code, want := range map[int]int{400: 1011, 403: 1008, 404: 1011, 413: 1009, 429: 1013, 500: 1011, 502: 1011,
		503: 1013, 504: 1011, 507: 1011} {
		if got := SocketCode(code); got != want || !SocketCodeSent(got) {
			t.Errorf("%d becomes %d, want %d", code, got, want)
		}
	}
	for _, code := range []int{0, 999, 1004, 1005, 1006, 1015, 2999, 5000} {
		if SocketCodeSent(code) {
			t.Errorf("%d can be sent", code)
		}
	}
}

// What a path has becomes one token of a topic, or an error.
func TestTopicsOf(t *testing.T) {
	r := WebSocketRoute{Topics: []string{"chat.{room}", "all", "chat.{room}"}}
	for value, want := range map[string]string{"red": "all chat.red", "é": "all chat.é", "a/b": "all chat.a/b",
		"{room}": "all chat.{room}", "": "", "a.b": "", "*": "", ">": "", "a>": "", "a b": "", "a\tb": "", "a\r\nPUB x": "",
		"\x00": "", "\x7f": "", "\xff": "", strings.Repeat("a", 128): "all chat." + strings.Repeat("a", 128),
		strings.Repeat("a", 129): ""} {
		got, err := r.TopicsOf(func(string) string { return value })
		if strings.Join(got, " ") != want || (err == nil) != (want != "") || err != nil && CodeOf(err) != CodeBadRequest {
			t.Errorf("%q gives %q, %v; want %q", value, got, err, want)
		}
	}
}

func FuzzTopicsOf(f *testing.F) {
	for _, seed := range []string{"red", "a.b", "*", ">", "\r\n", "fn", "$SYS", "_INBOX"} {
		f.Add("chat.{room}.x", seed)
	}
	f.Fuzz(func(t *testing.T, topic, value string) {
		if checkTopicForm(topic, []string{"room"}) != nil {
			return
		}
		r := WebSocketRoute{Topics: []string{topic}}
		got, err := r.TopicsOf(func(string) string { return value })
		if err != nil {
			return
		}
		pattern := strings.ReplaceAll(topic, "{room}", "*")
		if _, ok := Match(pattern, got[0]); !ok || CheckTopic(got[0]) != nil || strings.ContainsAny(got[0], "\r\n ") {
			t.Errorf("%q with %q is %q", topic, value, got[0])
		}
	})
}

func FuzzParsePush(f *testing.F) {
	f.Add("Fn-Ws-Subscribe", "chat.red", []byte("x"))
	f.Add("fn-ws-close", "1000", []byte("bye"))
	f.Add("Fn-Ws", "binary", []byte("\xff"))
	f.Fuzz(func(t *testing.T, name, value string, body []byte) {
		p, err := ParsePush(Header{name: {value}, strings.ToUpper(name): {value}}, body)
		if err != nil {
			if code := CodeOf(err); code != 400 && code != 403 && code != CodeHeaders {
				t.Errorf("code %d: %v", code, err)
			}
			return
		}
		for _, topic := range p.Subscribe {
			if err := CheckTopic(topic); err != nil {
				t.Error(err)
			}
		}
		if p.Close != 0 && (!SocketCodeSent(p.Close) || len(p.Body) > MaxSocketReason || !utf8.Valid(p.Body)) {
			t.Errorf("it ends with %d %q", p.Close, p.Body)
		}
		if !slices.Contains([]string{"", SocketText, SocketBinary}, p.Kind) {
			t.Errorf("the kind is %q", p.Kind)
		}
	})
}
