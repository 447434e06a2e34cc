package protocol

// Delivery says what becomes of a durable call once its process has ended.
type Delivery int

// The three ways in which a durable call goes on.
const (
	Ack        Delivery = iota // it is done
	Retry                      // it is tried again, after a while and up to a limit
	DeadLetter                 // trying again would be useless
)

// String returns the word that the specification uses.
func (d Delivery) String() string {
	switch d {
	case Ack:
		return "ack"
	case Retry:
		return "retry"
	}
	return "dead letter"
}

// Exit codes with a meaning of their own, from BSD's sysexits.h.
const (
	ExitOK          = 0
	ExitUsage       = 64 // EX_USAGE: wrong arguments
	ExitDataErr     = 65 // EX_DATAERR: the body is wrong
	ExitNoInput     = 66 // EX_NOINPUT: what the request names does not exist
	ExitUnavailable = 69 // EX_UNAVAILABLE: something that the function needs is missing
	ExitTempFail    = 75 // EX_TEMPFAIL: try again later
	ExitNoPerm      = 77 // EX_NOPERM: the caller may not do this

	exitMax = 78 // EX__MAX: up to here sysexits.h has given all codes a meaning
)

// Outcome is the meaning of an exit code.
type Outcome struct {
	Code     int      // the error code for the caller; 0 is success
	Delivery Delivery // what becomes of a durable call
	Text     string   // the code in words
	Chosen   bool     // the function chose this code to say something; false for 0 and "other"
}

// FromExit returns what an exit code means (section 6 of the specification).
func FromExit(exit uint32) Outcome {
	switch exit {
	case ExitOK:
		return Outcome{Code: 0, Delivery: Ack, Text: "ok"}
	case ExitUsage:
		return Outcome{CodeBadRequest, DeadLetter, "wrong arguments", true}
	case ExitDataErr:
		return Outcome{CodeBadRequest, DeadLetter, "bad data", true}
	case ExitNoInput:
		return Outcome{CodeNotFound, DeadLetter, "no such input", true}
	case ExitUnavailable:
		return Outcome{CodeUnavailable, Retry, "unavailable", true}
	case ExitTempFail:
		return Outcome{CodeUnavailable, Retry, "try again later", true}
	case ExitNoPerm:
		return Outcome{CodeForbidden, DeadLetter, "not permitted", true}
	}
	return Outcome{Code: CodeFailed, Delivery: Retry, Text: "failed"}
}

// DeliveryOf returns what becomes of a durable call that ended with an error code of the
// platform's own, not with an exit code.
func DeliveryOf(code int) Delivery {
	switch code {
	case 0:
		return Ack
	case CodeTooMany, CodeFailed, CodeUnavailable, CodeTimeout, CodeConflict:
		return Retry
	}
	return DeadLetter
}
