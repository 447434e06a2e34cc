// greet, in C: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh, or:
//
//	clang-14 --target=wasm32-wasi -Os -Wl,-s greet.c -o greet.wasm

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_DEPTH = 100, BAD_DATA = 65 };

typedef struct {
  char *bytes;
  size_t len;
} text;

static char *at; // the next byte of the request; a zero byte follows the last one

static _Noreturn void fail(const char *reason) {
  fprintf(stderr, "bad input: %s\n", reason);
  exit(BAD_DATA);
}

static text read_all(FILE *in) {
  size_t size = 4096, len = 0;
  char *bytes = NULL;
  do {
    size *= 2;
    bytes = realloc(bytes, size);
    if (!bytes) fail("too large for the memory");
    len += fread(bytes + len, 1, size - 1 - len, in);
  } while (len == size - 1);
  bytes[len] = 0;
  return (text){bytes, len};
}

// peek passes over white space and returns the byte behind it.
static char peek(void) {
  while (*at == ' ' || *at == '\t' || *at == '\n' || *at == '\r') at++;
  return *at;
}

static bool take(char c) {
  if (peek() != c) return false;
  at++;
  return true;
}

static void expect(char c) {
  if (!take(c)) fail("not JSON");
}

// utf8_len is the length of the UTF-8 sequence at p, or 0 where there is none: overlong forms,
// surrogates and everything above U+10FFFF are refused (RFC 3629).
static int utf8_len(const unsigned char *p) {
  int n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
  unsigned low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
  unsigned high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
  if (n > 1 && (p[1] < low || p[1] > high)) return 0;
  for (int i = 2; i < n; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return n;
}

static char *put_utf8(char *to, unsigned rune) {
  if (rune < 0x80) {
    *to++ = rune;
  } else if (rune < 0x800) {
    *to++ = 0xC0 | rune >> 6;
    *to++ = 0x80 | (rune & 0x3F);
  } else if (rune < 0x10000) {
    *to++ = 0xE0 | rune >> 12;
    *to++ = 0x80 | (rune >> 6 & 0x3F);
    *to++ = 0x80 | (rune & 0x3F);
  } else {
    *to++ = 0xF0 | rune >> 18;
    *to++ = 0x80 | (rune >> 12 & 0x3F);
    *to++ = 0x80 | (rune >> 6 & 0x3F);
    *to++ = 0x80 | (rune & 0x3F);
  }
  return to;
}

static unsigned hex4(void) {
  static const char digits[] = "0123456789abcdefABCDEF";
  unsigned value = 0;
  for (int i = 0; i < 4; i++) {
    const char *p = *at ? strchr(digits, *at) : NULL;
    if (!p) fail("bad \\u escape");
    unsigned digit = p - digits;
    value = value << 4 | (digit < 16 ? digit : digit - 6);
    at++;
  }
  return value;
}

// escape reads what follows a backslash.
static unsigned escape(void) {
  static const char from[] = "\"\\/bfnrt", to[] = "\"\\/\b\f\n\r\t";
  char c = *at++;
  if (c != 'u') {
    const char *p = c ? strchr(from, c) : NULL;
    if (!p) fail("bad escape");
    return to[p - from];
  }
  unsigned rune = hex4();
  if (rune < 0xD800 || rune > 0xDFFF) return rune;
  if (rune > 0xDBFF || *at++ != '\\' || *at++ != 'u') fail("lone surrogate");
  unsigned low = hex4();
  if (low < 0xDC00 || low > 0xDFFF) fail("lone surrogate");
  return 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
}

// string reads a string and decodes it in place: it never gets longer.
static text string(void) {
  expect('"');
  char *start = at, *to = at;
  while (*at != '"') {
    if ((unsigned char)*at < 0x20) fail("unfinished string or control character in it");
    if (*at == '\\') {
      at++;
      to = put_utf8(to, escape());
      continue;
    }
    int n = utf8_len((unsigned char *)at);
    if (n == 0) fail("not UTF-8");
    while (n--) *to++ = *at++;
  }
  at++;
  return (text){start, to - start};
}

static void digits(void) {
  if (*at < '0' || *at > '9') fail("bad number");
  while (*at >= '0' && *at <= '9') at++;
}

static void number(void) {
  if (*at == '-') at++;
  if (*at == '0') at++;
  else digits();
  if (*at == '.') {
    at++;
    digits();
  }
  if (*at == 'e' || *at == 'E') {
    at++;
    if (*at == '+' || *at == '-') at++;
    digits();
  }
}

static void word(const char *w) {
  if (strncmp(at, w, strlen(w)) != 0) fail("not JSON");
  at += strlen(w);
}

static void value(int depth);

static void array(int depth) {
  expect('[');
  if (depth > MAX_DEPTH) fail("nested too deep");
  if (take(']')) return;
  do value(depth + 1);
  while (take(','));
  expect(']');
}

// object reads an object. If name is not NULL, the last member "name" goes there: a null text if
// it is no string.
static void object(int depth, text *name) {
  expect('{');
  if (depth > MAX_DEPTH) fail("nested too deep");
  if (take('}')) return;
  do {
    text key = string();
    expect(':');
    bool wanted = name && key.len == 4 && memcmp(key.bytes, "name", 4) == 0;
    if (wanted && peek() == '"') {
      *name = string();
    } else {
      value(depth + 1);
      if (wanted) *name = (text){0};
    }
  } while (take(','));
  expect('}');
}

// value checks a value of any kind and passes over it.
static void value(int depth) {
  switch (peek()) {
    case '"': string(); break;
    case '[': array(depth); break;
    case '{': object(depth, NULL); break;
    case 't': word("true"); break;
    case 'f': word("false"); break;
    case 'n': word("null"); break;
    default: number();
  }
}

// escaped returns s as it stands between the quotes of a JSON string, and a zero byte.
static char *escaped(text s) {
  char *start = malloc(s.len * 6 + 1), *to = start;
  if (!start) fail("too large for the memory");
  for (size_t i = 0; i < s.len; i++) {
    static const char from[] = "\"\\\b\f\n\r\t", letter[] = "\"\\bfnrt";
    unsigned char c = s.bytes[i];
    const char *p = c ? strchr(from, c) : NULL;
    if (p) {
      *to++ = '\\';
      *to++ = letter[p - from];
    } else if (c < 0x20) {
      to += sprintf(to, "\\u%04x", c);
    } else {
      *to++ = c;
    }
  }
  *to = 0;
  return start;
}

int main(void) {
  text body = read_all(stdin), name = {0};
  at = body.bytes;
  if (peek() != '{') fail("not a JSON object");
  object(1, &name);
  peek();
  if (at != body.bytes + body.len) fail("more than one JSON value");
  if (!name.bytes) fail("no string member \"name\"");

  char *who = escaped(name);
  fprintf(stderr, "greeting %s\n", who);
  printf("{\"greeting\":\"Hello, %s!\"}\n", who);
  return 0;
}
