// greet, in Java: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh.
// It runs on any Java too: java src/Greet.java

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.nio.charset.StandardCharsets;

public final class Greet {
  private static final int BAD_DATA = 65;

  public static void main(String[] args) throws IOException {
    try {
      byte[] name = escaped(new Request(System.in.readAllBytes()).name());
      System.err.write(join("greeting ", name, "\n"));
      System.out.write(join("{\"greeting\":\"Hello, ", name, "!\"}\n"));
    } catch (BadInput e) {
      System.err.println("bad input: " + e.getMessage());
      System.exit(BAD_DATA);
    }
  }

  private static byte[] join(String before, byte[] text, String after) throws IOException {
    var all = new ByteArrayOutputStream(text.length + 64);
    all.write(ascii(before));
    all.write(text);
    all.write(ascii(after));
    return all.toByteArray();
  }

  /** Returns a text as it stands between the quotes of a JSON string. */
  private static byte[] escaped(byte[] text) throws IOException {
    var to = new ByteArrayOutputStream(text.length + 16);
    for (byte b : text) {
      switch (b) {
        case '"' -> to.write(ascii("\\\""));
        case '\\' -> to.write(ascii("\\\\"));
        case '\b' -> to.write(ascii("\\b"));
        case '\f' -> to.write(ascii("\\f"));
        case '\n' -> to.write(ascii("\\n"));
        case '\r' -> to.write(ascii("\\r"));
        case '\t' -> to.write(ascii("\\t"));
        default -> {
          if (b >= 0 && b < 0x20) to.write(ascii((b < 0x10 ? "\\u000" : "\\u00") + Integer.toHexString(b)));
          else to.write(b);
        }
      }
    }
    return to.toByteArray();
  }

  private static byte[] ascii(String s) {
    return s.getBytes(StandardCharsets.US_ASCII);
  }

  private static final class BadInput extends RuntimeException {
    BadInput(String reason) {
      super(reason);
    }
  }

  /**
   * One JSON object, read strictly as RFC 8259 has it; only its member "name" is kept. Text stays in bytes:
   * a Java string is UTF-16 and would hide what is not UTF-8.
   */
  private static final class Request {
    private static final int MAX_DEPTH = 100;

    private final byte[] body;
    private int at;
    private byte[] name; // null if there is none, or the last one is no string

    Request(byte[] body) {
      this.body = body;
    }

    byte[] name() {
      if (peek() != '{') throw new BadInput("not a JSON object");
      object(1);
      peek();
      if (at != body.length) throw new BadInput("more than one JSON value");
      if (name == null) throw new BadInput("no string member \"name\"");
      return name;
    }

    /** Returns the byte at hand, 0 at the end: JSON allows no zero byte. */
    private int next() {
      return byteAt(at);
    }

    private int byteAt(int i) {
      return i < body.length ? body[i] & 0xFF : 0;
    }

    /** Passes over white space and returns the byte behind it. */
    private int peek() {
      while (accept(' ') || accept('\n') || accept('\r') || accept('\t')) {}
      return next();
    }

    private boolean accept(char c) {
      if (next() != c) return false;
      at++;
      return true;
    }

    private boolean take(char c) {
      peek();
      return accept(c);
    }

    private void expect(char c) {
      if (!take(c)) throw new BadInput("not JSON");
    }

    /** Passes over a value of any kind. */
    private void value(int depth) {
      switch (peek()) {
        case '"' -> string();
        case '[' -> array(depth);
        case '{' -> object(depth);
        case 't' -> word("true");
        case 'f' -> word("false");
        case 'n' -> word("null");
        default -> number();
      }
    }

    private void array(int depth) {
      expect('[');
      if (depth > MAX_DEPTH) throw new BadInput("nested too deep");
      if (take(']')) return;
      do value(depth + 1); while (take(','));
      expect(']');
    }

    private void object(int depth) {
      expect('{');
      if (depth > MAX_DEPTH) throw new BadInput("nested too deep");
      if (take('}')) return;
      do member(depth); while (take(','));
      expect('}');
    }

