// What the host programs in C share: where the script is, whole files, arguments that nobody asks for before
// the script does. A process is kept where it first reads stdin, so nothing here looks at stdin, the
// arguments, the environment, the clock or entropy before the script does.

#include "host.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/api.h>

static const char folder[] = "/script/";

_Noreturn void host_fail(const char *format, ...) {
  va_list args;
  fflush(stdout);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(HOST_SOFTWARE);
}

static void *grow(void *bytes, size_t size) {
  bytes = realloc(bytes, size);
  if (!bytes) host_fail("out of memory: cannot have %zu bytes", size);
  return bytes;
}

// drain reads fd to its end; NULL if it cannot be read.
static char *drain(int fd, size_t *size) {
  size_t room = 16384, len = 0;
  char *bytes = grow(NULL, room);
  for (;;) {
    ssize_t n = read(fd, bytes + len, room - 1 - len);
    if (n < 0) {
      free(bytes);
      return NULL;
    }
    len += n;
    if (n == 0) break;
    if (len == room - 1) bytes = grow(bytes, room *= 2);
  }
  bytes[len] = 0;
  *size = len;
  return bytes;
}

char *host_read(const char *path, size_t *size) {
  int fd = open(path, O_RDONLY);
  if (fd < 0) return NULL;
  char *bytes = drain(fd, size);
  close(fd);
  return bytes;
}

char *host_stdin(size_t *size) {
  char *bytes = drain(STDIN_FILENO, size);
  if (!bytes) host_fail("cannot read stdin");
  return bytes;
}

const char *host_entry(void) {
  static char *path;
  if (path) return path;
  size_t size;
  char *name = host_read("/script/.polyvoke/entry", &size);
  if (!name) host_fail("there is no /script/.polyvoke/entry");
  name[strcspn(name, "\n")] = 0;
  path = grow(NULL, sizeof folder + strlen(name));
  strcpy(path, folder);
  strcat(path, name);
  free(name);
  return path;
}

bool host_checking(void) { return access("/script/.polyvoke/check", F_OK) == 0; }

const char *host_shown(const char *path) {
  return strncmp(path, folder, sizeof folder - 1) == 0 ? path + sizeof folder - 1 : path;
}

char **host_args(size_t *count) {
  static char **args;
  static size_t n;
  size_t size;
  if (!args) {
    if (__wasi_args_sizes_get(&n, &size)) n = size = 0;
    args = grow(NULL, (n + 1) * sizeof *args);
    args[n] = NULL;
    if (n > 0 && __wasi_args_get((uint8_t **)args, grow(NULL, size))) n = 0;
  }
  *count = n;
  return args;
}

void host_output(void) {
  static char buffer[65536];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
}
