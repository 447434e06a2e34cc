package protocol

// StreamLog is the JetStream stream that keeps the recent lines of all functions, in memory, for readers that come
// late. It captures LogSubject of every function.
const StreamLog = "FN_LOG"

// HeaderPlatform marks a log line that polyvoke wrote, not the function.
const HeaderPlatform = "Fn-Platform"

// LogLine is one line of a function's log: of its stderr, or of polyvoke about it.
type LogLine struct {
	Function Ref    // NAME@VERSION that wrote it
	ID       string // of the call
	Text     string // without the line feed
	Platform bool   // polyvoke wrote it
}

// MaxLogLine is the length of the longest log line, in bytes. A longer one is published in pieces.
const MaxLogLine = 16 << 10

// Message returns the line as headers and a body, to be published on LogSubject.
func (l *LogLine) Message() (Header, []byte) {
	h := Header{HeaderFunction: {l.Function.String()}, HeaderID: {CleanValue(l.ID, MaxID)}}
	if l.Platform {
		h[HeaderPlatform] = []string{"1"}
	}
	return h, []byte(l.Text)
}

// ParseLogLine reads a message of a log subject. Whatever cannot be read is left empty: a log
// is for people.
func ParseLogLine(h Header, body []byte) LogLine {
	ref, _ := ParseRef(h.Get(HeaderFunction))
	return LogLine{Function: ref, ID: h.Get(HeaderID), Text: string(body), Platform: h.Get(HeaderPlatform) == "1"}
}