    private void member(int depth) {
      Text key = string();
      expect(':');
      if (depth > 1 || !key.is("name")) {
        value(depth + 1);
      } else if (peek() == '"') {
        name = string().bytes();
      } else {
        value(depth + 1);
        name = null;
      }
    }

    private void word(String w) {
      for (int i = 0; i < w.length(); i++) {
        if (!accept(w.charAt(i))) throw new BadInput("not JSON");
      }
    }

    private void number() {
      accept('-');
      if (!accept('0')) digits();
      if (accept('.')) digits();
      if (accept('e') || accept('E')) {
        if (!accept('+')) accept('-');
        digits();
      }
    }

    private void digits() {
      int start = at;
      while (next() >= '0' && next() <= '9') at++;
      if (at == start) throw new BadInput("bad number");
    }

    /** A string within the body, decoded in place: it never gets longer. */
    private final class Text {
      private final int start = at;
      private int end = at;

      boolean is(String s) {
        if (end - start != s.length()) return false;
        for (int i = 0; i < s.length(); i++) {
          if (body[start + i] != s.charAt(i)) return false;
        }
        return true;
      }

      byte[] bytes() {
        var copy = new byte[end - start];
        System.arraycopy(body, start, copy, 0, copy.length);
        return copy;
      }

      void put(int b) {
        body[end++] = (byte) b;
      }

      /** Appends a code point in UTF-8. */
      void rune(int r) {
        if (r < 0x80) {
          put(r);
        } else if (r < 0x800) {
          put(0xC0 | r >> 6);
          put(0x80 | r & 0x3F);
        } else if (r < 0x10000) {
          put(0xE0 | r >> 12);
          put(0x80 | r >> 6 & 0x3F);
          put(0x80 | r & 0x3F);
        } else {
          put(0xF0 | r >> 18);
          put(0x80 | r >> 12 & 0x3F);
          put(0x80 | r >> 6 & 0x3F);
          put(0x80 | r & 0x3F);
        }
      }
    }

    private Text string() {
      expect('"');
      var text = new Text();
      while (!accept('"')) {
        if (next() < 0x20) throw new BadInput("unfinished string or control character in it");
        if (accept('\\')) {
          text.rune(escape());
          continue;
        }
        int length = utf8Length(at);
        if (length == 0) throw new BadInput("not UTF-8");
        for (; length > 0; length--) text.put(body[at++]);
      }
      return text;
    }

    /**
     * Returns the length of the UTF-8 sequence at i, 0 where there is none: overlong forms, surrogates and
     * everything above U+10FFFF are refused (RFC 3629).
     */
    private int utf8Length(int i) {
      int first = byteAt(i);
      if (first < 0x80) return 1;
      if (first < 0xC2 || first > 0xF4) return 0;
      int low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
      int high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
      if (byteAt(i + 1) < low || byteAt(i + 1) > high) return 0;
      int length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
      for (int k = 2; k < length; k++) {
        if ((byteAt(i + k) & 0xC0) != 0x80) return 0;
      }
      return length;
    }

    /** Reads what follows a backslash. */
    private int escape() {
      if (accept('u')) return unicodeEscape();
      int i = "\"\\/bfnrt".indexOf(next());
      if (i < 0) throw new BadInput("bad escape");
      at++;
      return "\"\\/\b\f\n\r\t".charAt(i);
    }

    private int unicodeEscape() {
      char high = hex4();
      if (!Character.isSurrogate(high)) return high;
      if (Character.isLowSurrogate(high) || !accept('\\') || !accept('u')) throw new BadInput("lone surrogate");
      char low = hex4();
      if (!Character.isLowSurrogate(low)) throw new BadInput("lone surrogate");
      return Character.toCodePoint(high, low);
    }

    private char hex4() {
      int value = 0;
      for (int i = 0; i < 4; i++, at++) {
        int digit = "0123456789abcdefABCDEF".indexOf(next());
        if (digit < 0) throw new BadInput("bad \\u escape");
        value = value << 4 | (digit < 16 ? digit : digit - 6);
      }
      return (char) value;
    }
  }
}
