package project

import (
	"slices"
	"strings"
	"testing"

	"github.com/polyvoke/polyvoke/protocol"
)

// httpProblems are routes that cannot be, line by line, and what their last line is refused with.
var httpProblems = []struct{ keys, want string }{
	{`route = "orders"`, `http 1: route = "orders" has no path`},
	{`route = "get /a"`, `http 1: route = "get /a" begins with no method`},
	{`route = "/a//b"`, `http 1: route = "/a//b" has a segment ""`},
	{`route = "/{x}/{x}"`, `http 1: route = "/{x}/{x}" has two wildcards {x}`},
	{`route = "/{a...}/b"`, `http 1: route = "/{a...}/b" has {a...} before its end`},
	{`route = "/fn/a"`, `http 1: route = "/fn/a": paths below /fn are the gateway's own`},
	{`route = "/_/"`, `http 1: route = "/_/": paths below /_ are the gateway's own`},
	{`route = 5`, `http[0].route must be a string, not a number`},
	{"route = \"/a\"\n[[http]]\nroute = \"/a\"", `http 2: route = "/a" takes requests of route 1`},
	{"route = \"/a\"\nrequest = \"fcgi\"", `http[0].request = "fcgi": did you mean cgi?`},
	{"route = \"/a\"\nreply = \"json\"", `http[0].reply = "json": use one of body, cgi, http`},
	{"route = \"/a\"\nreply = \"cgi\"\ntype = \"a/b\"", `http 1: type is that of a body`},
	{"route = \"/a\"\ntype = \"json\"", `http 1: type = "json": write a media type`},
	{"route = \"/a\"\ntype = \"a/b\\nX: y\"", `http 1: type = "a/b\nX: y": write a media type`},
	{"route = \"/a\"\nidle = \"1s\"", `http 1: idle is the longest pause of a stream`},
	{"route = \"/a\"\nstream = true\nidle = \"1h\"", `http 1: idle must be more than zero`},
	{"route = \"/a\"\nreply = \"http\"\nstream = true", `http 1: a whole message is no stream`},
	{"route = \"/a\"\nheaders = [\"a b\"]", `http 1: headers: "a b" is not the name of a header`},
	{"route = \"/a\"\nauth = \"basic\"", `http 1: auth = "basic": use "none", "key", "jwt" or "function NAME"`},
	{"route = \"/a\"\nrate = \"fast\"", `http 1: rate = "fast": write a number and a time`},
	{"route = \"/a\"\ncors = { origins = [] }", `http 1: cors.origins is empty`},
	{"route = \"/a\"\ncors = { origins = [\"example.org\"] }", `http 1: cors.origins: "example.org" is not an origin`},
	{"route = \"/a\"\ncors = { origins = [\"https://a.example/\"] }", `http 1: cors.origins: "https://a.example/" is not`},
	{"route = \"/a\"\ncors = { origins = [\"*\"], credentials = true }", `http 1: cors.credentials with the origin "*"`},
	{"route = \"/a\"\ncors = { origins = [\"*\"], max_age = \"48h\" }", `http 1: cors.max_age must be more than zero`},
	{"route = \"/a\"\n[[websocket]]\nroute = \"/fn/a\"", `websocket 1: route = "/fn/a": paths below /fn are the gateway's own`},
	{"route = \"/a/{x}/b\"\n[[websocket]]\nroute = \"/a/b/{y}\"", `websocket 1: route = "/a/b/{y}" takes requests of http 1`},
	{"route = \"/a\"\ntimeout = \"1s\"", "unknown key http[0].timeout: timeout stands in [job] or [limits]"},
}

// Each wrong key and value of [[http]] is refused with its line, its key and what to do.
func TestHTTPProblems(t *testing.T) {
	for _, test := range httpProblems {
		text := "module = \"a.wasm\"\n[[http]]\n" + test.keys + "\n"
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
