package protocol

import (
	"bytes"
	"strconv"
	"strings"
)

// Bounds of what a body in chunks has besides its content. They are net/http's.
const (
	maxChunkLine   = 4096     // bytes of a line that has a chunk's size, and of all trailers
	maxChunkExcess = 16 << 10 // bytes, over 16 for each chunk and two for each byte of content
)

// dechunk returns what a body of chunks has (RFC 9112, section 7.1). Trailers are left out.
//
// It is no more lenient than net/http: what comes next may be another reader, and where two of them see another end of
// a message one hides a message from the other. So a line ends with CR LF only, and an extension, of which nothing is
// read, has no control characters.
func dechunk(b []byte) ([]byte, error) {
	var all []byte
	for excess := 0; ; {
		line, rest, n, ok := chunkLine(b)
		if excess = max(0, excess+line-16-2*n); !ok || excess > maxChunkExcess {
			return nil, badReplyHTTP(HTTPMessage, "its chunks are broken")
		}
		if n == 0 {
			return all, checkTrailers(rest)
		}
		if len(rest) < n+2 || string(rest[n:n+2]) != "\r\n" {
			return nil, badReplyHTTP(HTTPMessage, "its chunks are broken")
		}
		all, b = append(all, rest[:n]...), rest[n+2:]
	}
}

// chunkLine reads the line before a chunk of n bytes, and returns how long that is and what is behind it.
func chunkLine(b []byte) (length int, rest []byte, n int, ok bool) {
	line, rest, ok := strictLine(b)
	size, _, _ := strings.Cut(strings.TrimRight(line, " \t"), ";")
	of, err := strconv.ParseUint(size, 16, 31)
	return len(line) + len("\r\n"), rest, int(of), ok && err == nil && len(size) <= 16
}

// strictLine returns the first line of b, which is not long, ends with CR LF, and has no control characters.
func strictLine(b []byte) (line string, rest []byte, ok bool) {
	n := bytes.Index(b[:min(len(b), maxChunkLine)], []byte("\r\n"))
	if n < 0 {
		return "", nil, false
	}
	line = string(b[:n])
	return line, b[n+2:], !strings.ContainsFunc(line, isControl)
}

// checkTrailers checks what is behind the last chunk: headers, if any, and the end.
func checkTrailers(b []byte) error {
	for len(b) <= maxChunkLine {
		line, rest, ok := strictLine(b)
		if ok && line == "" && len(rest) == 0 {
			return nil
		}
		if !ok {
			break
		}
		if _, _, err := field(line); err != nil {
			break
		}
		b = rest
	}
	return badReplyHTTP(HTTPMessage, "behind its last chunk there is not only an empty line, or a few trailers and that")
}
