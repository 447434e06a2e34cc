// Inetd is a server of HTTP for one connection, which is stdin and stdout. It knows nothing of polyvoke.
package main

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
)

func main() {
	r, err := http.ReadRequest(bufio.NewReader(os.Stdin))
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(65)
	}
	body, err := io.ReadAll(r.Body)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(65)
	}
	text := fmt.Sprintf("%s %s %s %s %q", r.Method, r.URL, r.Host, r.Header.Get("X-Mine"), body)
	answer := http.Response{StatusCode: 201, ProtoMajor: 1, ProtoMinor: 1, Request: r, Close: true, ContentLength: -1,
		Header: http.Header{"X-Program": {"inetd"}}, Body: io.NopCloser(strings.NewReader(text))}
	if len(body) > 0 {
		answer.TransferEncoding = []string{"chunked"}
	}
	if err := answer.Write(os.Stdout); err != nil {
		os.Exit(70)
	}
}
