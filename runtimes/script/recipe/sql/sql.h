// sql.h: the parts of the host of SQL scripts.

#ifndef POLYVOKE_SQL_H
#define POLYVOKE_SQL_H

#include <stdbool.h>

#include "sqlite3.h"

// vfs_wake is called when stdin is read first: what SQLite draws for itself is random from then on.
void vfs_wake(void);

// functions_add gives db the functions of a script: request() and the like. When checking they do nothing.
int functions_add(sqlite3 *db, bool checking);

// rows_put writes the row that s is at.
void rows_put(sqlite3_stmt *s);

// utf8_length is the length of the UTF-8 sequence at p, or 0 where there is none (RFC 3629).
int utf8_length(const unsigned char *p, const unsigned char *end);

#endif
