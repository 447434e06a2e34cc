package protocol

import (
	"iter"
	"strings"
	"time"
)

// Files are what the process sees below /request/ (section 5 of the specification): id, subject, deadline (RFC 3339
// with nanoseconds, UTC) and headers/NAME, one file a header with its values line by line. Header names are in lower
// case; one that cannot be a file's name is left out.
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
	}
	header, ok := strings.CutPrefix(name, headersFolder)
	if !ok || !isFileName(header) || header != strings.ToLower(header) {
		return nil, false
	}
	values := f.r.Header.Values(header)
	return []byte(strings.Join(values, "\n")), values != nil
}

// Names returns the names of all files, and of the folder of headers, which has a slash at its end.
func (f Files) Names() iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, name := range []string{"deadline", headersFolder, "id", "subject"} {
			if !yield(name) {
				return
			}
		}
		for name := range f.r.Header {
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
