package functions

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// exchange is a request and its reply, under one path.
type exchange struct {
	target
	header  []byte  // what was written to .headers
	request []byte  // what was written, until it is sent
	pending bool    // it was written, and is not sent
	broken  bool    // it could not be written whole
	answer  *answer // what came back; nil: nothing yet
	users   int     // files that are open
	writers int     // of them to write
}

// answer is what came of a call.
type answer struct {
	body   []byte
	header []byte // of the reply, a line each
	status int
	failed []byte // what is wrong, as JSON; nil: nothing
}

// idle reports whether an exchange can be forgotten: nobody could tell.
func (e *exchange) idle() bool {
	return e.users == 0 && !e.pending && e.answer == nil && len(e.header) == 0
}

// failure is what .error has.
type failure struct {
	Code    int    `json:"code"`
	Message string `json:"message"`
	Errno   string `json:"errno"`        // what reading the reply fails with
	ID      string `json:"id,omitempty"` // of the call, for its log
}

// errnoIO is what the process is told that reads the reply of a call that has failed.
const errnoIO = "EIO"

// answerOf returns what a process sees of a reply, or of an error in its place.
func answerOf(reply *protocol.Reply, err error, id string) (*answer, *protocol.Error) {
	err = protocol.Failure(reply, err)
	if err == nil {
		h, _ := reply.Message()
		return &answer{body: reply.Body, header: lines(h), status: 200}, nil
	}
	e := protocol.ErrorOf(err, id)
	a := &answer{status: e.Code}
	a.failed, _ = json.Marshal(failure{e.Code, e.Error(), errnoIO, id}) // of numbers and texts
	a.failed = append(a.failed, '\n')
	if reply != nil {
		h, _ := reply.Message()
		a.header = lines(h)
	}
	return a, e
}

// side returns what is in a file beside the exchange, or false if there is none.
func (e *exchange) side(which string) ([]byte, bool) {
	a := e.answer
	switch {
	case which == sideHeaders && a == nil:
		return e.header, len(e.header) > 0
	case a == nil:
		return nil, false
	case which == sideHeaders:
		return a.header, true
	case which == sideStatus:
		return []byte(strconv.Itoa(a.status) + "\n"), true
	}
	return a.failed, a.failed != nil
}

// lines returns headers as lines, sorted.
func lines(h protocol.Header) []byte {
	var b []byte
	for _, name := range slices.Sorted(maps.Keys(h)) {
		for _, value := range h[name] {
			b = fmt.Appendf(b, "%s: %s\n", name, value)
		}
	}
	return b
}

// maxHeader is how much can be written to .headers, in bytes.
const maxHeader = protocol.MaxHeaderBytes

// headerOf reads what was written to .headers: lines such as "Name: value".
func headerOf(text []byte) (protocol.Header, error) {
	var block strings.Builder
	block.WriteString("NATS/1.0\r\n")
	for line := range strings.Lines(string(text)) {
		if line = strings.TrimRight(line, " \t\r\n"); line != "" {
			block.WriteString(line + "\r\n")
		}
	}
	block.WriteString("\r\n")
	h, err := protocol.ParseHeader([]byte(block.String()))
	var bad *protocol.Error
	if errors.As(err, &bad) {
		return nil, protocol.Errorf(protocol.CodeBadRequest, "", "write lines such as \"Name: value\" to .headers: %s",
			bad.Msg)
	}
	for name, values := range h {
		if protocol.OwnHeader(name) {
			return nil, protocol.Errorf(protocol.CodeBadRequest, "",
				"header %s is polyvoke's or NATS's own: leave it out of .headers", name)
		}
		for _, v := range values {
			if protocol.CleanValue(v, len(v)) != v {
				return nil, protocol.Errorf(protocol.CodeBadRequest, "",
					"header %s has characters in its value that no header has", name)
			}
		}
	}
	return h, nil
}
