package protocol

import "strings"

// Names of headers. Ours begin with Fn-; those of NATS services are ADR-32's.
const (
	HeaderError     = "Nats-Service-Error"      // reply: the error's message
	HeaderErrorCode = "Nats-Service-Error-Code" // reply: its code

	HeaderID       = "Fn-Id"       // request: the caller's id for the call; reply: the call's id
	HeaderTimeout  = "Fn-Timeout"  // request: how long the caller will wait, such as "500ms"
	HeaderReport   = "Fn-Report"   // request: "1" asks for the report headers
	HeaderStdout   = "Fn-Stdout"   // request: "1" asks for the stdout of a process that fails; error reply: how many bytes of it end the body
	HeaderDryRun   = "Fn-Dry-Run"  // request: "1" checks everything and runs nothing
	HeaderHops     = "Fn-Hops"     // request: how often it, and what it came of, was passed on
	HeaderManifest = "Fn-Manifest" // deploy: the manifest as JSON
	HeaderEdit     = "Fn-Edit"     // deploy: "1" says that the module is an edit of the one before, and others follow

	HeaderObject = "Fn-Body-Object" // the body is this object of the bucket fn_bodies
	HeaderSize   = "Fn-Body-Size"   // its size in bytes
	HeaderDigest = "Fn-Body-Digest" // its digest, "sha256:" and 64 hexadecimal digits

	HeaderFunction = "Fn-Function" // report: NAME@VERSION
	HeaderExit     = "Fn-Exit"     // report and error: the exit code
	HeaderDuration = "Fn-Duration" // report: wall time of the process, such as "1.25ms"
	HeaderFuel     = "Fn-Fuel"     // report: how much work it was
	HeaderMemory   = "Fn-Memory"   // report: the most memory it had, in bytes
	HeaderStart    = "Fn-Start"    // report: the start kind
)

// Header holds the headers of a message, as nats.Header does. Clients write names in any
// case, so names are compared without regard to it (ADR-4 keeps the case they were sent in).
type Header map[string][]string

// Get returns the first value of a header, or "". It is fastest when the case is the
// specification's.
func (h Header) Get(name string) string {
	if v := h.Values(name); len(v) > 0 {
		return v[0]
	}
	return ""
}

// Values returns all values of a header. Where a message has the name in several cases, the
// specification's own spelling wins.
func (h Header) Values(name string) []string {
	if v, ok := h[name]; ok || len(h) == 0 {
		return v
	}
	var best string
	for k := range h {
		if strings.EqualFold(k, name) && (best == "" || k < best) {
			best = k
		}
	}
	return h[best]
}

// Set replaces the values of a header, whatever case it was written in.
func (h Header) Set(name, value string) {
	for k := range h {
		if strings.EqualFold(k, name) {
			delete(h, k)
		}
	}
	h[name] = []string{value}
}

// Size returns how many bytes the headers take on the wire.
func (h Header) Size() int {
	if len(h) == 0 {
		return 0
	}
	size := len("NATS/1.0\r\n\r\n")
	for k, values := range h {
		for _, v := range values {
			size += len(k) + len(v) + len(": \r\n")
		}
	}
	return size
}

// CleanValue makes s fit to be a header's value: control characters become blanks, so that
// nothing in it can begin another header, and it is cut at max bytes.
func CleanValue(s string, max int) string {
	if len(s) > max {
		s = strings.ToValidUTF8(s[:max], "")
	}
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, s)
}
