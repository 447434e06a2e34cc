package access

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/protocol"
)

// refusal is the cause of an Error, with what HTTP says beside the message.
type refusal struct {
	challenge string        // WWW-Authenticate, for 401 and 403
	after     time.Duration // Retry-After, for 429 and 503
	why       error         // may be nil; for the log only
}

// Error returns what an operator should know.
func (r *refusal) Error() string {
	if r.why == nil {
		return "not let in"
	}
	return r.why.Error()
}

// RetryAfter returns when it makes sense to try again; 0: that is not known.
func (r *refusal) RetryAfter() time.Duration { return r.after }

// Challenge returns the header WWW-Authenticate; "": none.
func (r *refusal) Challenge() string { return r.challenge }

// Unwrap returns the cause.
func (r *refusal) Unwrap() error { return r.why }

// RetryAfter returns when it makes sense to try again, in whole seconds, and 0 if an error of Admit does not say.
func RetryAfter(err error) time.Duration {
	var r *refusal
	if !errors.As(err, &r) || r.after <= 0 {
		return 0
	}
	return time.Duration(math.Ceil(r.after.Seconds())) * time.Second
}

// Challenge returns the header WWW-Authenticate for an error of Admit, and "" if it needs none (RFC 6750, section 3).
func Challenge(err error) string {
	var r *refusal
	if !errors.As(err, &r) {
		return ""
	}
	return r.challenge
}

const realm = `Bearer realm="polyvoke"`

// missing returns the error for a request without the credential that a route needs.
func missing(message string) error {
	return &protocol.Error{Code: protocol.CodeNoIdentity, Msg: message, Err: &refusal{challenge: realm}}
}

// invalid returns the error for a credential that is not valid.
func invalid(format string, a ...any) error {
	return challenged(protocol.CodeNoIdentity, "invalid_token", format, a...)
}

// forbidden returns the error for a client that is known, and may not.
func forbidden(format string, a ...any) error {
	return challenged(protocol.CodeForbidden, "insufficient_scope", format, a...)
}

// challenged returns an error with a challenge that says why.
func challenged(code int, word, format string, a ...any) error {
	err := fmt.Errorf(format, a...)
	message := protocol.CleanValue(err.Error(), protocol.MaxErrorText)
	return &protocol.Error{Code: code, Msg: message, Err: &refusal{why: errors.Unwrap(err),
		challenge: fmt.Sprintf(`%s, error=%q, error_description="%s"`, realm, word, strings.Map(quotable, message))}}
}

// quotable replaces what error_description may not have.
func quotable(r rune) rune {
	switch {
	case r == '"':
		return '\''
	case r == '\\', r < ' ', r > '~':
		return ' '
	}
	return r
}

// busy returns the error for what cannot be looked up now.
func busy(code int, after time.Duration, format string, a ...any) error {
	err := fmt.Errorf(format, a...)
	return &protocol.Error{Code: code, Msg: err.Error(), Err: &refusal{after: after, why: errors.Unwrap(err)}}
}
