# greet, in MicroPython: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"}
# on stdout and one log line on stderr; a bad request is exit code 65. MicroPython's module json takes
# more than JSON, so this program brings a reader that is as strict as RFC 8259. It works on bytes, of which
# each has its place; the characters of a str have to be counted.

import sys

MAX_DEPTH = 100
BAD_DATA = 65

ESCAPES = {b'"': b'"', b"\\": b"\\", b"/": b"/", b"b": b"\b", b"f": b"\f", b"n": b"\n", b"r": b"\r", b"t": b"\t"}
SHORT = {8: b"\\b", 9: b"\\t", 10: b"\\n", 12: b"\\f", 13: b"\\r"}
SPACE = b" \t\n\r"
DIGITS = b"0123456789"
HEX = b"0123456789abcdefABCDEF"


def fail(reason):
    sys.stderr.write("bad input: " + reason + "\n")
    sys.exit(BAD_DATA)


class Reader:
    """Reads one JSON object and keeps only strings."""

    def __init__(self, body):
        self.body = body + b"\0"  # which stands nowhere in JSON, so no look ahead goes too far
        self.at = 0

    def peek(self):
        """Passes over white space and returns the byte behind it."""
        while self.body[self.at] in SPACE:
            some = self.body[self.at : self.at + 256]
            self.at += len(some) - len(some.lstrip(SPACE))
        return self.body[self.at]

    def accept(self, what):
        if not self.body.startswith(what, self.at):
            return False
        self.at += len(what)
        return True

    def take(self, byte):
        self.peek()
        return self.accept(byte)

    def expect(self, byte):
        if not self.take(byte):
            fail("not JSON")

    def hex4(self):
        digits = self.body[self.at : self.at + 4]
        for digit in digits:
            if digit not in HEX:
                fail("bad \\u escape")
        self.at += 4
        return int(digits, 16)

    def escape(self):
        """Reads what follows a backslash."""
        letter = self.body[self.at : self.at + 1]
        self.at += 1
        if letter != b"u":
            if letter not in ESCAPES:
                fail("bad escape")
            return ESCAPES[letter]
        rune = self.hex4()
        if 0xD800 <= rune <= 0xDFFF:
            if rune > 0xDBFF or not self.accept(b"\\u"):
                fail("lone surrogate")
            low = self.hex4()
            if not 0xDC00 <= low <= 0xDFFF:
                fail("lone surrogate")
            rune = 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00)
        return chr(rune).encode()

    def string(self):
        self.expect(b'"')
        parts = []
        end = -1
        while True:
            if end < self.at:
                end = self.body.find(b'"', self.at)
                if end < 0:
                    fail("unfinished string")
            stop = self.body.find(b"\\", self.at, end)
            part = self.body[self.at : end if stop < 0 else stop]
            if part and min(part) < 0x20:
                fail("control character in a string")
            parts.append(part)
            if stop < 0:
                self.at = end + 1
                return b"".join(parts)
            self.at = stop + 1
            parts.append(self.escape())

    def digits(self):
        at = self.at
        while self.body[self.at] in DIGITS:
            self.at += 1
        if self.at == at:
            fail("bad number")

    def number(self):
        self.accept(b"-")
        if not self.accept(b"0"):
            self.digits()
        if self.accept(b"."):
            self.digits()
        if self.accept(b"e") or self.accept(b"E"):
            if not self.accept(b"+"):
                self.accept(b"-")
            self.digits()

    def array(self, depth):
        self.expect(b"[")
        if depth > MAX_DEPTH:
            fail("nested too deep")
        if self.take(b"]"):
            return
        self.value(depth + 1)
        while self.take(b","):
            self.value(depth + 1)
        self.expect(b"]")

    def member(self, depth, found):
        key = self.string()
        self.expect(b":")
        value = self.value(depth + 1)
        return value if key == b"name" else found

    def object(self, depth):
        """Reads an object and returns its last member "name", None if that is no string."""
        self.expect(b"{")
        if depth > MAX_DEPTH:
            fail("nested too deep")
        if self.take(b"}"):
            return None
        name = self.member(depth, None)
        while self.take(b","):
            name = self.member(depth, name)
        self.expect(b"}")
        return name

    def value(self, depth):
        """Passes over a value of any kind; of a string it returns the bytes."""
        first = self.peek()
        if first == ord('"'):
            return self.string()
        if first == ord("["):
            self.array(depth)
        elif first == ord("{"):
            self.object(depth)
        elif not (self.accept(b"true") or self.accept(b"false") or self.accept(b"null")):
            self.number()


def name_of(body):
    """Returns the member "name" of a request."""
    try:
        body.decode()
    except UnicodeError:
        fail("not UTF-8")
    reader = Reader(body)
    if reader.peek() != ord("{"):
        fail("not a JSON object")
    name = reader.object(1)
    reader.peek()
    if reader.at < len(body):
        fail("more than one JSON value")
    if name is None:
        fail('no string member "name"')
    return name


def escaped(text):
    """Returns bytes as they stand between the quotes of a JSON string."""
    text = text.replace(b"\\", b"\\\\").replace(b'"', b'\\"')
    for code in range(0x20):
        text = text.replace(bytes([code]), SHORT.get(code) or b"\\u%04x" % code)
    return text.decode()


name = escaped(name_of(sys.stdin.buffer.read()))
sys.stderr.write("greeting " + name + "\n")
print('{"greeting":"Hello, ' + name + '!"}')
