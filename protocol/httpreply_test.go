package protocol

import (
	"bufio"
	"bytes"
	"io"
	"net/http"
	"net/textproto"
	"strings"
	"testing"
)

// replyCases are outputs of functions, and what becomes of them.
var replyCases = []struct {
	about, form, output string
	status              int // 0: refused with 502
	header, body        string
}{
	{"a body", HTTPBody, "hello", 200, "", "hello"},
	{"nothing", HTTPBody, "", 204, "", ""},
	{"a type", HTTPCGI, "Content-Type: text/plain\n\nhello", 200, "Content-Type: text/plain\r\n", "hello"},
	{"CR LF", HTTPCGI, "content-type:text/plain\r\n\r\na\r\n\r\nb", 200, "Content-Type: text/plain\r\n", "a\r\n\r\nb"},
	{"a status", HTTPCGI, "Status: 404 Not Found\nX: 1\n\n", 404, "X: 1\r\n", ""},
	{"a status without a reason", HTTPCGI, "Status: 201\n\nx", 201, "", "x"},
	{"a location", HTTPCGI, "Location: https://example.org/\n\n", 302, "Location: https://example.org/\r\n", ""},
	{"a local location", HTTPCGI, "Location: /here\n\n", 302, "Location: /here\r\n", ""},
	{"a location with a status", HTTPCGI, "Location: /here\nStatus: 307\n\n", 307, "Location: /here\r\n", ""},
	{"cookies", HTTPCGI, "Status: 200\nSet-Cookie: a\nset-cookie: b\n\n", 200, "Set-Cookie: a\r\nSet-Cookie: b\r\n", ""},
	{"hop by hop", HTTPCGI, "Status: 200\nConnection: close\nTransfer-Encoding: chunked\nContent-Length: 5\nUpgrade: x\n" +
		"Fn-Id: x\nNATS-Service-Error: x\nKeep-Alive: 1\nTrailer: x\nTE: x\nProxy-Authenticate: x\n\nhello", 200, "", "hello"},
	{"no block", HTTPCGI, "hello", 0, "", ""},
	{"nothing as CGI", HTTPCGI, "", 0, "", ""},
	{"an empty block", HTTPCGI, "\nhello", 0, "", ""},
	{"no header of the three", HTTPCGI, "X: 1\n\nhello", 0, "", ""},
	{"no colon", HTTPCGI, "Status: 200\nhello\n\n", 0, "", ""},
	{"a CR", HTTPCGI, "Status: 200\nX: a\rSet-Cookie: b\n\n", 0, "", ""},
	{"a NUL", HTTPCGI, "Status: 200\nX: a\x00\n\n", 0, "", ""},
	{"a folded line", HTTPCGI, "Status: 200\nX: a\n b\n\n", 0, "", ""},
	{"a blank in a name", HTTPCGI, "Status: 200\nX : a\n\n", 0, "", ""},
	{"no name", HTTPCGI, "Status: 200\n: a\n\n", 0, "", ""},
	{"status 99", HTTPCGI, "Status: 99\n\n", 0, "", ""},
	{"status 101", HTTPCGI, "Status: 101 Switching\n\n", 0, "", ""},
	{"status 600", HTTPCGI, "Status: 600\n\n", 0, "", ""},
	{"status 0200", HTTPCGI, "Status: 0200\n\n", 0, "", ""},
	{"status +20", HTTPCGI, "Status: +20\n\n", 0, "", ""},
	{"two statuses", HTTPCGI, "Status: 200\nStatus: 200\n\n", 0, "", ""},
	{"two types", HTTPCGI, "Content-Type: a/b\nContent-Type: a/c\n\n", 0, "", ""},
	{"two locations", HTTPCGI, "Location: /a\nLocation: /b\n\n", 0, "", ""},
	{"an empty location", HTTPCGI, "Location: \n\n", 0, "", ""},
	{"two lengths", HTTPCGI, "Status: 200\nContent-Length: 1\nContent-Length: 2\n\nx", 0, "", ""},
	{"many headers", HTTPCGI, "Status: 200\n" + strings.Repeat("X: 1\n", MaxReplyHeaders) + "\n", 0, "", ""},
	{"a huge block", HTTPCGI, "Status: 200\nX: " + strings.Repeat("x", MaxReplyBlock) + "\n\n", 0, "", ""},
	{"a huge block without an end", HTTPCGI, strings.Repeat("x", 2*MaxReplyBlock), 0, "", ""},
	{"a message", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX: 1\r\n\r\nhello", 200, "X: 1\r\n", "hello"},
	{"a message of 1.0", HTTPMessage, "HTTP/1.0 404 Not Found\r\n\r\nhello", 404, "", "hello"},
	{"a message in chunks", HTTPMessage, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nhel\r\n2;x=y\r\nlo\r\n0\r\n\r\n",
		200, "", "hello"},
	{"a message after 100", HTTPMessage, "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 201 Created\r\n\r\nx", 201, "", "x"},
	{"a length without a body", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200, "", ""},
	{"a Status in a message", HTTPMessage, "HTTP/1.1 200 OK\r\nStatus: 404\r\n\r\nx", 200, "", "x"},
	{"101", HTTPMessage, "HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n", 0, "", ""},
	{"only 100", HTTPMessage, "HTTP/1.1 100 Continue\r\n\r\n", 0, "", ""},
	{"HTTP/2", HTTPMessage, "HTTP/2 200\r\n\r\n", 0, "", ""},
	{"no message", HTTPMessage, "hello\n\n", 0, "", ""},
	{"a short body", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\nhello", 0, "", ""},
	{"another answer behind", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\nxHTTP/1.1 200 OK\r\n\r\n", 0, "", ""},
	{"length and chunks", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", ""},
	{"another encoding", HTTPMessage, "HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", 0, "", ""},
	{"broken chunks", HTTPMessage, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nhel\r\n0\r\n\r\n", 0, "", ""},
	{"chunks and more", HTTPMessage, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0, "", ""},
	{"a length of +5", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length: +5\r\n\r\nhello", 0, "", ""},
	{"a control character in the reason", HTTPMessage, "HTTP/1.1 200 O\rK\r\n\r\n", 0, "", ""},
}

// Output that is not of its form is refused, and says what is wrong; nothing in it is guessed.
func TestReplyHTTP(t *testing.T) {
	for _, tt := range replyCases {
		reply, err := ReplyHTTP(tt.form, []byte(tt.output))
		if tt.status == 0 {
			if CodeOf(err) != CodeBadOutput || !strings.Contains(err.Error(), "of the form") {
				t.Errorf("%s: status %d and %v, want an error of code 502", tt.about, reply.Status, err)
			}
			continue
		}
		var header bytes.Buffer
		_ = http.Header(reply.Header).Write(&header)
		if err != nil || reply.Status != tt.status || string(reply.Body) != tt.body || header.String() != tt.header {
			t.Errorf("%s: %d %q %q, %v; want %d %q %q", tt.about, reply.Status, header.String(), reply.Body, err, tt.status,
				tt.header, tt.body)
		}
	}
}

// FuzzReplyHTTP checks that what a function writes never becomes a header that HTTP does not have, or one that says
// where a message ends; and that a message that is taken is the one that net/http reads.
func FuzzReplyHTTP(f *testing.F) {
	for _, tt := range replyCases {
		f.Add(tt.form, []byte(tt.output))
	}
	f.Fuzz(func(t *testing.T, form string, output []byte) {
		reply, err := ReplyHTTP(form, output)
		if err != nil {
			if CodeOf(err) != CodeBadOutput {
				t.Errorf("code %d: %v", CodeOf(err), err)
			}
			return
		}
		if reply.Status < 200 || reply.Status > 599 {
			t.Errorf("status %d", reply.Status)
		}
		for name, values := range reply.Header {
			if textproto.CanonicalMIMEHeaderKey(name) != name || HopByHop(name) || OwnHeader(name) || name == "Content-Length" {
				t.Errorf("a header %q", name)
			}
			if strings.ContainsAny(strings.Join(values, ""), "\r\n\x00") {
				t.Errorf("%s: %q", name, values)
			}
		}
		if form != HTTPMessage {
			return
		}
		at := bytes.LastIndex(output[:len(output)-len(reply.Body)], []byte("HTTP/1."))
		if bytes.Contains(output, []byte("HTTP/1.1 1")) || at != 0 {
			return // net/http skips other interim answers
		}
		r, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(output)), nil)
		if err != nil {
			return // it may be stricter
		}
		body, err := io.ReadAll(r.Body)
		if bodyless := r.StatusCode == 204 || r.StatusCode == 304; reply.Length < 0 && !bodyless &&
			(r.StatusCode != reply.Status || err != nil || !bytes.Equal(body, reply.Body)) {
			t.Errorf("%d %q; net/http reads %d %q (%v)", reply.Status, reply.Body, r.StatusCode, body, err)
		}
	})
}
