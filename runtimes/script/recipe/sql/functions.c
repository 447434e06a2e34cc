// The functions that a script has beside SQLite's own:
//
//	request()       the request, as text; CAST(request() AS BLOB) where it may have zero bytes
//	arg(n)          the nth argument of the call, from 1 on; arg(0) is the function's name; NULL if there is none
//	env(name)       a variable of the environment, or NULL
//	readfile(path)  a file of /script or /request as a BLOB, or NULL
//	log(text)       writes a line to stderr and is NULL; log(x) of a number is the logarithm, as in SQLite
//	exit(code)      ends the process; exit(code, text) logs text before that
//	utf8_valid(x)   1 if text or a BLOB is UTF-8 (RFC 3629), else 0; NULL of NULL
//
// random() and randomblob(n) are SQLite's, but draw of the entropy of the process, where SQLite's own seed is the same until stdin is read.

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

#include "host.h"
#include "script.h"
#include "sql.h"

// A body is the request, read when it is asked for first.
static struct {
  char *bytes;
  size_t size;
} body;

static void request(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n, (void)v;
  if (!body.bytes) {
    body.bytes = script_stdin(&body.size);
    vfs_wake();
  }
  sqlite3_result_text64(c, body.bytes, body.size, SQLITE_STATIC, SQLITE_UTF8);
}

static void arg(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n;
  size_t count;
  char **args = host_args(&count);
  sqlite3_int64 i = sqlite3_value_int64(v[0]);
  if (i >= 0 && (size_t)i < count) sqlite3_result_text(c, args[i], -1, SQLITE_STATIC);
}

static void env(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n;
  const char *name = (const char *)sqlite3_value_text(v[0]);
  const char *value = name ? getenv(name) : NULL;
  if (value) sqlite3_result_text(c, value, -1, SQLITE_TRANSIENT);
}

static void read_file(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n;
  size_t size;
  const char *path = (const char *)sqlite3_value_text(v[0]);
  char *bytes = path ? host_read(path, &size) : NULL;
  if (bytes) sqlite3_result_blob64(c, bytes, size, free);
}

static void put_log(sqlite3_value *v) {
  const void *text = sqlite3_value_text(v);
  if (text) fwrite(text, 1, sqlite3_value_bytes(v), stderr);
  fputc('\n', stderr);
}

static void log_line(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n;
  int type = sqlite3_value_type(v[0]);
  if (type == SQLITE_INTEGER || type == SQLITE_FLOAT) {
    double x = sqlite3_value_double(v[0]);
    if (x > 0) sqlite3_result_double(c, log10(x));
  } else {
    put_log(v[0]);
  }
}

static _Noreturn void end(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)c;
  if (n == 2) put_log(v[1]);
  exit(sqlite3_value_int(v[0]));
}

static void utf8_valid(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n;
  int type = sqlite3_value_type(v[0]);
  if (type == SQLITE_NULL) return;
  const unsigned char *p = type == SQLITE_BLOB ? sqlite3_value_blob(v[0]) : sqlite3_value_text(v[0]);
  const unsigned char *stop = p + sqlite3_value_bytes(v[0]);
  while (p < stop) {
    int length = *p < 0x80 ? 1 : utf8_length(p, stop);
    if (length == 0) break;
    p += length;
  }
  sqlite3_result_int(c, p == stop);
}

static void random_number(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n, (void)v;
  sqlite3_result_int64(c, (sqlite3_int64)host_entropy());
}

static void random_blob(sqlite3_context *c, int n, sqlite3_value **v) {
  (void)n;
  sqlite3_int64 size = sqlite3_value_int64(v[0]);
  if (size < 1) size = 1;
  if (size > sqlite3_limit(sqlite3_context_db_handle(c), SQLITE_LIMIT_LENGTH, -1)) {
    sqlite3_result_error_toobig(c);
    return;
  }
  uint8_t *bytes = malloc(size);
  if (!bytes || __wasi_random_get(bytes, size) != 0) {
    free(bytes);
    sqlite3_result_error_nomem(c);
    return;
  }
  sqlite3_result_blob64(c, bytes, size, free);
}

static void nothing(sqlite3_context *c, int n, sqlite3_value **v) { (void)c, (void)n, (void)v; }

int functions_add(sqlite3 *db, bool checking) {
  static const struct {
    const char *name;
    int args, flags;
    void (*call)(sqlite3_context *, int, sqlite3_value **);
  } all[] = {
      {"request", 0, SQLITE_UTF8, request},
      {"arg", 1, SQLITE_UTF8, arg},
      {"env", 1, SQLITE_UTF8, env},
      {"readfile", 1, SQLITE_UTF8, read_file},
      {"log", 1, SQLITE_UTF8, log_line},
      {"exit", 1, SQLITE_UTF8, end},
      {"exit", 2, SQLITE_UTF8, end},
      {"random", 0, SQLITE_UTF8, random_number},
      {"randomblob", 1, SQLITE_UTF8, random_blob},
      {"utf8_valid", 1, SQLITE_UTF8 | SQLITE_DETERMINISTIC, utf8_valid},
  };
  int rc = SQLITE_OK;
  for (size_t i = 0; i < sizeof all / sizeof *all && rc == SQLITE_OK; i++)
    rc = sqlite3_create_function_v2(db, all[i].name, all[i].args, all[i].flags, NULL, checking ? nothing : all[i].call, NULL,
                                    NULL, NULL);
  return rc;
}
