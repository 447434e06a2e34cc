// sql, in C: SQL statements on stdin run in an empty SQLite database in memory; every row of every
// statement becomes one JSON object on a line of its own on stdout:
//
//	CREATE TABLE t(a, b); INSERT INTO t VALUES (1, 'one'), (2.5, NULL); SELECT * FROM t;
//
//	{"a":1,"b":"one"}
//	{"a":2.5,"b":null}
//
// The members are the columns as SQLite names them (say AS where two would be the same). INTEGER and
// REAL are numbers, an infinite REAL is null, TEXT is a string in which bytes that are not UTF-8 become
// U+FFFD, BLOB is a string of hexadecimal digits. An error goes to stderr and is exit code 65; rows of
// earlier statements may have been written by then. There are no files: see vfs.c. Build it with
// `make sql`: the source of SQLite comes from Debian's source package and is not kept here.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sqlite3.h"

enum { BAD_DATA = 65 };

static _Noreturn void fail(const char *reason) {
  fprintf(stderr, "bad input: %s\n", reason);
  exit(BAD_DATA);
}

// fail_at reports the error of db in a statement that starts at byte start of the request.
static _Noreturn void fail_at(sqlite3 *db, size_t start) {
  int offset = sqlite3_error_offset(db);
  fprintf(stderr, "bad input: %s (byte %zu)\n", sqlite3_errmsg(db), start + (offset > 0 ? offset : 0));
  exit(BAD_DATA);
}

static char *read_all(FILE *in) {
  size_t size = 4096, len = 0;
  char *bytes = NULL;
  do {
    size *= 2;
    bytes = realloc(bytes, size);
    if (!bytes) fail("too large for the memory");
    len += fread(bytes + len, 1, size - 1 - len, in);
  } while (len == size - 1);
  bytes[len] = 0;
  if (strlen(bytes) != len) fail("zero byte in the SQL");
  return bytes;
}

// utf8_len is the length of the UTF-8 sequence at p, or 0 where there is none (RFC 3629).
static int utf8_len(const unsigned char *p, const unsigned char *end) {
  int n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
  unsigned low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
  unsigned high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
  if (end - p < n || (n > 1 && (p[1] < low || p[1] > high))) return 0;
  for (int i = 2; i < n; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return n;
}

static void put_text(const unsigned char *p, int len) {
  const unsigned char *end = p + len;
  putchar('"');
  while (p < end) {
    int n = utf8_len(p, end);
    if (n == 0) {
      fputs("\xEF\xBF\xBD", stdout);
      p++;
    } else if (*p == '"' || *p == '\\') {
      printf("\\%c", *p++);
    } else if (*p < 0x20) {
      printf("\\u%04x", *p++);
    } else {
      fwrite(p, 1, n, stdout);
      p += n;
    }
  }
  putchar('"');
}

// put_real writes the shortest decimal that reads back as r.
static void put_real(double r) {
  char digits[32];
  if (!isfinite(r)) {
    fputs("null", stdout);
    return;
  }
  for (int precision = 15; precision <= 17; precision++) {
    snprintf(digits, sizeof digits, "%.*g", precision, r);
    if (strtod(digits, NULL) == r) break;
  }
  fputs(digits, stdout);
  if (!strpbrk(digits, ".e")) fputs(".0", stdout);
}

static void put_blob(const unsigned char *p, int len) {
  putchar('"');
  for (int i = 0; i < len; i++) printf("%02x", p[i]);
  putchar('"');
}

static void put_value(sqlite3_stmt *s, int i) {
  switch (sqlite3_column_type(s, i)) {
    case SQLITE_NULL: fputs("null", stdout); break;
    case SQLITE_INTEGER: printf("%lld", sqlite3_column_int64(s, i)); break;
    case SQLITE_FLOAT: put_real(sqlite3_column_double(s, i)); break;
    case SQLITE_TEXT: put_text(sqlite3_column_text(s, i), sqlite3_column_bytes(s, i)); break;
    case SQLITE_BLOB: put_blob(sqlite3_column_blob(s, i), sqlite3_column_bytes(s, i)); break;
  }
}

static void put_row(sqlite3_stmt *s) {
  for (int i = 0; i < sqlite3_column_count(s); i++) {
    const char *name = sqlite3_column_name(s, i);
    putchar(i ? ',' : '{');
    put_text((const unsigned char *)name, strlen(name));
    putchar(':');
    put_value(s, i);
  }
  puts("}");
}

int main(void) {
  char *sql = read_all(stdin);
  sqlite3 *db;
  if (sqlite3_open(":memory:", &db)) fail(sqlite3_errmsg(db));
  long rows = 0, statements = 0;
  for (const char *at = sql, *next; *at; at = next) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, at, -1, &s, &next)) fail_at(db, at - sql);
    if (!s) continue; // a comment or white space
    int rc;
    for (; (rc = sqlite3_step(s)) == SQLITE_ROW; rows++) put_row(s);
    if (rc != SQLITE_DONE) fail_at(db, at - sql);
    sqlite3_finalize(s);
    statements++;
  }
  fprintf(stderr, "%ld statements, %ld rows\n", statements, rows);
  return 0;
}
