// greet, in Swift: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on stdout and one log line on
// stderr; a bad request is exit code 65. Build it with ./build.sh.
//
// This is Embedded Swift, which has no Foundation: the program reads bytes, and brings a reader of JSON that is as strict as RFC 8259.

let maxDepth = 100
let badData: Int32 = 65

struct BadInput: Error {
  let reason: StaticString
  init(_ reason: StaticString) { self.reason = reason }
}

@_cdecl("swift_main")
func run() {
  do throws(BadInput) {
    var request = Request(readAll(0))
    let name = escaped(try request.name())
    writeAll(2, joined("greeting ", name, "\n"))
    writeAll(1, joined("{\"greeting\":\"Hello, ", name, "!\"}\n"))
  } catch {
    var reason: [UInt8] = []
    append(&reason, error.reason)
    writeAll(2, joined("bad input: ", reason, "\n"))
    exit(badData)
  }
}

/// append appends the bytes of a literal.
func append(_ text: inout [UInt8], _ literal: StaticString) {
  for i in 0..<literal.utf8CodeUnitCount { text.append(literal.utf8Start[i]) }
}

func joined(_ before: StaticString, _ text: [UInt8], _ after: StaticString) -> [UInt8] {
  var all: [UInt8] = []
  append(&all, before)
  all.append(contentsOf: text)
  append(&all, after)
  return all
}

func readAll(_ fd: Int32) -> [UInt8] {
  var all = [UInt8](repeating: 0, count: 65536)
  var length = 0
  while true {
    if length == all.count { all.append(contentsOf: [UInt8](repeating: 0, count: length)) }
    let n = all.withUnsafeMutableBufferPointer { read(fd, $0.baseAddress! + length, UInt($0.count - length)) }
    if n <= 0 { break }
    length += Int(n)
  }
  all.removeLast(all.count - length)
  return all
}

func writeAll(_ fd: Int32, _ text: [UInt8]) {
  var from = 0
  while from < text.count {
    let n = text.withUnsafeBufferPointer { write(fd, $0.baseAddress! + from, UInt($0.count - from)) }
    if n <= 0 { exit(74) }
    from += Int(n)
  }
}

let quote = UInt8(ascii: "\"")
let backslash = UInt8(ascii: "\\")

/// A request and the place of the next byte in it. A zero byte, which JSON does not allow, follows the last one.
struct Request {
  let body: [UInt8]
  var at = 0

  init(_ request: [UInt8]) {
    var ended = request
    ended.append(0)
    body = ended
  }

  /// name reads the object and returns its last member "name".
  mutating func name() throws(BadInput) -> [UInt8] {
    if peek() != UInt8(ascii: "{") { throw BadInput("not a JSON object") }
    let name = try object(1)
    _ = peek()
    if at != body.count - 1 { throw BadInput("more than one JSON value") }
    guard let name else { throw BadInput("no string member \"name\"") }
    return name
  }

  /// peek passes over white space and returns the byte behind it.
  mutating func peek() -> UInt8 {
    while true {
      switch body[at] {
      case 0x20, 0x0A, 0x0D, 0x09: at += 1
      default: return body[at]
      }
    }
  }

  mutating func accept(_ byte: Unicode.Scalar) -> Bool {
    if body[at] != UInt8(ascii: byte) { return false }
    at += 1
    return true
  }

  mutating func take(_ byte: Unicode.Scalar) -> Bool {
    _ = peek()
    return accept(byte)
  }

  mutating func expect(_ byte: Unicode.Scalar) throws(BadInput) {
    if !take(byte) { throw BadInput("not JSON") }
  }

  /// value passes over a value of any kind; of a string it returns the text.
  mutating func value(_ depth: Int) throws(BadInput) -> [UInt8]? {
    switch peek() {
    case quote: return try string()
    case UInt8(ascii: "["): try array(depth)
    case UInt8(ascii: "{"): _ = try object(depth)
    case UInt8(ascii: "t"): try word("true")
    case UInt8(ascii: "f"): try word("false")
    case UInt8(ascii: "n"): try word("null")
    default: try number()
    }
    return nil
  }

  mutating func array(_ depth: Int) throws(BadInput) {
    if depth > maxDepth { throw BadInput("nested too deep") }
    try expect("[")
    if take("]") { return }
    repeat { _ = try value(depth + 1) } while take(",")
    try expect("]")
  }

  /// object reads an object and returns its last member "name", nil if that is no string.
  mutating func object(_ depth: Int) throws(BadInput) -> [UInt8]? {
    if depth > maxDepth { throw BadInput("nested too deep") }
    var name: [UInt8]? = nil
    try expect("{")
    if take("}") { return nil }
    repeat {
      let key = try string()
      try expect(":")
      let found = try value(depth + 1)
      if isName(key) { name = found }
    } while take(",")
    try expect("}")
    return name
  }

  mutating func word(_ letters: StaticString) throws(BadInput) {
    for i in 0..<letters.utf8CodeUnitCount {
      if body[at] != letters.utf8Start[i] { throw BadInput("not JSON") }
      at += 1
    }
  }

