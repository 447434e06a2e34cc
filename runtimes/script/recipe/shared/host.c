// host.c: how an interpreter starts, is initialised once for all scripts, and finds its script.

#include "host.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

void __wasm_call_ctors(void); // made by the linker

static bool initialized;
static bool stdin_read;

// With buffers of our own the C library does not look at what kind of files the streams are.
static char in_buffer[32 << 10], out_buffer[8 << 10], err_buffer[1 << 10];

static void initialize(void) {
  if (initialized) return;
  initialized = true;
  __wasm_call_ctors();
  setvbuf(stdin, in_buffer, _IOFBF, sizeof in_buffer);
  setvbuf(stdout, out_buffer, _IOFBF, sizeof out_buffer);
  setvbuf(stderr, err_buffer, _IOLBF, sizeof err_buffer); // a log line is one write
  language_initialize();
}

__attribute__((export_name("wizer.initialize"))) void host_initialize(void) { initialize(); }

__attribute__((export_name("_start"))) void _start(void) {
  initialize();
  int code = language_run();
  if (code != 0) exit(code);
  fflush(NULL);
}

// The linker puts this before each fd_read.
__wasi_errno_t __real___wasi_fd_read(__wasi_fd_t fd, const __wasi_iovec_t *to, size_t count, __wasi_size_t *n);
__wasi_errno_t __wrap___wasi_fd_read(__wasi_fd_t fd, const __wasi_iovec_t *to, size_t count, __wasi_size_t *n) {
  __wasi_errno_t failed = __real___wasi_fd_read(fd, to, count, n);
  if (fd == STDIN_FILENO) stdin_read = true;
  return failed;
}

bool host_stdin_read(void) { return stdin_read; }

uint64_t host_entropy(void) {
  uint64_t bits;
  if (__wasi_random_get((uint8_t *)&bits, sizeof bits) != 0) abort();
  return bits;
}

char *host_read(const char *path, size_t *len) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return NULL;
  size_t size = 4096;
  char *bytes = NULL;
  struct stat info;
  if (fstat(fd, &info) == 0) size = info.st_size;
  bytes = malloc(size + 1);
  ssize_t n = -1;
  for (*len = 0; bytes && (n = read(fd, bytes + *len, size - *len)) > 0;) *len += n;
  close(fd);
  if (n < 0) {
    free(bytes);
    return NULL;
  }
  bytes[*len] = 0;
  return bytes;
}

const char *host_entry(void) {
  size_t len;
  char *line = host_read(SCRIPT_FOLDER ".polyvoke/entry", &len);
  if (line) line[strcspn(line, "\r\n")] = 0;
  return line;
}

bool host_checking(void) {
  size_t len;
  char *mark = host_read(SCRIPT_FOLDER ".polyvoke/check", &len);
  free(mark);
  return mark != NULL;
}

const char *host_name(const char *path) {
  size_t n = strlen(SCRIPT_FOLDER);
  return strncmp(path, SCRIPT_FOLDER, n) == 0 ? path + n : path;
}

static bool ends_in(const char *s, const char *suffix) {
  size_t n = strlen(s), k = strlen(suffix);
  return n >= k && strcmp(s + n - k, suffix) == 0;
}

// each_below is host_each for the files of a folder, but for the entry and what begins with a dot.
static bool each_below(const char *folder, const char *entry, const char *suffix, bool (*check)(const char *path)) {
  char path[4096];
  snprintf(path, sizeof path, SCRIPT_FOLDER "%s", folder);
  DIR *d = opendir(path);
  if (!d) return true;
  bool good = true;
  for (struct dirent *e; (e = readdir(d));) {
    if (e->d_name[0] == '.') continue;
    struct stat info;
    int n = snprintf(path, sizeof path, SCRIPT_FOLDER "%s%s", folder, e->d_name);
    if (n >= (int)sizeof path - 1 || stat(path, &info) != 0) continue;
    if (S_ISDIR(info.st_mode)) {
      strcpy(path + n, "/");
      good &= each_below(host_name(path), entry, suffix, check);
    } else if (ends_in(path, suffix) && strcmp(host_name(path), entry) != 0) {
      good &= check(host_name(path));
    }
  }
  closedir(d);
  return good;
}

bool host_each(const char *suffix, bool (*check)(const char *path)) {
  const char *entry = host_entry();
  bool good = check(entry);
  return each_below("", entry, suffix, check) && good;
}

char **host_args(size_t *count) {
  static char **args, *none;
  static __wasi_size_t n;
  __wasi_size_t bytes;
  if (!args && __wasi_args_sizes_get(&n, &bytes) == 0) {
    char *text = malloc(bytes + 1);
    args = calloc(n + 1, sizeof *args);
    if (!text || !args || __wasi_args_get((uint8_t **)args, (uint8_t *)text) != 0) args = NULL;
  }
  *count = args ? n : 0;
  return args ? args : &none;
}

// clock is the C library's, but counts from its first call: the library's own looks at the time when the process starts.
clock_t clock(void) {
  static bool started;
  static struct timespec start;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  if (!started) start = now;
  started = true;
  return (now.tv_sec - start.tv_sec) * CLOCKS_PER_SEC + (now.tv_nsec - start.tv_nsec) / (1000000000 / CLOCKS_PER_SEC);
}
