package module

import (
	"fmt"
	"unicode/utf8"

	"github.com/polyvoke/polyvoke/runtimes/module/leb"
)

// cursor reads a part of a module from front to back. The first fault sticks: every read
// after it returns a zero value, so a caller may read a whole entry and look at err once, but a
// loop over a count must stop when ok says so.
type cursor struct {
	b       []byte // the whole module
	pos     int    // the next byte
	end     int    // where this part ends
	section string // what this part is called in errors
	err     *Error
}

// ok reports whether no fault has been seen yet.
func (c *cursor) ok() bool { return c.err == nil }

// left is how many bytes are still to come.
func (c *cursor) left() int { return c.end - c.pos }

// failAt records a fault at an offset, unless there is one already.
func (c *cursor) failAt(offset int, format string, args ...any) {
	if c.err == nil {
		c.err = &Error{Section: c.section, Offset: offset, Msg: fmt.Sprintf(format, args...)}
	}
	c.pos = c.end
}

// fail records a fault at the current offset.
func (c *cursor) fail(format string, args ...any) { c.failAt(c.pos, format, args...) }

// bytes reads n bytes; they are part of the module and must not be changed.
func (c *cursor) bytes(n int, what string) []byte {
	if n > c.left() {
		c.fail("%s needs %d bytes, but only %d are left", what, n, c.left())
		return nil
	}
	p := c.b[c.pos : c.pos+n]
	c.pos += n
	return p
}

// byte reads one byte.
func (c *cursor) byte(what string) byte {
	if c.left() == 0 {
		c.fail("unexpected end before %s", what)
		return 0
	}
	c.pos++
	return c.b[c.pos-1]
}

// u32 reads an unsigned LEB128 number of at most 32 bits.
func (c *cursor) u32(what string) uint32 {
	v, n := leb.U32(c.b[c.pos:c.end])
	c.number(n, "an unsigned LEB128 number of 32 bits", what)
	return v
}

// signed reads a signed LEB128 number of at most the given bits, 32, 33 or 64.
func (c *cursor) signed(bits int, what string) int64 {
	v, n := leb.Signed(c.b[c.pos:c.end], bits)
	c.number(n, "a signed LEB128 number that fits", what)
	return v
}

// number steps over a number of n bytes, or records what is wrong with it.
func (c *cursor) number(n int, kind, what string) {
	switch {
	case n > 0:
		c.pos += n
	case n == 0:
		c.failAt(c.end, "unexpected end in %s", what)
	default:
		c.fail("%s is not %s", what, kind)
	}
}

// count reads how many entries follow. Each of them takes least bytes or more, so a count that
// cannot be true is refused here, before anything is allocated for it; so is one above most.
func (c *cursor) count(what string, least, most int) int {
	start := c.pos
	n := int64(c.u32("the number of " + what))
	switch {
	case n*int64(least) > int64(c.left()):
		c.failAt(start, "%d %s cannot be in the %d bytes that are left", n, what, c.left())
		return 0
	case n > int64(most):
		c.failAt(start, "%d %s are more than the %d allowed", n, what, most)
		return 0
	}
	return int(n)
}

// name reads a string, which must be UTF-8.
func (c *cursor) name(what string) string {
	n := c.count("bytes of "+what, 1, maxName)
	start := c.pos
	p := c.bytes(n, what)
	if !utf8.Valid(p) {
		c.failAt(start, "%s is not UTF-8", what)
		return ""
	}
	return string(p)
}

// part reads a size and returns a cursor over that many bytes, which are skipped in c.
func (c *cursor) part(what string) cursor {
	n := c.count("bytes of "+what, 1, maxSection)
	d := cursor{b: c.b, pos: c.pos, end: c.pos + n, section: c.section, err: c.err}
	c.pos += n
	return d
}

// finish records a fault if something is left, or the fault of the part d.
func (c *cursor) finish(d *cursor, what string) {
	if d.ok() && d.left() > 0 {
		d.fail("%d bytes too many in %s", d.left(), what)
	}
	if d.err != nil && c.err == nil {
		c.err = d.err
		c.pos = c.end
	}
}
