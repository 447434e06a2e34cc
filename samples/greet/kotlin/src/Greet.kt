// greet, in Kotlin: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh.
// It runs on any Java too.

import java.io.ByteArrayOutputStream
import kotlin.system.exitProcess

private const val BAD_DATA = 65
private const val MAX_DEPTH = 100

private class BadInput(reason: String) : Exception(reason)

fun main() {
  try {
    val name = escaped(Request(System.`in`.readBytes()).name())
    System.err.write(join("greeting ", name, "\n"))
    System.out.write(join("{\"greeting\":\"Hello, ", name, "!\"}\n"))
  } catch (e: BadInput) {
    System.err.println("bad input: ${e.message}")
    exitProcess(BAD_DATA)
  }
}

private fun join(before: String, text: ByteArray, after: String): ByteArray {
  val all = ByteArrayOutputStream(text.size + 64)
  all.write(before.encodeToByteArray())
  all.write(text)
  all.write(after.encodeToByteArray())
  return all.toByteArray()
}

/** Returns a text as it stands between the quotes of a JSON string. */
private fun escaped(text: ByteArray): ByteArray {
  val to = ByteArrayOutputStream(text.size + 16)
  for (byte in text) {
    val c = byte.toInt()
    val escape = when (c.toChar()) {
      '"' -> "\\\""
      '\\' -> "\\\\"
      '\b' -> "\\b"
      '\u000c' -> "\\f"
      '\n' -> "\\n"
      '\r' -> "\\r"
      '\t' -> "\\t"
      in '\u0000'..'\u001f' -> "\\u" + c.toString(16).padStart(4, '0')
      else -> null
    }
    if (escape == null) to.write(c) else to.write(escape.encodeToByteArray())
  }
  return to.toByteArray()
}

/**
 * One JSON object, read strictly as RFC 8259 has it; only its member "name" is kept. Text stays in bytes:
 * a Kotlin string is UTF-16 and would hide what is not UTF-8.
 */
private class Request(private val body: ByteArray) {
  private var at = 0
  private var name: ByteArray? = null // null if there is none, or the last one is no string

  fun name(): ByteArray {
    if (peek() != '{') throw BadInput("not a JSON object")
    obj(1)
    peek()
    if (at != body.size) throw BadInput("more than one JSON value")
    return name ?: throw BadInput("no string member \"name\"")
  }

  private fun byteAt(i: Int) = if (i < body.size) body[i].toInt() and 0xFF else 0

  /** Returns the byte at hand, 0 at the end: JSON allows no zero byte. */
  private fun next() = byteAt(at).toChar()

  /** Passes over white space and returns the byte behind it. */
  private fun peek(): Char {
    while (accept(' ') || accept('\n') || accept('\r') || accept('\t')) {}
    return next()
  }

  private fun accept(c: Char): Boolean {
    if (next() != c) return false
    at++
    return true
  }

  private fun take(c: Char): Boolean {
    peek()
    return accept(c)
  }

  private fun expect(c: Char) {
    if (!take(c)) throw BadInput("not JSON")
  }

  /** Passes over a value of any kind. */
  private fun value(depth: Int) {
    when (peek()) {
      '"' -> string()
      '[' -> array(depth)
      '{' -> obj(depth)
      't' -> word("true")
      'f' -> word("false")
      'n' -> word("null")
      else -> number()
    }
  }

  private fun array(depth: Int) {
    expect('[')
    if (depth > MAX_DEPTH) throw BadInput("nested too deep")
    if (take(']')) return
    do value(depth + 1) while (take(','))
    expect(']')
  }

  private fun obj(depth: Int) {
    expect('{')
    if (depth > MAX_DEPTH) throw BadInput("nested too deep")
    if (take('}')) return
    do member(depth) while (take(','))
    expect('}')
  }

