package protocol

import (
	"bytes"
	"strconv"
	"strings"
)

// Bounds of the block of headers that a function writes.
const (
	MaxReplyBlock   = 64 << 10 // bytes
	MaxReplyHeaders = 128      // lines
)

// HTTPReply is an answer of HTTP, as a function has written it.
type HTTPReply struct {
	Status int                 // 200 to 599
	Header map[string][]string // by canonical names; nil: none
	Body   []byte              // it shares memory with the output
	Length int64               // of the body, if the function says so and writes none, as for HEAD; -1: it does not
}

// ReplyHTTP reads the output of a function: a body (HTTPBody or empty), a block of headers and a body as in CGI
// (HTTPCGI), or a whole message (HTTPMessage).
//
// Headers that mean something on the way only are left out: those that say where the message ends, hop-by-hop headers,
// Fn-* and Nats-*.
//
// # Errors
//
// The code is 502 for output that is not of its form, and the text says what is wrong with which line. Nothing in it is
// guessed: a line without a colon, a control character, a name that is no token, a second Status or Location, or a
// body of another length than its header says could be an attack upon whoever reads the answer next.
func ReplyHTTP(form string, output []byte) (HTTPReply, error) {
	switch form {
	case HTTPCGI:
		reply, n, err := ParseCGI(output)
		reply.Body = output[n:]
		return reply, err
	case HTTPMessage:
		return parseMessage(output)
	}
	reply := HTTPReply{Status: 200, Body: output, Length: -1}
	if len(output) == 0 {
		reply.Status = 204
	}
	return reply, nil
}

// Incomplete returns the error, with code 502, for an answer that has no body and says that it has one, to a request
// that is not HEAD.
func (r *HTTPReply) Incomplete() error {
	return badReplyHTTP(HTTPMessage, "its body has %d bytes, and its Content-Length says %d", len(r.Body), r.Length)
}

// badReplyHTTP is the error for output that is not of its form.
func badReplyHTTP(form, format string, a ...any) error {
	e := Errorf(CodeBadOutput, "", format, a...)
	e.Msg = "the function's output is no answer of the form " + form + ": " + e.Msg
	return e
}

// BlockEnd returns the length of the block of headers that output begins with, the empty line included, or 0 if its end
// is not there yet. The error's code is 502 for a block that is too long, with or without an end.
func BlockEnd(output []byte) (int, error) {
	seen := output[:min(len(output), MaxReplyBlock)]
	for at := 0; ; {
		next := bytes.IndexByte(seen[at:], '\n')
		if next < 0 {
			break
		}
		line := seen[at : at+next]
		if at += next + 1; len(line) == 0 || len(line) == 1 && line[0] == '\r' {
			return at, nil
		}
	}
	if len(output) >= MaxReplyBlock {
		return 0, badReplyHTTP(HTTPCGI, "its headers have more than %d bytes", MaxReplyBlock)
	}
	return 0, nil
}

// ParseCGI reads the block of headers that output begins with, up to the first empty line (RFC 3875, section 6), and
// returns its length. At least one of Content-Type, Location and Status must be there. A Location without a Status is
// that of 302: it goes to the client, also if it is a path. The error's code is 502.
func ParseCGI(output []byte) (reply HTTPReply, n int, err error) {
	reply = HTTPReply{Length: -1}
	if n, err = BlockEnd(output); err != nil {
		return reply, 0, err
	}
	if n == 0 {
		return reply, 0, badReplyHTTP(HTTPCGI, "no empty line ends its headers: write \"Content-Type: text/plain\", an "+
			"empty line, and then the body")
	}
	b := replyBlock{form: HTTPCGI, reply: &reply}
	if err := b.read(output[:n], 1); err != nil {
		return reply, 0, err
	}
	status, location := b.status, reply.Header["Location"] != nil
	switch {
	case status == 0 && location:
		reply.Status = 302
	case status != 0:
		reply.Status = status
	case reply.Header["Content-Type"] != nil:
		reply.Status = 200
	default:
		return reply, 0, badReplyHTTP(HTTPCGI, "it has neither Content-Type nor Location nor Status")
	}
	return reply, n, nil
}

