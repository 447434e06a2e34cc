// A shell of SQLite for tests: the database is the first argument, and the statements come on stdin. It prints each row
// as a line, with | between its columns, and ends with 1 at the first error. With a second argument it ends at once
// when stdin does, and leaves a transaction as it is.

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "sqlite3.h"

static int row(void *out, int columns, char **values, char **names) {
  (void)out, (void)names;
  for (int i = 0; i < columns; i++) printf("%s%s", i ? "|" : "", values[i] ? values[i] : "NULL");
  putchar('\n');
  return 0;
}

// There are no locks in WASI, and nobody to lock out.
static int open_db(const char *name, sqlite3 **db) {
  return sqlite3_open_v2(name, db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, "unix-none");
}

int main(int argc, char **argv) {
  static char text[1 << 20];
  size_t size = fread(text, 1, sizeof text - 1, stdin);
  text[size] = 0;
  sqlite3 *db;
  char *why = "it does not open";
  if (argc < 2 || open_db(argv[1], &db) != SQLITE_OK || sqlite3_exec(db, text, row, NULL, &why) != SQLITE_OK) {
    fprintf(stderr, "%s\n", why);
    return 1;
  }
  fflush(stdout);
  if (argc > 2) _exit(0);
  return sqlite3_close(db) == SQLITE_OK ? 0 : 1;
}
