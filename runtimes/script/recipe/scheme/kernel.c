// kernel.c: parts of Chez Scheme's kernel that are other ones here: compressed files, which there are not, clocks, seeds and unique
// names. What Scheme asks for by itself, such as how long a collection took, is the same in every process until stdin is read.

#include "system.h"

#include <wasi/libc-environ.h>

#include "host.h"
#include "zlib.h"

void *scheme_left;
int scheme_seeded;

U32 scheme_seed(U32 seed) {
  static int early;
  if (scheme_seeded || (early && !host_stdin_read())) return seed;
  early = !host_stdin_read();
  scheme_seeded = !early;
  return host_entropy();
}

#undef getenv
char *scheme_getenv(const char *name) {
  if (strcmp(name, "SCHEMEHEAPDIRS") == 0) return NULL;
  __wasilibc_ensure_environ();
  return getenv(name);
}

// S_gettime gives the time of day, or for all other kinds of time how long it is since the first look after stdin was read.
void S_gettime(INT kind, struct timespec *time) {
  static struct timespec first;
  if (kind == time_utc) {
    clock_gettime(CLOCK_REALTIME, time);
    return;
  }
  time->tv_sec = 0;
  time->tv_nsec = 0;
  if (!host_stdin_read()) return;
  clock_gettime(CLOCK_MONOTONIC, time);
  if (first.tv_sec == 0 && first.tv_nsec == 0) first = *time;
  time->tv_sec -= first.tv_sec;
  time->tv_nsec -= first.tv_nsec;
  if (time->tv_nsec < 0) {
    time->tv_sec--;
    time->tv_nsec += 1000000000;
  }
}

// S_unique_id is part of the names of gensyms, which need to be unique in the process only.
ptr S_unique_id(void) { return Sunsigned64(0x7363686d); }

INT S_zlib_compress_level(INT level) { return level; }
INT S_lz4_compress_level(INT level) { return level; }
glzFile S_glzdopen_output(UNUSED INT fd, UNUSED INT format, UNUSED INT level) { return NULL; }
glzFile S_glzdopen_input(UNUSED INT fd) { return NULL; }
glzFile S_glzopen_input(UNUSED const char *path) { return NULL; }
IBOOL S_glzdirect(UNUSED glzFile file) { return 1; }
INT S_glzclose(UNUSED glzFile file) { return 0; }
INT S_glzread(UNUSED glzFile file, UNUSED void *to, UNUSED UINT count) { return -1; }
INT S_glzwrite(UNUSED glzFile file, UNUSED void *from, UNUSED UINT count) { return -1; }
long S_glzseek(UNUSED glzFile file, UNUSED long offset, UNUSED INT whence) { return -1; }
INT S_glzgetc(UNUSED glzFile file) { return -1; }
INT S_glzungetc(UNUSED INT c, UNUSED glzFile file) { return -1; }
INT S_glzrewind(UNUSED glzFile file) { return -1; }
void S_glzerror(UNUSED glzFile file, INT *error) { *error = 0; }
void S_glzclearerr(UNUSED glzFile file) {}