// replyBlock is a block of headers that is being read.
type replyBlock struct {
	form    string
	reply   *HTTPReply
	status  int    // that of a Status; 0: none
	length  string // of Content-Length
	chunked bool
	old     bool // of HTTP/1.0, which has no chunks
}

// read reads the lines of a block, whose first one has a number.
func (b *replyBlock) read(block []byte, first int) error {
	for number := first; len(block) > 0; number++ {
		line, rest, _ := bytes.Cut(block, []byte("\n"))
		block = rest
		if line = bytes.TrimSuffix(line, []byte("\r")); len(line) == 0 {
			return nil
		}
		if number > MaxReplyHeaders {
			return badReplyHTTP(b.form, "it has more than %d headers", MaxReplyHeaders)
		}
		if err := b.line(string(line)); err != nil {
			return badReplyHTTP(b.form, "line %d, %.60q, %w", number, line, err)
		}
	}
	return nil
}

// field reads one line: a header's canonical name, and its value.
func field(line string) (name, value string, err error) {
	name, value, colon := strings.Cut(line, ":")
	value = strings.Trim(value, " \t")
	switch {
	case !colon:
		return "", "", Errorf(CodeBadOutput, "", "has no colon")
	case !isToken(name):
		return "", "", Errorf(CodeBadOutput, "", "has no name that a header can have")
	case strings.ContainsFunc(value, isControl):
		return "", "", Errorf(CodeBadOutput, "", "has a control character")
	}
	return canonicalName(name), value, nil
}

// line reads one line.
func (b *replyBlock) line(line string) error {
	name, value, err := field(line)
	if err != nil {
		return err
	}
	switch name {
	case "Status":
		return b.setStatus(value)
	case "Content-Length":
		return b.setLength(value)
	case "Transfer-Encoding": // whose letters are those of ASCII: EqualFold takes the sign of the kelvin for a k
		if canonicalName(value) != "Chunked" || b.chunked {
			return Errorf(CodeBadOutput, "", "is no encoding that is known: chunked, once, is")
		}
		b.chunked = true
		return nil
	}
	if HopByHop(name) || OwnHeader(name) {
		return nil
	}
	if b.reply.Header == nil {
		b.reply.Header = map[string][]string{}
	}
	if single := name == "Content-Type" || name == "Location"; single && b.reply.Header[name] != nil {
		return Errorf(CodeBadOutput, "", "is a second %s", name)
	}
	if name == "Location" && value == "" {
		return Errorf(CodeBadOutput, "", "leads nowhere")
	}
	b.reply.Header[name] = append(b.reply.Header[name], value)
	return nil
}

// setLength reads the value of a Content-Length. That of CGI means nothing.
func (b *replyBlock) setLength(value string) error {
	switch {
	case b.length != "" && b.length != value:
		return Errorf(CodeBadOutput, "", "is a second length")
	case value == "" && b.form == HTTPMessage:
		return Errorf(CodeBadOutput, "", "is no length")
	}
	b.length = value
	return nil
}

// setStatus reads the value of a Status, such as "404 Not Found".
func (b *replyBlock) setStatus(value string) error {
	if b.form != HTTPCGI {
		return nil // it means nothing there
	}
	if b.status != 0 {
		return Errorf(CodeBadOutput, "", "is a second Status")
	}
	var err error
	b.status, err = parseStatus(value, 200)
	return err
}

// parseStatus reads three digits, which are at least so many, and maybe a reason behind them.
func parseStatus(s string, least uint64) (int, error) {
	digits, _, _ := strings.Cut(s, " ")
	n, err := strconv.ParseUint(digits, 10, 16)
	if err != nil || len(digits) != 3 || n < least || n > 599 {
		return 0, Errorf(CodeBadOutput, "", "has no status of 200 to 599")
	}
	return int(n), nil
}

