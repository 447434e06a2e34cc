// The host of SQL scripts: SQLite runs the statements of a script, one after the other, on an empty database in
// memory. The statements before the first one that asks for request() fill tables once; where stdin is first
// read the process is kept, and each request goes on from there. functions.c has what a script can ask for,
// rows.c says how rows become the reply.

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "script.h"
#include "sql.h"

static sqlite3 *db;

// report writes the error of db in a statement of the script as FILE:LINE:COLUMN: reason.
static void report(const char *script, const char *statement) {
  int offset = sqlite3_error_offset(db);
  const char *at = statement + (offset > 0 ? offset : 0), *start = script;
  int line = 1;
  for (const char *p = script; p < at; p++) {
    if (*p == '\n') {
      line++;
      start = p + 1;
    }
  }
  fflush(stdout);
  fprintf(stderr, "%s:%d:%d: %s\n", host_entry(), line, (int)(at - start) + 1, sqlite3_errmsg(db));
}

// words passes over white space and comments.
static const char *words(const char *p) {
  for (;;) {
    p += strspn(p, " \t\r\n\f;");
    const char *end = NULL;
    if (strncmp(p, "--", 2) == 0) end = strchr(p, '\n');
    else if (strncmp(p, "/*", 2) == 0) end = strstr(p + 2, "*/");
    if (!end) return p;
    p = end + (*end == '\n' ? 1 : 2);
  }
}

static int enough(void *nothing) {
  (void)nothing;
  return 1;
}

// define runs a statement that makes a table, a view or the like, so that later ones can be checked. It is stopped
// after a while: what it selects does not count.
static void define(sqlite3_stmt *s, const char *statement) {
  static const char *const verbs[] = {"CREATE", "ALTER", "DROP"};
  for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
    if (sqlite3_strnicmp(statement, verbs[i], strlen(verbs[i])) == 0) {
      sqlite3_progress_handler(db, 100000, enough, NULL);
      sqlite3_step(s);
    }
  }
}

// run runs the statements of a script, or checks them. It returns the exit code.
static int run(const char *script, bool checking) {
  const char *next;
  for (const char *at = words(script); *at; at = words(next)) {
    sqlite3_stmt *s;
    if (sqlite3_prepare_v2(db, at, -1, &s, &next)) {
      report(script, at);
      return checking ? BAD_DATA : SOFTWARE_ERROR;
    }
    if (!s) continue;
    int rc = SQLITE_DONE;
    if (checking) define(s, at);
    else
      while ((rc = sqlite3_step(s)) == SQLITE_ROW) rows_put(s);
    if (rc != SQLITE_DONE) {
      report(script, at);
      return SOFTWARE_ERROR;
    }
    sqlite3_finalize(s);
  }
  return 0;
}

int sqlite3_regexp_init(sqlite3 *, char **, const void *);
int sqlite3_series_init(sqlite3 *, char **, const void *);

// language_initialize opens the database.
void language_initialize(void) {
  if (sqlite3_open(":memory:", &db) || functions_add(db, false) || sqlite3_regexp_init(db, NULL, NULL) ||
      sqlite3_series_init(db, NULL, NULL))
    script_fail("SQLite does not start: %s", sqlite3_errmsg(db));
}

int language_run(void) {
  bool checking = host_checking();
  if (checking) functions_add(db, true);
  return run(script_text(), checking);
}
