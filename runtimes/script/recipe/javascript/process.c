// process.c: see process.h.

#include "process.h"

#include <stdlib.h>
#include <string.h>
#include <wasi/api.h>

enum { CHUNK = 64 << 10, IO_ERROR = 74, PREOPENED = 3 };

// What has been read of stdin and not yet been asked for: the bytes from in_at to in_len. The buffer is there from the
// first read that asks for less than everything.
static uint8_t *in;
static size_t in_at, in_len;
static bool in_end, in_read;

static uint8_t out[CHUNK];
static size_t out_len;

// --- Streams.

static size_t read_stdin(void *to, size_t max) {
  __wasi_iovec_t v = {to, max};
  __wasi_size_t n = 0;
  in_read = true;
  if (in_end || __wasi_fd_read(STDIN, &v, 1, &n) != 0) n = 0;
  if (n == 0 && max > 0) in_end = true;
  return n;
}

size_t process_read(void *to, size_t max) {
  if (in_at == in_len) return read_stdin(to, max);
  if (max > in_len - in_at) max = in_len - in_at;
  memcpy(to, in + in_at, max);
  in_at += max;
  return max;
}

// roomy makes room for more bytes, and one, behind the len of t. It tells whether there is memory.
static bool roomy(text *t, size_t *room, size_t more) {
  if (t->len + more < *room) return true;
  size_t size = *room * 2 > t->len + more ? *room * 2 : t->len + more + 1;
  char *bytes = realloc(t->bytes, size);
  if (!bytes) return false;
  t->bytes = bytes;
  *room = size;
  return true;
}

static text nothing(text t) {
  free(t.bytes);
  return (text){0};
}

text process_read_all(size_t max) {
  text t = {0};
  for (size_t room = 0, n = 1; n > 0 && t.len < max; t.len += n) {
    size_t more = in_len > in_at ? in_len - in_at : t.len == 0 ? CHUNK - 1 : 1;
    if (!roomy(&t, &room, more)) return nothing(t);
    size_t ask = room - 1 - t.len;
    n = process_read(t.bytes + t.len, ask < max - t.len ? ask : max - t.len);
  }
  if (!t.bytes && !(t.bytes = malloc(1))) return t;
  t.bytes[t.len] = 0;
  return t;
}

int process_read_line(text *line) {
  *line = (text){0};
  if (!in && !(in = malloc(CHUNK))) return LINE_MEMORY;
  for (size_t room = 0;;) {
    if (in_at == in_len) {
      in_at = 0;
      in_len = read_stdin(in, CHUNK);
    }
    uint8_t *from = in + in_at, *newline = memchr(from, '\n', in_len - in_at);
    size_t n = newline ? (size_t)(newline - from) : in_len - in_at;
    if (!roomy(line, &room, n)) {
      *line = nothing(*line);
      return LINE_MEMORY;
    }
    memcpy(line->bytes + line->len, from, n);
    line->len += n;
    line->bytes[line->len] = 0;
    in_at += n + (newline != NULL);
    if (newline) return LINE;
    if (in_end) break;
  }
  if (line->len > 0) return LINE;
  *line = nothing(*line);
  return LINE_END;
}

bool process_at_end(void) { return in_end && in_at == in_len; }

bool process_has_request(void) { return in_read; }

static void write_all(int stream, const void *bytes, size_t len) {
  __wasi_ciovec_t v = {bytes, len};
  while (v.buf_len > 0) {
    __wasi_size_t n = 0;
    if (__wasi_fd_write(stream, &v, 1, &n) != 0) {
      if (stream == STDOUT) __wasi_proc_exit(IO_ERROR);
      return; // a log that cannot be written is lost
    }
    v.buf += n;
    v.buf_len -= n;
  }
}

void process_flush(void) {
  write_all(STDOUT, out, out_len);
  out_len = 0;
}

void process_write(int stream, const char *bytes, size_t len) {
  if (stream == STDERR) {
    write_all(STDERR, bytes, len);
    return;
  }
  if (len > sizeof out - out_len) process_flush();
  if (len > sizeof out) {
    write_all(STDOUT, bytes, len);
    return;
  }
  memcpy(out + out_len, bytes, len);
  out_len += len;
}

_Noreturn void process_exit(int code) {
  process_flush();
  __wasi_proc_exit(code);
}

// --- Files.

// below tells whether path is in the folder, and sets *rest to what follows the folder's name.
static bool below(const char *folder, size_t len, const char *path, const char **rest) {
  while (len > 0 && folder[len - 1] == '/') len--;
  if (strncmp(path, folder, len) != 0 || (path[len] != '/' && path[len] != 0)) return false;
  while (path[len] == '/') len++;
  *rest = path[len] ? path + len : ".";
  return true;
}

typedef __wasi_errno_t (*in_folder)(void *with, int fd, const char *rest);

// each_folder calls what for the folder that a path is in and what follows the folder's name, until it succeeds. It
// returns 0 or the number of what went wrong: the first reason but that a folder does not have it.
static __wasi_errno_t each_folder(const char *path, in_folder what, void *with) {
  __wasi_errno_t why = __WASI_ERRNO_NOENT;
  __wasi_prestat_t stat;
  for (int fd = PREOPENED; __wasi_fd_prestat_get(fd, &stat) == 0; fd++) {
    char folder[256];
    const char *rest;
    size_t len = stat.u.dir.pr_name_len;
    if (len > sizeof folder || __wasi_fd_prestat_dir_name(fd, (uint8_t *)folder, len) != 0) continue;
    if (!below(folder, len, path, &rest)) continue;
    __wasi_errno_t e = what(with, fd, rest);
    if (e == 0) return 0;
    if (why == __WASI_ERRNO_NOENT) why = e;
  }
  return why;
}