// isToken reports whether s can be the name of a header (RFC 9110, section 5.6.2).
func isToken(s string) bool {
	for i := range len(s) {
		c := s[i]
		letter := 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9'
		if !letter && strings.IndexByte("!#$%&'*+-.^_`|~", c) < 0 {
			return false
		}
	}
	return s != ""
}

// isControl reports whether no value of a header can have a character.
func isControl(r rune) bool { return r < ' ' && r != '\t' || r == 0x7f }

// canonicalName returns a header's name as net/http writes it: Content-Type.
func canonicalName(s string) string {
	b, upper := []byte(s), true
	for i, c := range b {
		switch {
		case upper && 'a' <= c && c <= 'z':
			b[i] = c - 'a' + 'A'
		case !upper && 'A' <= c && c <= 'Z':
			b[i] = c - 'A' + 'a'
		}
		upper = c == '-'
	}
	return string(b)
}

// maxInterim is how many answers of status 1xx may come before the one that counts.
const maxInterim = 8

// parseMessage reads a whole answer of HTTP/1.1 or 1.0 (RFC 9112).
func parseMessage(output []byte) (HTTPReply, error) {
	for range maxInterim {
		reply := HTTPReply{Length: -1}
		n, err := BlockEnd(output)
		if err != nil || n == 0 {
			if err == nil {
				err = badReplyHTTP(HTTPMessage, "no empty line ends its headers")
			}
			return reply, err
		}
		first, rest, _ := bytes.Cut(output[:n], []byte("\n"))
		status, err := statusLine(string(bytes.TrimSuffix(first, []byte("\r"))))
		if err != nil {
			return reply, err
		}
		output = output[n:]
		b := replyBlock{form: HTTPMessage, reply: &reply, old: bytes.HasPrefix(first, []byte("HTTP/1.0"))}
		if err := b.read(rest, 2); err != nil {
			return reply, err
		}
		if status >= 200 {
			reply.Status = status
			return reply, b.body(output)
		}
	}
	return HTTPReply{}, badReplyHTTP(HTTPMessage, "it has more than %d answers of status 1xx", maxInterim)
}

// statusLine reads the first line of an answer. The status may be 100 to 199 too, but for 101, which would hand the
// connection over.
func statusLine(line string) (int, error) {
	version, rest, _ := strings.Cut(line, " ")
	status, err := parseStatus(rest, 100)
	if version != "HTTP/1.1" && version != "HTTP/1.0" || err != nil || status == 101 ||
		strings.ContainsFunc(line, isControl) {
		return 0, badReplyHTTP(HTTPMessage, "it begins with %.40q, which is no line such as \"HTTP/1.1 200 OK\"", line)
	}
	return status, nil
}

// body takes over the body of a message, whose headers have been read.
func (b *replyBlock) body(output []byte) error {
	b.reply.Body = output
	switch {
	case b.chunked && b.length != "":
		return badReplyHTTP(b.form, "it has both Content-Length and Transfer-Encoding")
	case b.chunked && b.old:
		return badReplyHTTP(b.form, "it is of HTTP/1.0, and has a Transfer-Encoding: that is of 1.1")
	case b.chunked:
		body, err := dechunk(output)
		b.reply.Body = body
		return err
	case b.length == "":
		return nil
	}
	n, err := strconv.ParseUint(b.length, 10, 62)
	switch {
	case err != nil:
		return badReplyHTTP(b.form, "Content-Length %.20q is no number", b.length)
	case len(output) == 0: // as for HEAD, or 304
		b.reply.Length = int64(n)
	case uint64(len(output)) != n:
		return badReplyHTTP(b.form, "its body has %d bytes, and its Content-Length says %d", len(output), n)
	}
	return nil
}
