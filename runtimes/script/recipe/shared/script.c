// script.c: the script and stdin as whole texts, and the end of a script that fails.

#include "script.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host.h"

_Noreturn void script_fail(const char *format, ...) {
  va_list args;
  fflush(stdout);
  va_start(args, format);
  vfprintf(stderr, format, args);
  va_end(args);
  fputc('\n', stderr);
  exit(SOFTWARE_ERROR);
}

const char *script_path(void) {
  static char *path;
  if (path) return path;
  const char *name = host_entry();
  if (!name) script_fail("there is no " SCRIPT_FOLDER ".polyvoke/entry");
  path = malloc(sizeof SCRIPT_FOLDER + strlen(name));
  if (!path) script_fail("out of memory");
  strcpy(path, SCRIPT_FOLDER);
  return strcat(path, name);
}

char *script_text(void) {
  size_t size;
  char *text = host_read(script_path(), &size);
  if (!text) script_fail("cannot read %s", script_path());
  if (strlen(text) != size) script_fail("%s: zero byte in the script", host_name(script_path()));
  return text;
}

// is_utf8 tells whether a string is UTF-8 (RFC 3629).
static bool is_utf8(const unsigned char *p) {
  while (*p) {
    int more = *p < 0x80 ? 0 : *p < 0xC2 ? -1 : *p < 0xE0 ? 1 : *p < 0xF0 ? 2 : *p < 0xF5 ? 3 : -1;
    if (more < 0) return false;
    unsigned char low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80, high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
    for (p++; more > 0; more--, p++, low = 0x80, high = 0xBF)
      if (*p < low || *p > high) return false;
  }
  return true;
}

char **script_args(size_t *count) {
  char **args = host_args(count);
  for (size_t i = 0; i < *count; i++) {
    if (is_utf8((const unsigned char *)args[i])) continue;
    fflush(stdout);
    fprintf(stderr, "argument %zu is not UTF-8\n", i);
    exit(BAD_USAGE);
  }
  return args;
}

char *script_stdin(size_t *size) {
  size_t room = 16384, len = 0;
  char *bytes = NULL;
  for (ssize_t n = 1; n > 0; len += n) {
    if (!bytes || len == room - 1) bytes = realloc(bytes, room *= 2);
    if (!bytes) script_fail("out of memory: cannot have %zu bytes for stdin", room);
    n = read(STDIN_FILENO, bytes + len, room - 1 - len);
    if (n < 0) script_fail("cannot read stdin");
  }
  bytes[len] = 0;
  *size = len;
  return bytes;
}