typedef struct {
  __wasi_oflags_t flags;
  __wasi_fdflags_t mode;
  __wasi_rights_t rights;
  __wasi_fd_t fd;
} opening;

static __wasi_errno_t open_in(void *with, int fd, const char *rest) {
  opening *o = with;
  return __wasi_path_open(fd, __WASI_LOOKUPFLAGS_SYMLINK_FOLLOW, rest, o->flags, o->rights, 0, o->mode, &o->fd);
}

// open_path returns a descriptor of a file or folder, or -1.
static int open_path(const char *path, __wasi_oflags_t flags, __wasi_rights_t rights) {
  opening o = {flags, 0, rights, 0};
  return each_folder(path, open_in, &o) == 0 ? (int)o.fd : -1;
}

static void close_fd(int fd) {
  if (__wasi_fd_close(fd) != 0) abort();
}

text process_load(const char *path) {
  text t = {0};
  int fd = open_path(path, 0, __WASI_RIGHTS_FD_READ);
  if (fd < 0) return t;
  size_t room = 0;
  __wasi_size_t n = 0;
  do {
    t.len += n;
    if (!roomy(&t, &room, t.len == 0 ? 4095 : 1)) goto failed;
    __wasi_iovec_t v = {(uint8_t *)t.bytes + t.len, room - 1 - t.len};
    if (__wasi_fd_read(fd, &v, 1, &n) != 0) goto failed;
  } while (n > 0);
  close_fd(fd);
  t.bytes[t.len] = 0;
  return t;
failed:
  close_fd(fd);
  return nothing(t);
}

int process_store(const char *path, int how, const char *bytes, size_t len) {
  static const __wasi_oflags_t flags[] = {
      [STORE] = __WASI_OFLAGS_CREAT | __WASI_OFLAGS_TRUNC,
      [STORE_APPEND] = __WASI_OFLAGS_CREAT,
      [STORE_NEW] = __WASI_OFLAGS_CREAT | __WASI_OFLAGS_EXCL,
  };
  opening o = {flags[how], how == STORE_APPEND ? __WASI_FDFLAGS_APPEND : 0, __WASI_RIGHTS_FD_WRITE, 0};
  __wasi_errno_t e = each_folder(path, open_in, &o);
  if (e != 0) return e;
  while (e == 0 && len > 0) {
    __wasi_ciovec_t v = {(const uint8_t *)bytes, len};
    __wasi_size_t n = 0;
    e = __wasi_fd_write(o.fd, &v, 1, &n);
    if (e == 0 && n == 0) e = __WASI_ERRNO_IO;
    bytes += n;
    len -= n;
  }
  __wasi_errno_t closed = __wasi_fd_close(o.fd);
  return e != 0 ? e : closed;
}

static __wasi_errno_t unlink_in(void *with, int fd, const char *rest) {
  (void)with;
  return __wasi_path_unlink_file(fd, rest);
}

int process_remove(const char *path) { return each_folder(path, unlink_in, NULL); }

bool process_list(const char *path, void (*name)(void *to, const char *bytes, size_t len), void *to) {
  int fd = open_path(path, __WASI_OFLAGS_DIRECTORY, __WASI_RIGHTS_FD_READDIR);
  uint8_t *buffer = fd < 0 ? NULL : malloc(CHUNK);
  bool ok = buffer != NULL;
  __wasi_dircookie_t cookie = 0;
  for (__wasi_size_t n = CHUNK; ok && n == CHUNK;) {
    ok = __wasi_fd_readdir(fd, buffer, CHUNK, cookie, &n) == 0;
    __wasi_dirent_t entry;
    for (size_t at = 0; ok && at + sizeof entry <= n; at += sizeof entry + entry.d_namlen) {
      memcpy(&entry, buffer + at, sizeof entry);
      if (at + sizeof entry + entry.d_namlen > n) break; // cut off: the next round begins with it
      name(to, (char *)buffer + at + sizeof entry, entry.d_namlen);
      cookie = entry.d_next;
    }
  }
  free(buffer);
  if (fd >= 0) close_fd(fd);
  return ok;
}

// --- Arguments, time, entropy.

char *process_strings(bool environment, size_t *count) {
  __wasi_size_t size = 0;
  __wasi_errno_t e = environment ? __wasi_environ_sizes_get(count, &size) : __wasi_args_sizes_get(count, &size);
  uint8_t **pointers = malloc((*count + 1) * sizeof *pointers), *bytes = malloc(size + 1);
  if (e == 0 && pointers && bytes)
    e = environment ? __wasi_environ_get(pointers, bytes) : __wasi_args_get(pointers, bytes);
  if (e != 0) *count = 0;
  if (!pointers) {
    free(bytes);
    bytes = NULL;
  }
  free(pointers);
  return (char *)bytes;
}

uint64_t process_clock(bool wall) {
  __wasi_timestamp_t now = 0;
  if (__wasi_clock_time_get(wall ? __WASI_CLOCKID_REALTIME : __WASI_CLOCKID_MONOTONIC, 1000, &now) != 0) abort();
  return now;
}

void process_sleep(uint64_t nanoseconds) {
  __wasi_subscription_t s = {0};
  __wasi_event_t event;
  __wasi_size_t n;
  s.u.tag = __WASI_EVENTTYPE_CLOCK;
  s.u.u.clock.id = __WASI_CLOCKID_MONOTONIC;
  s.u.u.clock.timeout = nanoseconds;
  if (__wasi_poll_oneoff(&s, &event, 1, &n) != 0) abort();
}

void process_random(void *to, size_t len) {
  if (__wasi_random_get(to, len) != 0) abort();
}
