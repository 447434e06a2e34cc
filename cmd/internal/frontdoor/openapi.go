package frontdoor

import (
	"cmp"
	"encoding/json"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// API describes what a server answers, as a document of OpenAPI 3.1 (spec.openapis.org/oas/v3.1.1): the routes of
// functions, and those that are always there. It is an http.Handler, which answers with the document in JSON.
type API struct {
	Version   string                      // polyvoke's own
	Auth      string                      // of routes that do not say; one of protocol's Auth words
	Functions func() []*protocol.Function // the latest versions, in any order
}

// node is an object of the document.
type node = map[string]any

// ServeHTTP implements http.Handler.
func (a *API) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		refuse(w, http.StatusMethodNotAllowed, "use GET")
		return
	}
	b, err := json.Marshal(a.document())
	if err != nil {
		refuse(w, http.StatusInternalServerError, "the document cannot be made: "+err.Error())
		return
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.Header().Set("Cache-Control", "no-cache")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	_, _ = w.Write(b)
}

// document returns the whole document.
func (a *API) document() node {
	d := document{api: a, paths: node{}, ids: map[string]bool{}}
	functions := a.Functions()
	slices.SortFunc(functions, func(x, y *protocol.Function) int { return cmp.Compare(x.Name, y.Name) })
	for _, f := range functions {
		d.function(f)
	}
	d.own()
	return node{
		"openapi": "3.1.0",
		"info": node{"title": "Functions", "version": cmp.Or(a.Version, "0.0.0"),
			"description": "What polyvoke answers here. A path's last part may stand for several, where x-polyvoke-greedy is true."},
		"servers": []node{{"url": "/"}},
		"paths":   d.paths,
		"components": node{
			"schemas":   node{"Problem": problemSchema},
			"responses": node{"Problem": problemResponse},
			"securitySchemes": node{
				protocol.AuthKey: node{"type": "http", "scheme": "bearer", "description": "a key of polyvoke key"},
				protocol.AuthJWT: node{"type": "http", "scheme": "bearer", "bearerFormat": "JWT"},
			},
		},
	}
}

// problemSchema is the body of an error (RFC 9457).
var problemSchema = node{
	"type": "object", "required": []string{"title", "status"},
	"properties": node{
		"type":     node{"type": "string", "format": "uri-reference"},
		"title":    node{"type": "string"},
		"status":   node{"type": "integer", "minimum": 400, "maximum": 599},
		"detail":   node{"type": "string"},
		"instance": node{"type": "string", "format": "uri-reference"},
		"function": node{"type": "string"},
		"exit":     node{"type": "integer", "description": "the function's exit code"},
		"stderr":   node{"type": "string"},
	},
}

// problemResponse is the answer of an error. A client that accepts text only gets that.
var problemResponse = node{
	"description": "an error, see docs/errors.md",
	"content": node{
		"application/problem+json": node{"schema": node{"$ref": "#/components/schemas/Problem"}},
		"text/plain":               node{},
	},
}

// document is a document while it is made.
type document struct {
	api   *API
	paths node
	ids   map[string]bool
}

// anyMethod are the methods of a route that does not say one. HEAD is part of GET, and OPTIONS is the server's affair.
var anyMethod = []string{"get", "post", "put", "patch", "delete"}

// function adds the routes of a function.
func (d *document) function(f *protocol.Function) {
	d.add(operation{path: "/fn/" + f.Name, methods: anyMethod, function: f.Name, auth: d.api.Auth,
		summary: "Call " + f.Name})
	for _, r := range f.HTTP {
		o := parsePattern(r.Route)
		o.function, o.auth, o.kind = f.Name, cmp.Or(r.Auth, d.api.Auth), r.Type
		o.summary, o.streams = "Call "+f.Name, r.Stream
		d.add(o)
	}
	for _, r := range f.WebSocket {
		o := parsePattern("GET " + r.Route)
		o.function, o.auth, o.socket = f.Name, cmp.Or(r.Auth, d.api.Auth), true
		o.summary = "Connect to " + f.Name
		d.add(o)
	}
}

// operation is what one path means, by one or more methods.
type operation struct {
	path, host      string
	methods         []string // in lower case
	params          []string // their names, in the path's order
	greedy          bool     // the last one takes the rest of the path
	function        string
	auth            string
	kind            string // content type of a success; empty: not known
	summary         string
	streams, socket bool
}

// parsePattern reads a pattern of net/http's ServeMux, which has been checked, as OpenAPI writes paths.
func parsePattern(p string) operation {
	o := operation{methods: anyMethod}
	if method, rest, ok := strings.Cut(p, " "); ok {
		o.methods, p = []string{strings.ToLower(method)}, strings.TrimSpace(rest)
	}
	slash := strings.IndexByte(p, '/')
	if slash < 0 {
		slash = len(p)
	}
	o.host = p[:slash]
	var path strings.Builder
	for rest := p[slash:]; rest != ""; {
		before, inside, ok := strings.Cut(rest, "{")
		path.WriteString(before)
		if !ok {
			break
		}
		name, after, _ := strings.Cut(inside, "}")
		rest = after
		if name == "$" {
			break
		}
		name, o.greedy = strings.CutSuffix(name, "...")
		o.params = append(o.params, name)
		path.WriteString("{" + name + "}")
	}
	o.path = path.String()
	return o
}