  private fun member(depth: Int) {
    val key = string()
    expect(':')
    val wanted = depth == 1 && key.isText("name")
    if (wanted && peek() == '"') {
      val text = string()
      name = body.copyOfRange(text.start, text.end)
    } else {
      value(depth + 1)
      if (wanted) name = null
    }
  }

  private fun word(w: String) {
    for (c in w) if (!accept(c)) throw BadInput("not JSON")
  }

  private fun number() {
    accept('-')
    if (!accept('0')) digits()
    if (accept('.')) digits()
    if (accept('e') || accept('E')) {
      accept('+') || accept('-')
      digits()
    }
  }

  private fun digits() {
    val start = at
    while (next() in '0'..'9') at++
    if (at == start) throw BadInput("bad number")
  }

  /** A string within the body, decoded in place: it never gets longer. */
  private inner class Text {
    val start = at
    var end = at
      private set

    fun isText(s: String) = end - start == s.length && s.indices.all { byteAt(start + it).toChar() == s[it] }

    fun put(b: Int) {
      body[end++] = b.toByte()
    }

    /** Appends a code point in UTF-8. */
    fun rune(r: Int) {
      when {
        r < 0x80 -> put(r)
        r < 0x800 -> {
          put(0xC0 or (r shr 6))
          tail(r)
        }
        r < 0x10000 -> {
          put(0xE0 or (r shr 12))
          tail(r shr 6)
          tail(r)
        }
        else -> {
          put(0xF0 or (r shr 18))
          tail(r shr 12)
          tail(r shr 6)
          tail(r)
        }
      }
    }

    private fun tail(r: Int) = put(0x80 or (r and 0x3F))
  }

  private fun string(): Text {
    expect('"')
    val text = Text()
    while (!accept('"')) {
      if (next() < ' ') throw BadInput("unfinished string or control character in it")
      if (accept('\\')) {
        text.rune(escape())
        continue
      }
      val length = utf8Length(at)
      if (length == 0) throw BadInput("not UTF-8")
      repeat(length) { text.put(byteAt(at++)) }
    }
    return text
  }

  /**
   * Returns the length of the UTF-8 sequence at i, 0 where there is none: overlong forms, surrogates and
   * everything above U+10FFFF are refused (RFC 3629).
   */
  private fun utf8Length(i: Int): Int {
    val first = byteAt(i)
    val length = when (first) {
      in 0x00..0x7F -> return 1
      in 0xC2..0xDF -> 2
      in 0xE0..0xEF -> 3
      in 0xF0..0xF4 -> 4
      else -> return 0
    }
    val low = if (first == 0xE0) 0xA0 else if (first == 0xF0) 0x90 else 0x80
    val high = if (first == 0xED) 0x9F else if (first == 0xF4) 0x8F else 0xBF
    if (byteAt(i + 1) !in low..high) return 0
    return if ((2 until length).all { byteAt(i + it) in 0x80..0xBF }) length else 0
  }

  /** Reads what follows a backslash. */
  private fun escape(): Int {
    if (accept('u')) return unicodeEscape()
    val i = "\"\\/bfnrt".indexOf(next())
    if (i < 0) throw BadInput("bad escape")
    at++
    return "\"\\/\b\u000c\n\r\t"[i].code
  }

  private fun unicodeEscape(): Int {
    val high = hex4()
    if (!high.isSurrogate()) return high.code
    if (high.isLowSurrogate() || !accept('\\') || !accept('u')) throw BadInput("lone surrogate")
    val low = hex4()
    if (!low.isLowSurrogate()) throw BadInput("lone surrogate")
    return 0x10000 + ((high.code - 0xD800) shl 10) + (low.code - 0xDC00)
  }

  private fun hex4(): Char {
    var value = 0
    repeat(4) {
      val digit = "0123456789abcdefABCDEF".indexOf(next())
      if (digit < 0) throw BadInput("bad \\u escape")
      value = value shl 4 or (if (digit < 16) digit else digit - 6)
      at++
    }
    return value.toChar()
  }
}
