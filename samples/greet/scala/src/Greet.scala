// greet, in Scala: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh.
// It runs on any Java too.

import java.io.ByteArrayOutputStream

object Greet {
  private val BadData = 65

  def main(args: Array[String]): Unit =
    try {
      val name = escaped(new Request(System.in.readAllBytes()).name)
      System.err.write(joined("greeting ", name, "\n"))
      System.out.write(joined("{\"greeting\":\"Hello, ", name, "!\"}\n"))
    } catch {
      case e: BadInput =>
        System.err.println(s"bad input: ${e.getMessage}")
        System.exit(BadData)
    }

  private def joined(before: String, text: Array[Byte], after: String): Array[Byte] = {
    val all = new ByteArrayOutputStream(text.length + 64)
    all.write(before.getBytes)
    all.write(text)
    all.write(after.getBytes)
    all.toByteArray
  }

  /** Returns a text as it stands between the quotes of a JSON string. */
  private def escaped(text: Array[Byte]): Array[Byte] = {
    val to = new ByteArrayOutputStream(text.length + 16)
    text.foreach {
      case '"' => to.write("\\\"".getBytes)
      case '\\' => to.write("\\\\".getBytes)
      case '\b' => to.write("\\b".getBytes)
      case '\f' => to.write("\\f".getBytes)
      case '\n' => to.write("\\n".getBytes)
      case '\r' => to.write("\\r".getBytes)
      case '\t' => to.write("\\t".getBytes)
      case c if c >= 0 && c < 0x20 => to.write(((if (c < 0x10) "\\u000" else "\\u00") + c.toInt.toHexString).getBytes)
      case c => to.write(c)
    }
    to.toByteArray
  }
}

final class BadInput(reason: String) extends Exception(reason)

/**
 * One JSON object, read strictly as RFC 8259 has it; only its member "name" is kept. Text stays in bytes:
 * a string of the JVM is UTF-16 and would hide what is not UTF-8.
 */
final class Request(body: Array[Byte]) {
  private val MaxDepth = 100

  private var at = 0

  /** The string member "name"; the last one counts. */
  def name: Array[Byte] = {
    var found: Option[Array[Byte]] = None
    if (peek() != '{') fail("not a JSON object")
    members(1) { key =>
      if (new String(key, "ISO-8859-1") != "name") value(2)
      else if (peek() == '"') found = Some(string())
      else {
        value(2)
        found = None
      }
    }
    peek()
    if (at != body.length) fail("more than one JSON value")
    found.getOrElse(fail("no string member \"name\""))
  }

  private def fail(reason: String): Nothing = throw new BadInput(reason)

  /** Returns the byte i places ahead, 0 behind the end: JSON allows no zero byte. */
  private def ahead(i: Int): Int = if (at + i < body.length) body(at + i) & 0xFF else 0

  /** Passes over white space and returns the byte behind it. */
  private def peek(): Int = {
    while (accept(' ') || accept('\t') || accept('\n') || accept('\r')) {}
    ahead(0)
  }

  private def accept(c: Char): Boolean = {
    val found = ahead(0) == c
    if (found) at += 1
    found
  }

  private def take(c: Char): Boolean = {
    peek()
    accept(c)
  }

  private def expect(c: Char): Unit = if (!take(c)) fail("not JSON")

  /** Checks a value of any kind and passes over it. */
  private def value(depth: Int): Unit = peek() match {
    case '"' => string()
    case '[' => sequence(depth, '[', ']')(value(depth + 1))
    case '{' => members(depth)(_ => value(depth + 1))
    case 't' => word("true")
    case 'f' => word("false")
    case 'n' => word("null")
    case _ => number()
  }

  private def members(depth: Int)(valueOf: Array[Byte] => Unit): Unit = sequence(depth, '{', '}') {
    peek()
    val key = string()
    expect(':')
    valueOf(key)
  }

  /** Reads elements between two brackets, with commas between them. */
  private def sequence(depth: Int, opening: Char, closing: Char)(element: => Unit): Unit = {
    expect(opening)
    if (depth > MaxDepth) fail("nested too deep")
    if (!take(closing)) {
      element
      while (take(',')) element
      expect(closing)
    }
  }

  private def word(w: String): Unit = w.foreach(c => if (!accept(c)) fail("not JSON"))

  private def number(): Unit = {
    accept('-')
    if (!accept('0')) digits()
    if (accept('.')) digits()
    if (accept('e') || accept('E')) {
      accept('+') || accept('-')
      digits()
    }
  }

  private def digits(): Unit = {
    val start = at
    while (ahead(0) >= '0' && ahead(0) <= '9') at += 1
    if (at == start) fail("bad number")
  }

  private def string(): Array[Byte] = {
    expect('"')
    val text = new ByteArrayOutputStream(16)
    while (!accept('"')) {
      if (ahead(0) < 0x20) fail("unfinished string or control character in it")
      if (accept('\\')) put(text, escape())
      else {
        val length = utf8Length
        text.write(body, at, length)
        at += length
      }
    }
    text.toByteArray
  }

  /** Appends a code point in UTF-8. */
  private def put(text: ByteArrayOutputStream, rune: Int): Unit = {
    def tail(shift: Int): Unit = text.write(0x80 | rune >> shift & 0x3F)
    if (rune < 0x80) text.write(rune)
    else if (rune < 0x800) {
      text.write(0xC0 | rune >> 6)
      tail(0)
    } else if (rune < 0x10000) {
      text.write(0xE0 | rune >> 12)
      tail(6)
      tail(0)
    } else {
      text.write(0xF0 | rune >> 18)
      tail(12)
      tail(6)
      tail(0)
    }
  }

  /**
   * The length of the UTF-8 sequence at hand: overlong forms, surrogates and everything above U+10FFFF are
   * refused (RFC 3629).
   */
  private def utf8Length: Int = {
    val first = ahead(0)
    val length = if (first < 0x80) 1 else if (first < 0xC2) 0 else if (first < 0xE0) 2 else if (first < 0xF0) 3 else if (first < 0xF5) 4 else 0
    val low = if (first == 0xE0) 0xA0 else if (first == 0xF0) 0x90 else 0x80
    val high = if (first == 0xED) 0x9F else if (first == 0xF4) 0x8F else 0xBF
    if (length == 0 || length > 1 && (ahead(1) < low || ahead(1) > high)) fail("not UTF-8")
    var i = 2
    while (i < length) {
      if ((ahead(i) & 0xC0) != 0x80) fail("not UTF-8")
      i += 1
    }
    length
  }

  /** Reads what follows a backslash. */
  private def escape(): Int = {
    val c = ahead(0)
    at += 1
    c match {
      case '"' | '\\' | '/' => c
      case 'b' => '\b'
      case 'f' => '\f'
      case 'n' => '\n'
      case 'r' => '\r'
      case 't' => '\t'
      case 'u' => unicodeEscape()
      case _ => fail("bad escape")
    }
  }

  private def unicodeEscape(): Int = {
    val high = hex4()
    if (!high.isSurrogate) high
    else {
      if (high.isLowSurrogate || !(accept('\\') && accept('u'))) fail("lone surrogate")
      val low = hex4()
      if (!low.isLowSurrogate) fail("lone surrogate")
      Character.toCodePoint(high, low)
    }
  }

  private def hex4(): Char = {
    var value = 0
    for (_ <- 1 to 4) {
      val digit = "0123456789abcdefABCDEF".indexOf(ahead(0))
      if (digit < 0) fail("bad \\u escape")
      value = value << 4 | (if (digit < 16) digit else digit - 6)
      at += 1
    }
    value.toChar
  }
}
