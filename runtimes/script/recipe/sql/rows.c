// How rows become the reply. A statement of one column writes its values as they are: text and numbers as a
// line each, a BLOB as its bytes alone, NULL not at all. A statement of more columns writes each row as
// a JSON object on a line of its own.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sql.h"

int utf8_length(const unsigned char *p, const unsigned char *end) {
  int n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
  unsigned low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
  unsigned high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
  if (end - p < n || (n > 1 && (p[1] < low || p[1] > high))) return 0;
  for (int i = 2; i < n; i++)
    if ((p[i] & 0xC0) != 0x80) return 0;
  return n;
}

static void put_text(const unsigned char *p, int size) {
  const unsigned char *end = p + size;
  putchar('"');
  while (p < end) {
    int n = utf8_length(p, end);
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

static void put_blob(const unsigned char *p, int size) {
  putchar('"');
  for (int i = 0; i < size; i++) printf("%02x", p[i]);
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

// put_plain writes the only value of a row.
static void put_plain(sqlite3_stmt *s) {
  int type = sqlite3_column_type(s, 0);
  if (type == SQLITE_NULL) return;
  const void *bytes = type == SQLITE_BLOB ? sqlite3_column_blob(s, 0) : sqlite3_column_text(s, 0);
  fwrite(bytes, 1, sqlite3_column_bytes(s, 0), stdout);
  if (type != SQLITE_BLOB) putchar('\n');
}

void rows_put(sqlite3_stmt *s) {
  int columns = sqlite3_column_count(s);
  if (columns == 1) {
    put_plain(s);
    return;
  }
  for (int i = 0; i < columns; i++) {
    const char *name = sqlite3_column_name(s, i);
    putchar(i ? ',' : '{');
    put_text((const unsigned char *)name, strlen(name));
    putchar(':');
    put_value(s, i);
  }
  puts("}");
}