// add adds an operation. A path that is there already, for another host, keeps what it has.
func (d *document) add(o operation) {
	item, _ := d.paths[o.path].(node)
	if item == nil {
		item = node{}
		d.paths[o.path] = item
	}
	for _, m := range o.methods {
		if item[m] == nil && describable(m) {
			item[m] = d.describe(o, m)
		}
	}
}

// describable reports whether OpenAPI 3.1 has a method.
func describable(method string) bool {
	return slices.Contains(anyMethod, method) || method == "head" || method == "options" || method == "trace"
}

// describe returns what the document says of an operation.
func (d *document) describe(o operation, method string) node {
	success := node{"description": "what the function has written"}
	if o.kind != "" {
		success["content"] = node{o.kind: node{}}
	} else {
		success["content"] = node{"*/*": node{}}
	}
	responses := node{"200": success, "204": node{"description": "nothing has been written"},
		"default": node{"$ref": "#/components/responses/Problem"}}
	if o.socket {
		responses = node{"101": node{"description": "the connection speaks WebSocket now"},
			"default": node{"$ref": "#/components/responses/Problem"}}
	}
	n := node{"operationId": d.id(method, o.path), "summary": o.summary, "responses": responses}
	if o.function != "" {
		n["tags"] = []string{o.function}
	}
	if p := parameters(o); len(p) > 0 {
		n["parameters"] = p
	}
	if slices.Contains([]string{"post", "put", "patch"}, method) {
		n["requestBody"] = node{"description": "what the function reads", "content": node{"*/*": node{}}}
	}
	if o.host != "" {
		n["servers"] = []node{{"url": "//" + o.host}}
	}
	if o.streams {
		n["x-polyvoke-stream"] = true
	}
	if o.auth == protocol.AuthKey || o.auth == protocol.AuthJWT {
		n["security"] = []node{{o.auth: []string{}}}
	}
	return n
}

// parameters describes what a path has in braces.
func parameters(o operation) (all []node) {
	for i, name := range o.params {
		p := node{"name": name, "in": "path", "required": true, "schema": node{"type": "string", "minLength": 1}}
		if o.greedy && i == len(o.params)-1 {
			p["x-polyvoke-greedy"] = true
		}
		all = append(all, p)
	}
	return all
}

// id returns a name for an operation that no other one has: generators of clients make a function's name of it.
func (d *document) id(method, path string) string {
	name := method + strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9' {
			return r
		}
		return '_'
	}, path)
	for base, i := name, 2; d.ids[name]; i++ {
		name = base + "_" + strconv.Itoa(i)
	}
	d.ids[name] = true
	return name
}

// own adds the routes that are always there.
func (d *document) own() {
	problem := node{"$ref": "#/components/responses/Problem"}
	object := node{"application/json": node{"schema": node{"type": "object"}}}
	add := func(method, path string, n node) {
		n["operationId"] = d.id(method, path)
		if d.paths[path] == nil {
			d.paths[path] = node{}
		}
		d.paths[path].(node)[method] = n
	}
	secure := func(n node) node {
		if d.api.Auth == protocol.AuthKey || d.api.Auth == protocol.AuthJWT {
			n["security"] = []node{{d.api.Auth: []string{}}}
		}
		return n
	}
	param := func(name string) []node {
		return []node{{"name": name, "in": "path", "required": true, "schema": node{"type": "string", "minLength": 1}}}
	}
	add("post", "/job/{function}", secure(node{"summary": "Call a function durably", "parameters": append(param("function"),
		node{"name": "Idempotency-Key", "in": "header", "description": "the job's id; with the same one it is the same job",
			"schema": node{"type": "string"}}),
		"requestBody": node{"content": node{"*/*": node{}}},
		"responses": node{"202": node{"description": "accepted", "content": object,
			"headers": node{"Location": node{"schema": node{"type": "string"}}}}, "default": problem}}))
	add("get", "/job/{id}", secure(node{"summary": "What has become of a durable call", "parameters": param("id"),
		"responses": node{"200": node{"description": "what the function has written", "content": node{"*/*": node{}}},
			"202": node{"description": "it has not ended yet", "content": object},
			"204": node{"description": "nothing has been written"}, "default": problem}}))
	text := node{"text/plain": node{"schema": node{"type": "string"}}}
	add("get", pathHealth, node{"summary": "Whether the process lives", "responses": node{
		"200": node{"description": "it does", "content": text}}})
	add("get", pathReady, node{"summary": "Whether functions can be called", "responses": node{
		"200": node{"description": "they can", "content": text},
		"503": node{"description": "why not", "content": text}}})
	add("get", pathOpenAPI, node{"summary": "This document", "responses": node{
		"200": node{"description": "it", "content": object}}})
}
