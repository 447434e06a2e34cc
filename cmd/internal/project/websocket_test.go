package project

import (
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// socketProblems are routes of WebSockets that cannot be, and what a line of them is refused with.
var socketProblems = []struct{ keys, want string }{
	{`route = "chat"`, `websocket 1: route = "chat" has no path`},
	{`route = "GET /chat"`, `websocket 1: route = "GET /chat" has a blank: write the path alone`},
	{`route = "/fn/chat"`, `websocket 1: route = "/fn/chat": paths below /fn are the gateway's own`},
	{"route = \"/a\"\n[[websocket]]\nroute = \"/a\"", `websocket 2: route = "/a" takes requests of websocket 1, "/a"`},
	{"route = \"/a\"\n[[http]]\nroute = \"GET /a\"", `websocket 1: route = "/a" takes requests of http 1, "GET /a"`},
	{"route = \"/{x}\"\ntopics = [\"chat.{y}\"]", `websocket 1: topic "chat.{y}": the route has no {y}`},
	{"route = \"/{x}\"\ntopics = [\"{x}.chat\"]", `websocket 1: topic "{x}.chat" begins with what the client chooses`},
	{"route = \"/{x}\"\ntopics = [\"chat.a{x}\"]", `websocket 1: topic "chat.a{x}": token "a{x}" must be {name}`},
	{"route = \"/a\"\ntopics = [\"chat.*\"]", `websocket 1: topic "chat.*": token 2 is empty, or has a blank`},
	{"route = \"/a\"\ntopics = [\"chat.>\"]", `websocket 1: topic "chat.>": token 2`},
	{"route = \"/a\"\ntopics = [\"ws.gw.1\"]", `websocket 1: subject "ws.gw.1" takes messages that polyvoke needs itself`},
	{"route = \"/a\"\ntopics = [\"$SYS.x\"]", `websocket 1: subject "$SYS.x" belongs to the NATS server`},
	{"route = \"/a\"\ntopics = [\"\"]", `websocket 1: topic "": token 1 is empty`},
	{"route = \"/a\"\norigins = [\"example.org\"]", `websocket 1: origins: "example.org" is not an origin`},
	{"route = \"/a\"\nheaders = [\"a b\"]", `websocket 1: headers: "a b" is not the name of a header`},
	{"route = \"/a\"\nprotocols = [\"a b\"]", `websocket 1: protocols: "a b" is not a token of HTTP`},
	{"route = \"/a\"\nevents = [\"ping\"]", `websocket 1: events: "ping" is not one of open, message, close`},
	{"route = \"/a\"\nauth = \"basic\"", `websocket 1: auth = "basic": use "none", "key", "jwt" or "function NAME"`},
	{"route = \"/a\"\nrate = \"fast\"", `websocket 1: rate = "fast": write a number and a time`},
	{`topics = ["a"]`, `websocket[0].route: it is missing`},
}

// Each wrong key and value of [[websocket]] is refused with its line, its key and what to do.
func TestWebSocketProblems(t *testing.T) {
	for _, test := range socketProblems {
		text := "module = \"a.wasm\"\n[[websocket]]\n" + test.keys + "\n"
		_, err := ParseManifest("f.toml", "", text)
		found := err != nil && slices.ContainsFunc(strings.Split(err.Error(), "\n"), func(l string) bool {
			at, rest, _ := strings.Cut(strings.TrimPrefix(l, "f.toml:"), ": ")
			return at != "" && strings.HasPrefix(rest, test.want)
		})
		if protocol.CodeOf(err) != protocol.CodeRefused || !found {
			t.Errorf("%q: error\n%v\nwant a line with\n%s", text, err, test.want)
		}
	}
}
