package project

import (
	"fmt"
	"strconv"
	"strings"
)

// keyLines returns the line of each key and each table of a text that is TOML, by its path, such as limits.memory or
// trigger[1].to. What is written in one line with others, in braces, has no line of its own.
func keyLines(text string) map[string]int {
	s := &scanner{text: text, line: 1, lines: map[string]int{}, counts: map[string]int{}}
	for s.blank(true); !s.end(); s.blank(true) {
		if s.peek() == '[' {
			s.header()
		} else {
			line := s.line
			s.note(s.table, s.path('='), line)
			s.value()
		}
	}
	return s.lines
}

// scanner goes through a text that is TOML. With any other text it comes to its end all the same.
type scanner struct {
	text   string
	at     int
	line   int // of at
	table  string
	lines  map[string]int
	counts map[string]int // of tables in an array, by its path
}

func (s *scanner) end() bool { return s.at >= len(s.text) }

func (s *scanner) peek() byte {
	if s.end() {
		return 0
	}
	return s.text[s.at]
}

// next passes over a byte and returns it.
func (s *scanner) next() byte {
	c := s.peek()
	s.at++
	if c == '\n' {
		s.line++
	}
	return c
}

// blank passes over blanks and, if it may, over ends of lines and comments.
func (s *scanner) blank(lines bool) {
	for !s.end() {
		switch c := s.peek(); {
		case c == ' ' || c == '\t' || lines && (c == '\n' || c == '\r'):
			s.next()
		case c == '#' && lines:
			for !s.end() && s.peek() != '\n' {
				s.next()
			}
		default:
			return
		}
	}
}

// path reads a key with dots, and what ends it.
func (s *scanner) path(end byte) []string {
	var all []string
	for !s.end() {
		s.blank(false)
		switch c := s.peek(); {
		case c == end || c == '\n':
			s.next()
			return all
		case c == '.':
			s.next()
		case c == '"' || c == '\'':
			all = append(all, s.quoted())
		default:
			begin := s.at
			for !s.end() && !strings.ContainsRune(" \t.\n'\"", rune(s.peek())) && s.peek() != end {
				s.next()
			}
			all = append(all, s.text[begin:s.at])
		}
	}
	return all
}

// quoted reads a string of one line.
func (s *scanner) quoted() string {
	begin, quote := s.at, s.next()
	for !s.end() && s.peek() != quote && s.peek() != '\n' {
		if s.next() == '\\' && quote == '"' && !s.end() {
			s.next()
		}
	}
	s.next()
	text := s.text[begin:min(s.at, len(s.text))]
	if v, err := strconv.Unquote(text); err == nil {
		return v
	}
	return strings.Trim(text, string(quote))
}

// header reads the header of a table, or of one in an array.
func (s *scanner) header() {
	line := s.line
	s.next()
	array := s.peek() == '['
	if array {
		s.next()
	}
	keys := s.path(']')
	s.table = ""
	if len(keys) == 0 {
		return
	}
	s.note("", keys, line)
	s.table = s.resolve(keys)
	if array {
		s.next()
		s.table = s.resolve(keys[:len(keys)-1])
		s.table = join(s.table, keys[len(keys)-1])
		s.counts[s.table]++
		s.table = fmt.Sprintf("%s[%d]", s.table, s.counts[s.table]-1)
		s.lines[s.table] = line
	}
}

// resolve returns the path of a table, in the last ones of arrays.
func (s *scanner) resolve(keys []string) string {
	path := ""
	for _, k := range keys {
		path = join(path, k)
		if n := s.counts[path]; n > 0 {
			path = fmt.Sprintf("%s[%d]", path, n-1)
		}
	}
	return path
}

// note takes down where a key is, and the tables that its dots make.
func (s *scanner) note(table string, keys []string, line int) {
	for _, k := range keys {
		table = join(table, k)
		if s.lines[table] == 0 {
			s.lines[table] = line
		}
	}
}

// value passes over a value, to the end of its last line.
func (s *scanner) value() {
	for depth := 0; !s.end(); {
		switch s.peek() {
		case '"', '\'':
			s.text3()
		case '[', '{':
			depth++
			s.next()
		case ']', '}':
			depth--
			s.next()
		case '#':
			for !s.end() && s.peek() != '\n' {
				s.next()
			}
		case '\n':
			if s.next(); depth <= 0 {
				return
			}
		default:
			s.next()
		}
	}
}

// text3 passes over a string, which three quotes can begin and end.
func (s *scanner) text3() {
	quote := s.text[s.at : s.at+1]
	if !strings.HasPrefix(s.text[s.at:], strings.Repeat(quote, 3)) {
		s.quoted()
		return
	}
	for range 3 {
		s.next()
	}
	for !s.end() && !strings.HasPrefix(s.text[s.at:], strings.Repeat(quote, 3)) {
		if s.next() == '\\' && quote == `"` {
			s.next()
		}
	}
	for s.peek() == quote[0] && !s.end() { // up to two more are part of it
		s.next()
	}
}
