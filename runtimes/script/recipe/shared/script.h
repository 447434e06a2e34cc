// script.h: what the hosts of small interpreters in C share beside host.h.

#ifndef POLYVOKE_SCRIPT_H
#define POLYVOKE_SCRIPT_H

#include <stddef.h>

// script_path returns the absolute path of the script.
const char *script_path(void);

// script_text returns the script with a zero byte behind it. The process ends where it cannot be read or has a
// zero byte within.
char *script_text(void);

// script_stdin returns all of stdin from where it is, and its size. A zero byte follows. The bytes are the
// caller's to free.
char *script_stdin(size_t *size);

// script_args is host_args for a language whose strings are text: an argument that is not UTF-8 ends the process with BAD_USAGE.
char **script_args(size_t *count);

// script_fail flushes stdout, reports an error and ends the process with SOFTWARE_ERROR.
_Noreturn void script_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

#endif
