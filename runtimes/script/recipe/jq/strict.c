// A check of JSON before jq reads it: jq takes NaN, lone surrogates, and bytes that are not UTF-8.

#include "strict.h"

#include <stdbool.h>
#include <string.h>

enum { MAX_DEPTH = 10000 };

static const unsigned char *at; // the next byte; a zero byte follows the last one

// utf8_length is the length of the UTF-8 sequence at p, or 0 where there is none.
static int utf8_length(const unsigned char *p) {
  int n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
  unsigned low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
  unsigned high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
  if (n > 1 && (p[1] < low || p[1] > high)) return 0;
  for (int i = 2; i < n; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return n;
}

const char *strict_utf8(const char *text, size_t size) {
  const unsigned char *p = (const unsigned char *)text, *end = p + size;
  while (p < end) {
    int n = utf8_length(p);
    if (n == 0) return "not UTF-8";
    p += n;
  }
  return NULL;
}

static void space(void) { at += strspn((const char *)at, " \t\n\r"); }

static bool take(char c) {
  space();
  if (*at != c) return false;
  at++;
  return true;
}

// unit reads four hexadecimal digits; -1 if they are none.
static int unit(void) {
  static const char digits[] = "0123456789abcdefABCDEF";
  int value = 0;
  for (int i = 0; i < 4; i++, at++) {
    const char *p = *at ? strchr(digits, *at) : NULL;
    if (!p) return -1;
    value = value << 4 | (p - digits < 16 ? p - digits : p - digits - 6);
  }
  return value;
}

// escape reads what follows a backslash.
static const char *escape(void) {
  unsigned char c = *at++;
  if (c != 'u') return c && strchr("\"\\/bfnrt", c) ? NULL : "bad escape";
  int high = unit();
  if (high < 0) return "bad \\u escape";
  if (high < 0xD800 || high > 0xDFFF) return NULL;
  if (high > 0xDBFF || *at++ != '\\' || *at++ != 'u') return "lone surrogate";
  int low = unit();
  return low < 0xDC00 || low > 0xDFFF ? "lone surrogate" : NULL;
}

static const char *string(void) {
  if (!take('"')) return "not JSON";
  while (*at != '"') {
    if (*at < 0x20) return "unfinished string or control character in it";
    if (*at == '\\') {
      at++;
      const char *wrong = escape();
      if (wrong) return wrong;
      continue;
    }
    int n = utf8_length(at);
    if (n == 0) return "not UTF-8";
    at += n;
  }
  at++;
  return NULL;
}

static bool digits(void) {
  size_t n = strspn((const char *)at, "0123456789");
  at += n;
  return n > 0;
}

static const char *scalar(void) {
  static const char *const words[] = {"true", "false", "null"};
  if (*at == '"') return string();
  for (int i = 0; i < 3; i++) {
    if (strncmp((const char *)at, words[i], strlen(words[i])) == 0) {
      at += strlen(words[i]);
      return NULL;
    }
  }
  if (*at == '-') at++;
  if (*at == '0') at++;
  else if (!digits()) return "not JSON";
  if (*at == '.' && (at++, !digits())) return "bad number";
  if (*at == 'e' || *at == 'E') {
    at++;
    if (*at == '+' || *at == '-') at++;
    if (!digits()) return "bad number";
  }
  return NULL;
}

// member reads the name of a member and the colon.
static const char *member(void) {
  const char *wrong = string();
  return wrong ? wrong : take(':') ? NULL : "not JSON";
}

const char *strict_json(const char *text, size_t size) {
  static char open[MAX_DEPTH]; // the brackets that are open, as what closes them
  const char *wrong = NULL;
  int depth = 0;
  at = (const unsigned char *)text;
  for (;;) {
    space();
    if (*at == '[' || *at == '{') { // a value
      char close = *at++ == '[' ? ']' : '}';
      if (depth == MAX_DEPTH) return "nested too deep";
      if (!take(close)) {
        open[depth++] = close;
        if (close == '}' && (wrong = member())) return wrong;
        continue;
      }
    } else if ((wrong = scalar())) {
      return wrong;
    }
    while (depth > 0 && take(open[depth - 1])) depth--;
    if (depth == 0) break;
    if (!take(',')) return "not JSON";
    if (open[depth - 1] == '}' && (wrong = member())) return wrong;
  }
  space();
  return at == (const unsigned char *)text + size ? NULL : "more than one JSON value";
}
