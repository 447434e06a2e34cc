package show

import (
	"encoding/base64"
	"fmt"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/cmd/internal/exit"
	"github.com/polyvoke/polyvoke/protocol"
)

// Failure returns the error for a reply that is one, with an exit code: the function's own if there is one. A reply
// with an exit code that is not 0 has that one, and nothing to say.
func Failure(r *protocol.Request, reply protocol.Reply) error {
	switch {
	case reply.Err == nil && reply.Exit > 0:
		return &exit.Error{Code: exit.OfProcess(reply.Exit)}
	case reply.Err == nil:
		return nil
	}
	code := exit.OfCode(reply.Err.Code)
	if reply.Exit > 0 {
		code = exit.OfProcess(reply.Exit)
	}
	return &exit.Error{Code: code, Msg: fmt.Sprintf("%s: %d: %s%s", r.Function, reply.Err.Code, reply.Err.Msg,
		nextStep(reply)), Err: reply.Err}
}

// nextStep says what the caller can do about an error of the platform's.
func nextStep(reply protocol.Reply) string {
	if reply.Exit > 0 {
		return ""
	}
	switch reply.Err.Code {
	case protocol.CodeTooLarge, protocol.CodeBadOutput, protocol.CodeMemory, protocol.CodeTimeout:
		return " (polyvoke info shows the limits, the manifest sets them)"
	case protocol.CodeTooMany, protocol.CodeUnavailable:
		return " (try again in a moment)"
	case protocol.CodeFailed:
		return " (polyvoke logs may say more)"
	}
	return ""
}

// Reply is a reply as call --json prints it. A body that is not text is in base64.
type Reply struct {
	Status int             `json:"status"` // 200, or the error's code
	Error  string          `json:"error,omitempty"`
	Exit   *int            `json:"exit,omitempty"` // missing if the process did not get that far
	ID     string          `json:"id,omitempty"`
	Header protocol.Header `json:"headers,omitempty"`
	Body   string          `json:"body"`
	Base64 bool            `json:"base64,omitempty"` // the body is in base64
	Stdout string          `json:"stdout,omitempty"` // of a failed call, if it was asked for, in base64
}

// ReplyDocument makes a reply a document.
func ReplyDocument(reply protocol.Reply) Reply {
	d := Reply{Status: 200, ID: reply.ID, Header: reply.Header, Body: string(reply.Body)}
	if reply.Err != nil {
		d.Status, d.Error = reply.Err.Code, reply.Err.Msg
	}
	if reply.Exit >= 0 {
		d.Exit = &reply.Exit
	}
	if len(reply.Stdout) > 0 {
		d.Stdout = base64.StdEncoding.EncodeToString(reply.Stdout)
	}
	if !utf8.Valid(reply.Body) {
		d.Body, d.Base64 = base64.StdEncoding.EncodeToString(reply.Body), true
	}
	return d
}
