package cloudevents

import (
	"strings"

	"github.com/polyvoke/polyvoke/protocol"
)

// hexadecimal are the digits of percent-encoding, in upper case (RFC 3986, section 2.1).
const hexadecimal = "0123456789ABCDEF"

// plainByte reports whether a byte stands for itself in a header's value: visible ASCII but " and % (NATS binding,
// section 3.1.3.2).
func plainByte(c byte) bool { return c > ' ' && c <= '~' && c != '"' && c != '%' }

// escape returns the form that an attribute's value has in a header.
func escape(value string) string {
	var b strings.Builder
	for i := range len(value) {
		if c := value[i]; plainByte(c) {
			b.WriteByte(c)
		} else {
			b.Write([]byte{'%', hexadecimal[c>>4], hexadecimal[c&15]})
		}
	}
	return b.String()
}

// unescape returns the value that a header's form means. One in double quotes is taken out of them first (RFC 7230,
// section 3.2.6). A percent sign that begins no byte stands for itself, since older producers escape nothing.
func unescape(form string) (string, error) {
	if len(form) >= 2 && form[0] == '"' {
		inner, ok := unquote(form)
		if !ok {
			return "", protocol.Errorf(protocol.CodeBadRequest, "", "the value %.40q has an odd quote", form)
		}
		form = inner
	}
	if !strings.Contains(form, "%") {
		return form, nil
	}
	var b strings.Builder
	for i := 0; i < len(form); i++ {
		if form[i] == '%' && i+2 < len(form) {
			high, low := digit(form[i+1]), digit(form[i+2])
			if high >= 0 && low >= 0 {
				b.WriteByte(byte(high<<4 | low))
				i += 2
				continue
			}
		}
		b.WriteByte(form[i])
	}
	return b.String(), nil
}

// digit returns the value of a hexadecimal digit, or -1.
func digit(c byte) int {
	if 'a' <= c && c <= 'f' {
		c -= 'a' - 'A'
	}
	return strings.IndexByte(hexadecimal, c)
}

// unquote takes a string out of its double quotes, in which a backslash stands before what it means literally.
func unquote(s string) (string, bool) {
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch s[i] {
		case '"':
			return b.String(), i == len(s)-1
		case '\\':
			if i++; i == len(s) {
				return "", false
			}
		}
		b.WriteByte(s[i])
	}
	return "", false
}
