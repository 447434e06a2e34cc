package protocol

import (
	"iter"
	"strings"
	"time"
)

// Files are what the process sees below /request/ (section 5 of the specification): id, subject, deadline (RFC 3339
// with nanoseconds, UTC) and headers/NAME, one file a header with its values line by line. Header names are in lower
// case; one that cannot be a file's name is left out. A request of HTTP has method, path, query, route, client, and
// params/NAME besides (section 14).
type Files struct {
	r  *Request
	id func() string
}

// Files returns the files of the request, by their content. Nothing is made before it is asked for; id is called then,
// once or more.
func (r *Request) Files(id func() string) Files { return Files{r, id} }

// headersFolder is the folder of the headers, which is there even if there are none.
const headersFolder = "headers/"

// Content returns what is in a file, or false if there is no such file.
func (f Files) Content(name string) ([]byte, bool) {
	switch name {
	case "id":
		return []byte(f.id()), true
	case "subject":
		return []byte(f.r.Subject), true
	case "deadline":
		return f.r.Deadline.UTC().AppendFormat(nil, time.RFC3339Nano), true
	case "method", "path", "query", "route", "client":
		return f.http(name)
	}
	if param, ok := strings.CutPrefix(name, paramsFolder); ok {
		values := f.r.Header[HeaderParam+param]
		return []byte(unescaped(strings.Join(values, "\n"))), values != nil && f.isHTTP()
	}
	header, ok := strings.CutPrefix(name, headersFolder)
	if !ok || !isFileName(header) || header != strings.ToLower(header) {
		return nil, false
	}
	values := f.r.Header.Values(header)
	return []byte(strings.Join(values, "\n")), values != nil
}

// paramsFolder is the folder of what the wildcards of a route stand for.
const paramsFolder = "params/"

// isHTTP reports whether the request came by HTTP.
func (f Files) isHTTP() bool { return len(f.r.Header) > 0 && f.r.Header.Get(HeaderHTTP) != "" }

// http returns what is in a file that requests of HTTP have.
func (f Files) http(name string) ([]byte, bool) {
	if !f.isHTTP() {
		return nil, false
	}
	header := map[string]string{"method": HeaderMethod, "path": HeaderPath, "query": HeaderQuery, "route": HeaderRoute,
		"client": HeaderClient}[name]
	return []byte(f.r.Header.Get(header)), true
}

// Names returns the names of all files, and of the folders that can be empty, which have a slash at their end.
func (f Files) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range []string{"deadline", headersFolder, "id", "subject"} {
			if !yield(name) {
				return
			}
		}
		if f.isHTTP() {
			for _, name := range []string{"client", "method", paramsFolder, "path", "query", "route"} {
				if !yield(name) {
					return
				}
			}
		}
		for name := range f.r.Header {
			if param, ok := strings.CutPrefix(name, HeaderParam); ok && f.isHTTP() && isFileName(param) &&
				!yield(paramsFolder+param) {
				return
			}
			if isFileName(name) && !yield(headersFolder+strings.ToLower(name)) {
				return
			}
		}
	}
}

// isFileName reports whether a file can have a name that is not empty.
func isFileName(name string) bool {
	return name != "." && name != ".." && !strings.ContainsAny(name, "/\\:\x00")
}