  mutating func number() throws(BadInput) {
    _ = accept("-")
    if !accept("0") { try digits("not JSON") }
    if accept(".") { try digits("bad number") }
    if accept("e") || accept("E") {
      if !accept("+") { _ = accept("-") }
      try digits("bad number")
    }
  }

  mutating func digits(_ wrong: StaticString) throws(BadInput) {
    let first = at
    while body[at] >= 0x30 && body[at] <= 0x39 { at += 1 }
    if at == first { throw BadInput(wrong) }
  }

  /// string reads a string and returns its text as UTF-8.
  mutating func string() throws(BadInput) -> [UInt8] {
    try expect("\"")
    var text: [UInt8] = []
    while body[at] != quote {
      let byte = body[at]
      if byte < 0x20 { throw BadInput("unfinished string or control character in it") }
      if byte == backslash {
        at += 1
        try escape(&text)
      } else if byte < 0x80 {
        text.append(byte)
        at += 1
      } else {
        for _ in 0..<(try width()) {
          text.append(body[at])
          at += 1
        }
      }
    }
    at += 1
    return text
  }

  /// width returns the length of the character of several bytes that begins here (RFC 3629).
  func width() throws(BadInput) -> Int {
    let first = body[at]
    let length = first < 0xC2 ? 0 : first < 0xE0 ? 2 : first < 0xF0 ? 3 : first < 0xF5 ? 4 : 0
    if length == 0 || at + length >= body.count { throw BadInput("not UTF-8") }
    let low: UInt8 = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80
    let high: UInt8 = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF
    if body[at + 1] < low || body[at + 1] > high { throw BadInput("not UTF-8") }
    for i in 2..<max(length, 2) where body[at + i] & 0xC0 != 0x80 { throw BadInput("not UTF-8") }
    return length
  }

  /// escape reads what follows a backslash and appends what it stands for.
  mutating func escape(_ text: inout [UInt8]) throws(BadInput) {
    let byte = body[at]
    at += 1
    switch byte {
    case quote, backslash, UInt8(ascii: "/"): text.append(byte)
    case UInt8(ascii: "b"): text.append(0x08)
    case UInt8(ascii: "f"): text.append(0x0C)
    case UInt8(ascii: "n"): text.append(0x0A)
    case UInt8(ascii: "r"): text.append(0x0D)
    case UInt8(ascii: "t"): text.append(0x09)
    case UInt8(ascii: "u"): append(&text, try rune())
    default: throw BadInput("bad escape")
    }
  }

  /// rune reads what follows \u, and the second half of a pair.
  mutating func rune() throws(BadInput) -> UInt32 {
    let high = try hex4()
    if high < 0xD800 || high > 0xDFFF { return high }
    if high > 0xDBFF || !accept("\\") || !accept("u") { throw BadInput("lone surrogate") }
    let low = try hex4()
    if low < 0xDC00 || low > 0xDFFF { throw BadInput("lone surrogate") }
    return 0x10000 + (high - 0xD800) << 10 + (low - 0xDC00)
  }

  mutating func hex4() throws(BadInput) -> UInt32 {
    var value: UInt32 = 0
    for _ in 0..<4 {
      let byte = body[at]
      switch byte {
      case 0x30...0x39: value = value << 4 | UInt32(byte - 0x30)
      case 0x41...0x46: value = value << 4 | UInt32(byte - 0x41 + 10)
      case 0x61...0x66: value = value << 4 | UInt32(byte - 0x61 + 10)
      default: throw BadInput("bad \\u escape")
      }
      at += 1
    }
    return value
  }
}

func isName(_ key: [UInt8]) -> Bool {
  key.count == 4 && key[0] == UInt8(ascii: "n") && key[1] == UInt8(ascii: "a") && key[2] == UInt8(ascii: "m") && key[3] == UInt8(ascii: "e")
}

/// append appends a character as UTF-8.
func append(_ text: inout [UInt8], _ rune: UInt32) {
  if rune < 0x80 {
    text.append(UInt8(rune))
  } else if rune < 0x800 {
    text.append(UInt8(0xC0 | rune >> 6))
    text.append(UInt8(0x80 | rune & 0x3F))
  } else {
    if rune < 0x10000 {
      text.append(UInt8(0xE0 | rune >> 12))
    } else {
      text.append(UInt8(0xF0 | rune >> 18))
      text.append(UInt8(0x80 | rune >> 12 & 0x3F))
    }
    text.append(UInt8(0x80 | rune >> 6 & 0x3F))
    text.append(UInt8(0x80 | rune & 0x3F))
  }
}

/// escaped returns a text as it stands between the quotes of a JSON string.
func escaped(_ text: [UInt8]) -> [UInt8] {
  var out: [UInt8] = []
  for byte in text {
    switch byte {
    case quote: append(&out, "\\\"")
    case backslash: append(&out, "\\\\")
    case 0x08: append(&out, "\\b")
    case 0x0C: append(&out, "\\f")
    case 0x0A: append(&out, "\\n")
    case 0x0D: append(&out, "\\r")
    case 0x09: append(&out, "\\t")
    case 0..<0x20:
      append(&out, byte < 0x10 ? "\\u000" : "\\u001")
      let digit = byte & 0x0F
      out.append(digit < 10 ? 0x30 + digit : 0x57 + digit)
    default: out.append(byte)
    }
  }
  return out
}
