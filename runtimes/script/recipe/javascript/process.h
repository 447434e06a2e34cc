// process.h: what the interpreter needs of WASI preview1: streams, files, arguments, time. wasi-libc's own stdio and file
// functions are not used: they look at descriptors before the first read of stdin, and here nothing may.
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { STDIN, STDOUT, STDERR };

// A run of bytes on the heap; a zero byte follows the last one. bytes is NULL where there is none.
typedef struct {
  char *bytes;
  size_t len;
} text;

// process_read moves up to max bytes of stdin to to. It returns 0 at the end.
size_t process_read(void *to, size_t max);

// process_read_all returns what is left of stdin, at most max bytes of it; without bytes where memory ran out.
text process_read_all(size_t max);

// process_read_line returns the next line of stdin without its newline, and tells at the end and where memory ran out.
enum { LINE, LINE_END, LINE_MEMORY };
int process_read_line(text *line);

bool process_at_end(void);       // stdin has been read to its end
bool process_has_request(void);  // stdin has been read from

// process_write writes to stdout through a buffer, or straight to stderr, one call one write.
void process_write(int stream, const char *bytes, size_t len);
void process_flush(void);
_Noreturn void process_exit(int code);

// process_load returns a file; without bytes where there is none or it cannot be read.
text process_load(const char *path);

// process_store writes a file: all of it, at its end (STORE_APPEND), or where there is none (STORE_NEW). It returns 0
// or WASI's number of what went wrong. process_remove deletes one.
enum { STORE, STORE_APPEND, STORE_NEW };
int process_store(const char *path, int how, const char *bytes, size_t len);
int process_remove(const char *path);

// process_list calls name for each entry of a folder. It tells whether the folder could be read.
bool process_list(const char *path, void (*name)(void *to, const char *bytes, size_t len), void *to);

// process_strings returns the arguments, or with environment the variables: *count strings behind one another, each
// with a zero byte. NULL where memory ran out.
char *process_strings(bool environment, size_t *count);

uint64_t process_clock(bool wall);       // nanoseconds
void process_sleep(uint64_t nanoseconds);
void process_random(void *to, size_t len);

#endif
