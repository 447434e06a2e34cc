package protocol

import (
	"context"
	"errors"
	"fmt"
)

// Codes of errors, in the numbers of HTTP. They travel in the header Nats-Service-Error-Code.
// Programs should act upon an error's code, never upon its message.
const (
	CodeBadRequest  = 400 // the request, or what it contains, is wrong (exit 64, 65)
	CodeNoIdentity  = 401 // who is asking is not known: no credential, or one that is not valid (HTTP only)
	CodeForbidden   = 403 // not permitted (exit 77)
	CodeNotFound    = 404 // no such function, version, or input (exit 66)
	CodeConflict    = 409 // somebody else changed the same thing at the same time
	CodeTooLarge    = 413 // the request's body is over the function's limit
	CodeRefused     = 422 // the module or its manifest cannot be deployed
	CodeTooMany     = 429 // too many calls of this function at once
	CodeHeaders     = 431 // the request has too many headers, or too long ones
	CodeFailed      = 500 // the function failed: any other exit code, or a trap
	CodeUnknownNeed = 501 // the function needs what this invoker does not know; a newer one does
	CodeBadOutput   = 502 // the function's output is over its limit, or could not be stored
	CodeUnavailable = 503 // the function, or the invoker, cannot serve now (exit 69, 75; draining)
	CodeTimeout     = 504 // the deadline passed first
	CodeMemory      = 507 // the function reached its memory limit
)

// Error is the one error type that crosses a boundary of polyvoke: a code for programs, a
// message for the caller, and a cause for the operator, which is logged and never sent.
type Error struct {
	Code int    // one of the Code constants
	Op   string // what was being done, such as "deploy greet"; may be empty
	Msg  string // what is wrong and what to do next, in the caller's words
	Err  error  // the cause; may be nil
}

// Errorf returns an Error with a code, an operation and a formatted message. An operand of
// the verb %w becomes the cause.
func Errorf(code int, op, format string, a ...any) *Error {
	err := fmt.Errorf(format, a...)
	return &Error{Code: code, Op: op, Msg: err.Error(), Err: errors.Unwrap(err)}
}

// Error returns the operation and the message.
func (e *Error) Error() string {
	if e.Op == "" {
		return e.Msg
	}
	return e.Op + ": " + e.Msg
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// CodeOf returns the code of the first Error in err's chain. Without one it is 504 for an
// expired context, 503 for a cancelled one, 500 for any other error, and 0 for nil.
func CodeOf(err error) int {
	var e *Error
	switch {
	case err == nil:
		return 0
	case errors.As(err, &e):
		return e.Code
	case errors.Is(err, context.DeadlineExceeded):
		return CodeTimeout
	case errors.Is(err, context.Canceled):
		return CodeUnavailable
	}
	return CodeFailed
}

// ErrorOf returns the error for a caller: the first Error in err's chain, or one with what MessageOf says. If that only
// says that something failed inside, it names the id of the cause in the invoker's log. The caller of ErrorOf writes it
// there.
func ErrorOf(err error, id string) *Error {
	var e *Error
	switch {
	case err == nil:
		return nil
	case errors.As(err, &e):
		return e
	case CodeOf(err) == CodeFailed:
		return &Error{Code: CodeFailed, Err: err,
			Msg: "internal error: the invoker's log has the cause under the id " + CleanValue(id, MaxID)}
	}
	return &Error{Code: CodeOf(err), Msg: MessageOf(err), Err: err}
}

// MessageOf returns what the caller may read of err: the message of the first Error in its
// chain, and for anything else no more than that something failed inside.
func MessageOf(err error) string {
	var e *Error
	switch {
	case err == nil:
		return ""
	case errors.As(err, &e):
		return e.Error()
	case errors.Is(err, context.DeadlineExceeded):
		return "the deadline passed"
	case errors.Is(err, context.Canceled):
		return "cancelled"
	}
	return "an unexpected error"
}
