// Greet, in Go: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh, or:
//
//	GOOS=wasip1 GOARCH=wasm go build -trimpath -ldflags='-s -w' -o greet.wasm .
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

const (
	maxDepth = 100
	badData  = 65
)

func main() {
	body, err := io.ReadAll(os.Stdin)
	if err != nil {
		fail(err)
	}
	name, err := parseName(body)
	if err != nil {
		fail(err)
	}
	name = escape(name)
	fmt.Fprintf(os.Stderr, "greeting %s\n", name)
	fmt.Printf("{\"greeting\":\"Hello, %s!\"}\n", name)
}

func fail(err error) {
	fmt.Fprintln(os.Stderr, "bad input:", err)
	os.Exit(badData)
}

// parseName returns the string member "name" of the JSON object in body; the last one counts.
func parseName(body []byte) (string, error) {
	if err := checkStrict(body); err != nil {
		return "", err
	}
	// A map and not a struct: struct fields also match "Name" and "NAME".
	var members map[string]json.RawMessage
	if err := json.Unmarshal(body, &members); err != nil {
		return "", err
	}
	var name *string
	if err := json.Unmarshal(members["name"], &name); err != nil || name == nil {
		return "", errors.New(`no string member "name"`)
	}
	return *name, nil
}

// checkStrict finds what encoding/json lets through: bytes that are not UTF-8 and lone surrogates
// (it reads both as U+FFFD), and deep nesting (its own limit is 10,000).
func checkStrict(body []byte) error {
	if !utf8.Valid(body) {
		return errors.New("not UTF-8")
	}
	if !json.Valid(body) {
		return errors.New("not JSON")
	}
	depth, inString := 0, false
	for i := 0; i < len(body); i++ {
		switch c := body[i]; {
		case c == '"':
			inString = !inString
		case c == '\\':
			n := escapeLen(body[i:])
			if n == 0 {
				return errors.New("lone surrogate")
			}
			i += n - 1
		case !inString && (c == '{' || c == '['):
			if depth++; depth > maxDepth {
				return errors.New("nested too deep")
			}
		case !inString && (c == '}' || c == ']'):
			depth--
		}
	}
	return nil
}

// escapeLen is the length of the escape sequence that s, valid JSON, starts with, a surrogate pair
// being one; 0 if it is a lone surrogate.
func escapeLen(s []byte) int {
	if s[1] != 'u' {
		return 2
	}
	r := hexRune(s[2:])
	if !utf16.IsSurrogate(r) {
		return 6
	}
	if s[6] != '\\' || s[7] != 'u' || utf16.DecodeRune(r, hexRune(s[8:])) == utf8.RuneError {
		return 0
	}
	return 12
}

func hexRune(s []byte) rune {
	n, _ := strconv.ParseUint(string(s[:4]), 16, 16) // valid JSON has four digits here
	return rune(n)
}

// escape returns s as it stands between the quotes of a JSON string. It is not json.Marshal, which
// also escapes <, >, & and U+2028.
func escape(s string) string {
	var b strings.Builder
	for i := range len(s) {
		switch c := s[i]; c {
		case '"', '\\':
			b.WriteString(`\` + string(rune(c)))
		case '\b':
			b.WriteString(`\b`)
		case '\f':
			b.WriteString(`\f`)
		case '\n':
			b.WriteString(`\n`)
		case '\r':
			b.WriteString(`\r`)
		case '\t':
			b.WriteString(`\t`)
		default:
			if c < 0x20 {
				fmt.Fprintf(&b, `\u%04x`, c)
			} else {
				b.WriteByte(c)
			}
		}
	}
	return b.String()
}
