package protocol

// A NATS server closes the connection of whoever sends it one protocol line that is too long, and everything that was
// in flight on it is lost. So nothing that somebody else chose may become part of a line before it is known to fit.

// DefaultLine is the length of the longest protocol line, in bytes, that a NATS server takes unless its
// max_control_line says otherwise.
const DefaultLine = 4096

// lineRoom is the most that stands beside the subject and the queue group in a line that publishes or subscribes: a
// blank and a number of 19 digits, or two of 10.
const lineRoom = 24

// LongestSubject returns the length in bytes of the longest subject that a message with headers and without a reply
// subject can have. line is the longest protocol line that the server takes.
func LongestSubject(line int) int { return line - lineRoom }

// FitsSubscription reports whether a subscription fits a protocol line of a server that takes lines of that length.
func FitsSubscription(subject, queue string, line int) bool {
	return len(subject)+len(queue) <= line-lineRoom
}
