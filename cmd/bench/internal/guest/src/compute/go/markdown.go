package main

import (
	"bytes"
	"html"
	"strings"
)

// pages renders 3 MB of Markdown as HTML.
func pages() []byte {
	var out bytes.Buffer
	m := markdown{out: &out}
	for line := range strings.Lines(source(3 << 20)) {
		m.line(strings.TrimRight(line, " \n"))
	}
	m.close()
	return out.Bytes()
}

// source returns n bytes of Markdown.
func source(n int) string {
	r := random(5)
	var b strings.Builder
	for b.Len() < n {
		word := func() string { return words[r.next(len(words))] }
		switch r.next(8) {
		case 0:
			b.WriteString(strings.Repeat("#", 1+r.next(4)) + " " + word() + " & " + word() + "\n\n")
		case 1:
			for range 2 + r.next(4) {
				b.WriteString("- " + word() + " **" + word() + "** `" + word() + "<" + word() + ">`\n")
			}
			b.WriteString("\n")
		case 2:
			b.WriteString("```\nif a < b && c { " + word() + "() }\n```\n\n")
		case 3:
			b.WriteString("> " + word() + " *" + word() + "* " + word() + "\n\n")
		default:
			for range 10 + r.next(30) {
				b.WriteString(word() + " ")
			}
			b.WriteString("[" + word() + "](https://example.com/" + word() + "?a=1&b=2) _" + word() + "_.\n\n")
		}
	}
	return b.String()[:n]
}

// markdown renders lines: headings, lists, quotations, code and paragraphs.
type markdown struct {
	out  *bytes.Buffer
	open string // the element that is open
}

// enter opens an element unless it is open.
func (m *markdown) enter(element string) {
	if m.open != element {
		m.close()
		m.out.WriteString("<" + element + ">\n")
		m.open = element
	}
}

// close closes the element that is open.
func (m *markdown) close() {
	if m.open != "" {
		m.out.WriteString("</" + m.open + ">\n")
	}
	m.open = ""
}

// line renders a line.
func (m *markdown) line(s string) {
	switch {
	case strings.HasPrefix(s, "```") && m.open == "pre":
		m.close()
	case strings.HasPrefix(s, "```"):
		m.enter("pre")
	case m.open == "pre":
		m.out.WriteString(html.EscapeString(s) + "\n")
	case s == "":
		m.close()
	case s[0] == '#':
		level := len(s) - len(strings.TrimLeft(s, "#"))
		m.close()
		tag := "h" + string(rune('0'+min(level, 6)))
		m.out.WriteString("<" + tag + ">")
		m.inline(strings.TrimSpace(s[level:]))
		m.out.WriteString("</" + tag + ">\n")
	case strings.HasPrefix(s, "- "):
		m.enter("ul")
		m.out.WriteString("<li>")
		m.inline(s[2:])
		m.out.WriteString("</li>\n")
	case strings.HasPrefix(s, "> "):
		m.enter("blockquote")
		m.inline(s[2:])
	default:
		m.enter("p")
		m.inline(s)
	}
}

// inline renders what is in a line.
func (m *markdown) inline(s string) {
	for i := 0; i < len(s); {
		mark, tag := "", ""
		switch {
		case strings.HasPrefix(s[i:], "**"):
			mark, tag = "**", "strong"
		case s[i] == '*' || s[i] == '_':
			mark, tag = s[i:i+1], "em"
		case s[i] == '`':
			mark, tag = "`", "code"
		case s[i] == '[':
			if n := m.link(s[i:]); n > 0 {
				i += n
				continue
			}
		}
		end := -1
		if mark != "" {
			end = strings.Index(s[i+len(mark):], mark)
		}
		if end < 0 {
			m.escape(s[i])
			i++
			continue
		}
		inner := s[i+len(mark) : i+len(mark)+end]
		m.out.WriteString("<" + tag + ">")
		if tag == "code" {
			m.out.WriteString(html.EscapeString(inner))
		} else {
			m.inline(inner)
		}
		m.out.WriteString("</" + tag + ">")
		i += 2*len(mark) + end
	}
}

// link renders a link at the beginning of s, and returns how long it was, or 0.
func (m *markdown) link(s string) int {
	text, rest, ok := strings.Cut(s[1:], "](")
	to, _, closed := strings.Cut(rest, ")")
	if !ok || !closed {
		return 0
	}
	m.out.WriteString(`<a href="` + html.EscapeString(to) + `">`)
	m.inline(text)
	m.out.WriteString("</a>")
	return len(text) + len(to) + 4
}

// escape writes a byte as HTML has it.
func (m *markdown) escape(c byte) {
	switch c {
	case '<':
		m.out.WriteString("&lt;")
	case '>':
		m.out.WriteString("&gt;")
	case '&':
		m.out.WriteString("&amp;")
	default:
		m.out.WriteByte(c)
	}
}
