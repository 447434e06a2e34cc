package show

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/polyvoke/polyvoke/cmd/internal/terminal"
	"github.com/polyvoke/polyvoke/protocol"
)

// Requests are requests that changed something, or were to, from entries of the audit: one each, whose outcome takes
// the place of its beginning. It is for one goroutine.
type Requests struct {
	most    int // that are kept; 0: all
	entries []protocol.AuditEntry
	begun   map[string]int // where the entries are that have no outcome yet, by message id
	dropped int            // from the front
}

// NewRequests returns none, of which the last so many are kept; 0: all.
func NewRequests(most int) *Requests { return &Requests{most: most, begun: map[string]int{}} }

// Add takes an entry.
func (r *Requests) Add(e protocol.AuditEntry) {
	key := e.ID + "." + e.Sum
	at, known := r.begun[key]
	switch {
	case known && e.Phase != protocol.AuditBegin && at >= r.dropped:
		r.entries[at-r.dropped] = e
		delete(r.begun, key)
		return
	case e.Phase == protocol.AuditBegin:
		r.begun[key] = r.dropped + len(r.entries)
	}
	r.entries = append(r.entries, e)
	if n := len(r.entries) - r.most; r.most > 0 && n > 0 {
		for _, gone := range r.entries[:n] {
			delete(r.begun, gone.ID+"."+gone.Sum)
		}
		r.entries, r.dropped = r.entries[n:], r.dropped+n
	}
}

// Print prints them as a table.
func (r *Requests) Print(w io.Writer, p terminal.Paint) {
	rows := make([][]string, len(r.entries))
	for i := range r.entries {
		rows[i] = auditRow(&r.entries[i])
	}
	terminal.Table(w, p, []string{"TIME", "VERB", "FUNCTION", "OUTCOME", "SIGNER", "STATED BY", "INVOKER"}, rows)
}

// AuditLine prints an outcome as a line, and nothing for the beginning of a request.
func AuditLine(w io.Writer, e *protocol.AuditEntry) {
	if e.Phase != protocol.AuditBegin {
		terminal.Line(w, Join("  ", auditRow(e)...))
	}
}

// auditRow returns what people see of an entry.
func auditRow(e *protocol.AuditEntry) []string {
	if e.ID == "" {
		return []string{"", "", "", "unreadable: " + e.Error, "", "", ""}
	}
	what := e.Function
	if e.Version > 0 {
		what = fmt.Sprintf("%s@%d", e.Function, e.Version)
	}
	if e.Target != "" {
		what += " " + e.Target
	}
	outcome := string(e.Phase)
	switch e.Phase {
	case protocol.AuditBegin:
		outcome = "no outcome"
	case protocol.AuditFailed:
		outcome = fmt.Sprintf("%d %s", e.Code, e.Error)
	}
	signer := e.Signer
	if len(signer) > 8 {
		signer = signer[:8] + "..."
	}
	return []string{e.Time.Local().Format(time.DateTime), string(e.Verb), strings.TrimSpace(what), outcome, signer,
		e.Stated.String(), Join(" ", e.Invoker.Host, e.Invoker.ID)}
}
