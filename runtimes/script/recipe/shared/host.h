// host.h: what the hosts of interpreters in C share. A host implements language_initialize and language_run.

#ifndef POLYVOKE_HOST_H
#define POLYVOKE_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { BAD_USAGE = 64, BAD_DATA = 65, SOFTWARE_ERROR = 70 }; // exit codes of sysexits.h

#define SCRIPT_FOLDER "/script/"

// language_initialize sets the interpreter up. It asks for no file, argument, clock or entropy: what it leaves in
// memory is shared by all scripts and all calls.
void language_initialize(void);

// language_run runs the script, or checks it, and returns the exit code.
int language_run(void);

// host_entry is the path of the script below SCRIPT_FOLDER, or NULL where there is none.
const char *host_entry(void);

// host_checking tells whether this run is only to check the syntax.
bool host_checking(void);

// host_read reads a whole file and closes it. The bytes are the caller's to free; a zero byte follows
// them. It returns NULL, with errno, where that fails.
char *host_read(const char *path, size_t *len);

// host_each calls check for each file of the script whose name ends so, the entry first, by the path below SCRIPT_FOLDER.
// It returns false where a call did.
bool host_each(const char *suffix, bool (*check)(const char *path));

// host_name is a path without SCRIPT_FOLDER: what people call the file.
const char *host_name(const char *path);

// host_args returns argv and sets the number of arguments. It asks for them when it is first called.
char **host_args(size_t *count);

// host_stdin_read tells whether stdin has been read: what is drawn before that may be the same in many calls.
bool host_stdin_read(void);

// host_entropy returns 64 random bits, fresh ones in each call once stdin has been read.
uint64_t host_entropy(void);

#endif
