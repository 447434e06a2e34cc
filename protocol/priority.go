package protocol

import "strings"

// Priority says which of a function's jobs begin first. The zero value is PriorityNormal.
type Priority int8

// The priorities of jobs.
const (
	PriorityLow    Priority = -1
	PriorityNormal Priority = 0
	PriorityHigh   Priority = 1
)

// Priorities returns all priorities, the highest first.
func Priorities() []Priority { return []Priority{PriorityHigh, PriorityNormal, PriorityLow} }

// String returns the value of HeaderPriority: high, normal or low.
func (p Priority) String() string {
	switch {
	case p > 0:
		return "high"
	case p < 0:
		return "low"
	}
	return "normal"
}

// ParsePriority reads what String returns. Empty is PriorityNormal. The error's code is 400.
func ParsePriority(s string) (Priority, error) {
	for _, p := range Priorities() {
		if s == p.String() {
			return p, nil
		}
	}
	if s == "" {
		return PriorityNormal, nil
	}
	return 0, Errorf(CodeBadRequest, "", "%.40q is no priority: use high, normal or low", s)
}

// The jobs of a function that has got one with a priority are sorted: each leaves its queue for the stream RankStream,
// where jobs of each priority have a consumer of their own.

const (
	streamRank = "FN_RANK_" // and NAME: the jobs of a function by their priority
	tokenRank  = "rank"     // in RankSubject, which is under rootTurn, since invokers may publish there
	noLine     = "-"        // in RankSubject: the job has no turn in a line
)

// RankStream returns the name of the stream that has a function's jobs by their priority.
func RankStream(name string) string { return streamRank + name }

// RankOwner returns the function whose jobs a stream has by their priority. It returns false for any other stream.
func RankOwner(stream string) (name string, ok bool) {
	name, ok = strings.CutPrefix(stream, streamRank)
	return name, ok && CheckName(name) == nil
}

// RankSubject returns the subject of a job among those of its priority, which is what Priority's String returns. line is
// that in which it has its turn; empty: it has none. "*" is any priority, id or line.
func RankSubject(name, priority, id, line string) string {
	if line == "" {
		line = noLine
	}
	return strings.Join([]string{rootTurn, name, tokenRank, priority, id, line}, ".")
}

// Ranked is what RankSubject is made of.
type Ranked struct {
	Function string
	Priority Priority
	ID, Line string
}

// ParseRankSubject reads the form of RankSubject.
func ParseRankSubject(subject string) (r Ranked, ok bool) {
	rest, ok := strings.CutPrefix(subject, rootTurn+".")
	tokens := strings.Split(rest, ".")
	if !ok || len(tokens) != 5 || tokens[1] != tokenRank || CheckName(tokens[0]) != nil || checkJobID(tokens[3]) != nil {
		return Ranked{}, false
	}
	p, err := ParsePriority(tokens[2])
	if err != nil || tokens[2] == "" {
		return Ranked{}, false
	}
	r = Ranked{Function: tokens[0], Priority: p, ID: tokens[3]}
	if r.Line = tokens[4]; r.Line == noLine {
		r.Line = ""
		return r, true
	}
	return r, isLine(r.Line)
}
