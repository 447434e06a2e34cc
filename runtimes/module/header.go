package module

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// headerSize is the length of magic number and version.
const headerSize = 8

// checkHeader tells a wasm core module from everything else that people hand in for one.
func checkHeader(b []byte) *Error {
	switch {
	case len(b) == 0:
		return &Error{Msg: "the file is empty"}
	case !bytes.HasPrefix(b, []byte("\x00asm")):
		return &Error{Msg: "not a wasm module: " + guess(b)}
	case len(b) < headerSize:
		return &Error{Offset: len(b), Msg: "the file ends within the wasm header: it was cut off"}
	case b[6] == 1 && b[7] == 0:
		return &Error{Offset: 4, Msg: "this is a component (layer 1); polyvoke runs core modules with WASI preview1: " +
			"build for a preview1 target instead, such as wasm32-wasip1, without wrapping the module as a component"}
	case !bytes.Equal(b[4:8], []byte{1, 0, 0, 0}):
		return &Error{Offset: 4, Msg: "unknown version of the wasm format; only version 1 is supported"}
	}
	return nil
}

// guess says what a file that is not wasm looks like, and what to do with it.
func guess(b []byte) string {
	for _, k := range []struct{ prefix, text string }{
		{"\x1f\x8b", "it is compressed with gzip; unpack it first"},
		{"\x28\xb5\x2f\xfd", "it is compressed with zstd; unpack it first"},
		{"PK\x03\x04", "it is a zip archive; unpack it and use the .wasm file in it"},
		{"\x7fELF", "it is a native Linux program (ELF); compile for the target wasm32-wasip1 instead"},
		{"MZ", "it is a native Windows program; compile for the target wasm32-wasip1 instead"},
		{"\xcf\xfa\xed\xfe", "it is a native macOS program; compile for the target wasm32-wasip1 instead"},
		{"!<arch>", "it is a library archive; link it to a .wasm file"},
		{"#!", "it is a script; only compiled wasm runs here"},
	} {
		if bytes.HasPrefix(b, []byte(k.prefix)) {
			return k.text
		}
	}
	switch {
	case isWat(b):
		return "it is in the text format; compile it with wat2wasm"
	case len(b) < 4 && bytes.HasPrefix([]byte("\x00asm"), b):
		return "the file ends within the magic number: it was cut off"
	case looksLikeText(b):
		return "it is text; only compiled wasm runs here"
	}
	return `it does not begin with the bytes 00 61 73 6d ("\0asm")`
}

// isWat reports whether b begins like a module in the text format, perhaps after comments.
func isWat(b []byte) bool {
	for range 100 {
		b = bytes.TrimLeft(b, " \t\r\n")
		if !bytes.HasPrefix(b, []byte(";;")) {
			break
		}
		_, b, _ = bytes.Cut(b, []byte("\n"))
	}
	return bytes.HasPrefix(b, []byte("(module")) || bytes.HasPrefix(b, []byte("(component")) ||
		bytes.HasPrefix(b, []byte("(;"))
}

// looksLikeText looks at the beginning only.
func looksLikeText(b []byte) bool {
	b = b[:min(len(b), 256)]
	for len(b) > utf8.UTFMax { // the last character may be cut
		r, n := utf8.DecodeRune(b)
		if r == utf8.RuneError && n == 1 || r < ' ' && !unicode.IsSpace(r) {
			return false
		}
		b = b[n:]
	}
	return true
}
