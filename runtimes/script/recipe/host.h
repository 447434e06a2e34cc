// host.h: what the host programs in C share. See host.c.

#ifndef POLYVOKE_HOST_H
#define POLYVOKE_HOST_H

#include <stdbool.h>
#include <stddef.h>

enum {
  HOST_BAD_DATA = 65, // a script that does not compile, in a run that only checks it
  HOST_SOFTWARE = 70, // an error of the script that it does not catch
};

// host_entry returns the absolute path of the script, such as "/script/greet.sql".
const char *host_entry(void);

// host_checking tells whether this run only checks the syntax of the script.
bool host_checking(void);

// host_shown is a path as messages show it: below /script without that.
const char *host_shown(const char *path);

// host_read returns all of a file, with a zero byte behind it, and its size; NULL if it cannot be read.
char *host_read(const char *path, size_t *size);

// host_stdin returns all of stdin from where it is, with a zero byte behind it, and its size.
char *host_stdin(size_t *size);

// host_args returns argv, which is asked for when this is called first, and how many there are.
char **host_args(size_t *count);

// host_output gives stdout a buffer of 64 KiB, without a look at what stdout is.
void host_output(void);

// host_fail flushes stdout, reports an error and ends the process with HOST_SOFTWARE.
_Noreturn void host_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
