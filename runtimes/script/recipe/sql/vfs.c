// The operating system that SQLite sees: a clock and entropy, and no files. Only databases in memory can be
// opened; ATTACH 'file' and VACUUM INTO fail with "unable to open database". SQLite asks for it when it is
// built with SQLITE_OS_OTHER=1, see https://sqlite.org/vfs.html.

#include <string.h>
#include <time.h>
#include <unistd.h>

#include "sql.h"

static bool awake; // stdin has been read: entropy is real; scripts have their own, see functions.c

void vfs_wake(void) {
  awake = true;
  sqlite3_randomness(0, NULL); // forgets the seed
}

static int refuse_open(sqlite3_vfs *vfs, const char *name, sqlite3_file *file, int flags, int *out) {
  (void)vfs, (void)name, (void)flags, (void)out;
  file->pMethods = NULL; // nothing to close
  return SQLITE_CANTOPEN;
}

static int refuse_delete(sqlite3_vfs *vfs, const char *name, int sync) {
  (void)vfs, (void)name, (void)sync;
  return SQLITE_IOERR_DELETE;
}

static int never_there(sqlite3_vfs *vfs, const char *name, int flags, int *found) {
  (void)vfs, (void)name, (void)flags;
  *found = 0;
  return SQLITE_OK;
}

static int same_name(sqlite3_vfs *vfs, const char *name, int size, char *full) {
  (void)vfs;
  if (strlen(name) >= (size_t)size) return SQLITE_CANTOPEN;
  strcpy(full, name);
  return SQLITE_OK;
}

static int entropy(sqlite3_vfs *vfs, int size, char *bytes) {
  (void)vfs;
  if (size > 256) size = 256; // as much as getentropy gives
  if (!awake) {
    memset(bytes, 1, size);
    return size;
  }
  return getentropy(bytes, size) == 0 ? size : 0;
}

static int nap(sqlite3_vfs *vfs, int microseconds) {
  (void)vfs;
  usleep(microseconds);
  return microseconds;
}

// now is the Julian day number in milliseconds.
static int now(sqlite3_vfs *vfs, sqlite3_int64 *milliseconds) {
  (void)vfs;
  struct timespec t;
  if (clock_gettime(CLOCK_REALTIME, &t)) return SQLITE_ERROR;
  *milliseconds = 210866760000000 + (sqlite3_int64)t.tv_sec * 1000 + t.tv_nsec / 1000000;
  return SQLITE_OK;
}

static int now_in_days(sqlite3_vfs *vfs, double *days) {
  sqlite3_int64 milliseconds;
  int rc = now(vfs, &milliseconds);
  *days = milliseconds / 86400000.0;
  return rc;
}

int sqlite3_os_init(void) {
  static sqlite3_vfs vfs = {
      .iVersion = 2,
      .szOsFile = sizeof(sqlite3_file),
      .mxPathname = 512,
      .zName = "none",
      .xOpen = refuse_open,
      .xDelete = refuse_delete,
      .xAccess = never_there,
      .xFullPathname = same_name,
      .xRandomness = entropy,
      .xSleep = nap,
      .xCurrentTime = now_in_days,
      .xCurrentTimeInt64 = now,
  };
  return sqlite3_vfs_register(&vfs, 1);
}

int sqlite3_os_end(void) { return SQLITE_OK; }
