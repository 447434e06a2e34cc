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
	{"chunks of 1.0", HTTPMessage, "HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 0, "", ""},
	{"Kelvin's k", HTTPMessage, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chun\u212aed\r\n\r\n0\r\n\r\n", 0, "", ""},
	{"an empty length", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length: \r\n\r\nhello", 0, "", ""},
	{"an empty length, and one", HTTPMessage, "HTTP/1.1 200 OK\r\nContent-Length:\r\nContent-Length: 5\r\n\r\nhello", 0, "", ""},
	{"an interim status of 4 characters", HTTPMessage, "HTTP/1.1 100x\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0, "", ""},
	{"an interim answer without a colon", HTTPMessage, "HTTP/1.1 100 \r\nX\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", 0, "", ""},
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

// chunkCases are bodies in chunks. They are broken if what they come to is "broken".
var chunkCases = []struct{ about, chunks, body string }{
	{"none", "0\r\n\r\n", ""},
	{"two", "3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n", "hello"},
	{"leading zeros, and zeros only", "00005\r\nhello\r\n000\r\n\r\n", "hello"},
	{"small and capital letters", "a\r\n0123456789\r\nB\r\n0123456789A\r\n0\r\n\r\n", "01234567890123456789A"},
	{"blanks at the end of a line", "5 \t\r\nhello\r\n0 \r\n\r\n", "hello"},
	{"extensions", "5;a;b=c; d=\"e f\" \r\nhello\r\n0;x\r\n\r\n", "hello"},
	{"trailers", "5\r\nhello\r\n0\r\nX: 1\r\ny:\t\r\n\r\n", "hello"},
	{"nothing at all", "", "broken"},
	{"no end", "5\r\nhello\r\n", "broken"},
	{"no end of the last line", "0\r\n", "broken"},
	{"half an end", "0\r\n\r", "broken"},
	{"LF at the end of a size", "5\nhello\r\n0\r\n\r\n", "broken"},
	{"LF at the end of a chunk", "5\r\nhello\n0\r\n\r\n", "broken"},
	{"LF at the end of the last size", "0\n\r\n", "broken"},
	{"LF at the end of all", "0\r\n\n", "broken"},
	{"LF in an extension", "2;x=y\n\r\nlo\r\n0\r\n\r\n", "broken"},
	{"LF in an extension of none", "0;x\n\r\n\r\n", "broken"},
	{"CR in an extension", "2;x=\ry\r\nlo\r\n0\r\n\r\n", "broken"},
	{"NUL in an extension", "2;x=\x00\r\nlo\r\n0\r\n\r\n", "broken"},
	{"a blank before a size", " 5\r\nhello\r\n0\r\n\r\n", "broken"},
	{"a blank before an extension", "5 ;x\r\nhello\r\n0\r\n\r\n", "broken"},
	{"no size", "\r\n0\r\n\r\n", "broken"},
	{"only an extension", ";x\r\n\r\n", "broken"},
	{"a sign", "+5\r\nhello\r\n0\r\n\r\n", "broken"},
	{"-0", "-0\r\n\r\n", "broken"},
	{"0x", "0x5\r\nhello\r\n0\r\n\r\n", "broken"},
	{"an underscore", "0_5\r\nhello\r\n0\r\n\r\n", "broken"},
	{"64 bits and one", "10000000000000005\r\nhello\r\n0\r\n\r\n", "broken"},
	{"64 bits", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n", "broken"},
	{"32 bits", "ffffffff\r\nhello\r\n0\r\n\r\n", "broken"},
	{"one byte too many", "4\r\nhello\r\n0\r\n\r\n", "broken"},
	{"a line of 4096 bytes", "5;" + strings.Repeat("x", 4092) + "\r\nhello\r\n0\r\n\r\n", "hello"},
	{"a line of 4097 bytes", "5;" + strings.Repeat("x", 4093) + "\r\nhello\r\n0\r\n\r\n", "broken"},
	{"hardly anything but extensions", strings.Repeat("1;"+strings.Repeat("x", 4000)+"\r\nh\r\n", 5) + "0\r\n\r\n",
		"broken"},
	{"a trailer that is none", "0\r\nhello\r\n\r\n", "broken"},
	{"a trailer with a blank", "0\r\nX : 1\r\n\r\n", "broken"},
	{"a trailer in two lines", "0\r\nX: 1\r\n 2\r\n\r\n", "broken"},
	{"a trailer with LF", "0\r\nX: 1\n\r\n", "broken"},
	{"a trailer with CR", "0\r\nX: 1\r2\r\n\r\n", "broken"},
	{"a trailer without an end", "0\r\nX: 1\r\n", "broken"},
	{"trailers of 4096 bytes", "0\r\nX: " + strings.Repeat("x", 4089) + "\r\n\r\n", ""},
	{"trailers of 4097 bytes", "0\r\nX: " + strings.Repeat("x", 4090) + "\r\n\r\n", "broken"},
	{"long trailers", "0\r\n" + strings.Repeat("X: 1\r\n", 1000) + "\r\n", "broken"},
	{"something behind", "0\r\n\r\n0\r\n\r\n", "broken"},
	{"something behind trailers", "0\r\nX: 1\r\n\r\nHTTP/1.1 200 OK\r\n\r\n", "broken"},
}

// Chunks are those of net/http, or of nobody.
func TestChunks(t *testing.T) {
	for _, tt := range chunkCases {
		reply, err := ReplyHTTP(HTTPMessage, []byte(inChunks+tt.chunks))
		if tt.body == "broken" {
			if CodeOf(err) != CodeBadOutput {
				t.Errorf("%s: %q and %v, want an error of code 502", tt.about, reply.Body, err)
			}
			continue
		}
		r, fault := http.ReadResponse(bufio.NewReader(strings.NewReader(inChunks+tt.chunks)), nil)
		if err != nil || string(reply.Body) != tt.body || fault != nil {
			t.Errorf("%s: %q, %v, want %q; net/http: %v", tt.about, reply.Body, err, tt.body, fault)
			continue
		}
		if b, err := io.ReadAll(r.Body); err != nil || string(b) != tt.body {
			t.Errorf("%s: net/http reads %q, %v", tt.about, b, err)
		}
	}
}

// inChunks begins a message in chunks.
const inChunks = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"

// FuzzReplyHTTP checks that what a function writes never becomes a header that HTTP does not have, or one that says
// where a message ends; and that a message that is taken is the one that net/http reads.
func FuzzReplyHTTP(f *testing.F) {
	for _, tt := range replyCases {
		f.Add(tt.form, []byte(tt.output))
	}
	for _, tt := range chunkCases {
		f.Add(HTTPMessage, []byte(inChunks+tt.chunks))
	}
	f.Add(HTTPMessage, []byte(inChunks+"3\r\nhel\r\n2;x=y;\x8a\n\r\nlo\r\n0\r\n\r\n"))
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
