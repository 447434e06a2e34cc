// file.c: sys.stdin, sys.stdout, sys.stderr and what open returns. They stand on the C library's streams.

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "py/builtin.h"
#include "py/objstr.h"
#include "py/runtime.h"
#include "py/stream.h"

typedef struct _file_t {
  mp_obj_base_t base;
  FILE *file; // NULL once it is closed
} file_t;

extern const mp_obj_type_t text_type, binary_type;

file_t mp_sys_stdin_obj, mp_sys_stdout_obj, mp_sys_stderr_obj;
static file_t binary_stdin, binary_stdout, binary_stderr;

void file_initialize(void) {
  mp_sys_stdin_obj = (file_t){{&text_type}, stdin}, binary_stdin = (file_t){{&binary_type}, stdin};
  mp_sys_stdout_obj = (file_t){{&text_type}, stdout}, binary_stdout = (file_t){{&binary_type}, stdout};
  mp_sys_stderr_obj = (file_t){{&text_type}, stderr}, binary_stderr = (file_t){{&binary_type}, stderr};
}

static FILE *stream(mp_obj_t self) {
  FILE *f = ((file_t *)MP_OBJ_TO_PTR(self))->file;
  if (!f) mp_raise_ValueError(MP_ERROR_TEXT("I/O operation on closed file"));
  return f;
}

static bool is_text(mp_obj_t self) { return mp_obj_is_type(self, &text_type); }

// result makes of what was read a str or bytes, as the file is.
static mp_obj_t result(mp_obj_t self, vstr_t *read) {
  if (ferror(stream(self))) mp_raise_OSError(errno);
  return is_text(self) ? mp_obj_new_str_from_vstr(read) : mp_obj_new_bytes_from_vstr(read);
}

static void put(vstr_t *to, int byte) {
  if (to->len == to->alloc) vstr_extend(to, to->alloc);
  to->buf[to->len++] = byte;
}

static void read_all(FILE *f, vstr_t *to) {
  for (size_t n = 1; n > 0; to->len += n) {
    if (to->len == to->alloc) vstr_extend(to, to->alloc);
    n = fread(to->buf + to->len, 1, to->alloc - to->len, f);
  }
}

// read_some reads n bytes, or n characters.
static void read_some(FILE *f, vstr_t *to, size_t n, bool text) {
  for (int c; n > 0 && (c = getc_unlocked(f)) != EOF; n--) {
    put(to, c);
    if (!text || c < 0xC0) continue;
    for (int more = c < 0xE0 ? 1 : c < 0xF0 ? 2 : 3; more > 0 && (c = getc_unlocked(f)) != EOF; more--) put(to, c);
  }
}

static mp_obj_t file_read(size_t n, const mp_obj_t *args) {
  FILE *f = stream(args[0]);
  mp_int_t size = n > 1 && args[1] != mp_const_none ? mp_obj_get_int(args[1]) : -1;
  vstr_t read;
  vstr_init(&read, size < 0 || size > 4096 ? 4096 : size + 1);
  if (size < 0) read_all(f, &read);
  else read_some(f, &read, size, is_text(args[0]));
  return result(args[0], &read);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(file_read_obj, 1, 2, file_read);

static mp_obj_t file_readline(size_t n, const mp_obj_t *args) {
  FILE *f = stream(args[0]);
  size_t most = n > 1 && args[1] != mp_const_none && mp_obj_get_int(args[1]) >= 0 ? (size_t)mp_obj_get_int(args[1]) : SIZE_MAX;
  vstr_t line;
  vstr_init(&line, 64);
  for (int c = 0; c != '\n' && line.len < most && (c = getc_unlocked(f)) != EOF;) put(&line, c);
  return result(args[0], &line);
}
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(file_readline_obj, 1, 2, file_readline);

static mp_obj_t file_next(mp_obj_t self) {
  mp_obj_t line = file_readline(1, &self);
  return mp_obj_is_true(line) ? line : MP_OBJ_STOP_ITERATION;
}

static mp_obj_t file_readlines(mp_obj_t self) {
  mp_obj_t lines = mp_obj_new_list(0, NULL);
  for (mp_obj_t line; (line = file_next(self)) != MP_OBJ_STOP_ITERATION;) mp_obj_list_append(lines, line);
  return lines;
}
static MP_DEFINE_CONST_FUN_OBJ_1(file_readlines_obj, file_readlines);

static mp_obj_t file_write(mp_obj_t self, mp_obj_t data) {
  FILE *f = stream(self);
  if (is_text(self) != mp_obj_is_str(data)) mp_raise_TypeError(is_text(self) ? MP_ERROR_TEXT("a str is needed") : MP_ERROR_TEXT("bytes are needed"));
  mp_buffer_info_t bytes;
  mp_get_buffer_raise(data, &bytes, MP_BUFFER_READ);
  if (fwrite(bytes.buf, 1, bytes.len, f) < bytes.len) mp_raise_OSError(errno);
  return is_text(self) ? mp_obj_len(data) : mp_obj_new_int_from_uint(bytes.len);
}
static MP_DEFINE_CONST_FUN_OBJ_2(file_write_obj, file_write);

static mp_obj_t file_flush(mp_obj_t self) {
  if (fflush(stream(self)) != 0) mp_raise_OSError(errno);
  return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(file_flush_obj, file_flush);

static mp_obj_t file_close(mp_obj_t self_in) {
  file_t *self = MP_OBJ_TO_PTR(self_in);
  FILE *f = self->file;
  self->file = NULL;
  if (f && fclose(f) != 0) mp_raise_OSError(errno); // what was written last does not fit
  return mp_const_none;
}
static MP_DEFINE_CONST_FUN_OBJ_1(file_close_obj, file_close);

static mp_obj_t file_exit(size_t n, const mp_obj_t *args) { return file_close(args[0]); }
static MP_DEFINE_CONST_FUN_OBJ_VAR_BETWEEN(file_exit_obj, 4, 4, file_exit);

// file_attr finds sys.stdin.buffer and its like; all else is in the table below.
static void file_attr(mp_obj_t self, qstr name, mp_obj_t *to) {
  if (to[0] != MP_OBJ_NULL) return;
  FILE *f = ((file_t *)MP_OBJ_TO_PTR(self))->file;
  file_t *buffer = f == stdin ? &binary_stdin : f == stdout ? &binary_stdout : f == stderr ? &binary_stderr : NULL;
  if (name == MP_QSTR_buffer && is_text(self) && f && buffer) to[0] = MP_OBJ_FROM_PTR(buffer);
  else to[1] = MP_OBJ_SENTINEL;
}

static mp_uint_t protocol_read(mp_obj_t self, void *to, mp_uint_t size, int *error) {
  size_t n = fread(to, 1, size, stream(self));
  if (n > 0 || !ferror(stream(self))) return n;
  *error = errno;
  return MP_STREAM_ERROR;
}

static mp_uint_t protocol_write(mp_obj_t self, const void *from, mp_uint_t size, int *error) {
  size_t n = fwrite(from, 1, size, stream(self));
  if (n == size) return n;
  *error = errno;
  return MP_STREAM_ERROR;
}

static mp_uint_t protocol_control(mp_obj_t self, mp_uint_t request, uintptr_t arg, int *error) {
  if (request == MP_STREAM_FLUSH && fflush(stream(self)) == 0) return 0;
  *error = request == MP_STREAM_FLUSH ? errno : EINVAL;
  return MP_STREAM_ERROR;
}

static const mp_stream_p_t text_protocol = {.read = protocol_read, .write = protocol_write, .ioctl = protocol_control, .is_text = true};
static const mp_stream_p_t binary_protocol = {.read = protocol_read, .write = protocol_write, .ioctl = protocol_control};

static const mp_rom_map_elem_t file_table[] = {
    {MP_ROM_QSTR(MP_QSTR_read), MP_ROM_PTR(&file_read_obj)},
    {MP_ROM_QSTR(MP_QSTR_readinto), MP_ROM_PTR(&mp_stream_readinto_obj)},
    {MP_ROM_QSTR(MP_QSTR_readline), MP_ROM_PTR(&file_readline_obj)},
    {MP_ROM_QSTR(MP_QSTR_readlines), MP_ROM_PTR(&file_readlines_obj)},
    {MP_ROM_QSTR(MP_QSTR_write), MP_ROM_PTR(&file_write_obj)},
    {MP_ROM_QSTR(MP_QSTR_flush), MP_ROM_PTR(&file_flush_obj)},
    {MP_ROM_QSTR(MP_QSTR_close), MP_ROM_PTR(&file_close_obj)},
    {MP_ROM_QSTR(MP_QSTR___enter__), MP_ROM_PTR(&mp_identity_obj)},
    {MP_ROM_QSTR(MP_QSTR___exit__), MP_ROM_PTR(&file_exit_obj)},
};
static MP_DEFINE_CONST_DICT(file_methods, file_table);

MP_DEFINE_CONST_OBJ_TYPE(text_type, MP_QSTR_TextIOWrapper, MP_TYPE_FLAG_ITER_IS_ITERNEXT, iter, file_next, attr, file_attr,
                         protocol, &text_protocol, locals_dict, &file_methods);
MP_DEFINE_CONST_OBJ_TYPE(binary_type, MP_QSTR_FileIO, MP_TYPE_FLAG_ITER_IS_ITERNEXT, iter, file_next, attr, file_attr,
                         protocol, &binary_protocol, locals_dict, &file_methods);

// mode_of returns the mode of fopen for one of open, or NULL. A file is read, or it is written: C wants a seek between the two.
static const char *mode_of(const char *mode) {
  const char *how = NULL;
  bool kind = false; // text or binary was said
  for (; *mode; mode++) {
    if (strchr("bt", *mode) && !kind) kind = true;
    else if (how || !strchr("rwax", *mode)) return NULL;
    else how = *mode == 'r' ? "r" : *mode == 'w' ? "w" : *mode == 'a' ? "a" : "wx";
  }
  return how;
}

// file_open is open.
static mp_obj_t file_open(size_t n, const mp_obj_t *args, mp_map_t *options) {
  mp_map_elem_t *named = mp_map_lookup(options, MP_OBJ_NEW_QSTR(MP_QSTR_mode), MP_MAP_LOOKUP);
  const char *mode = n > 1 ? mp_obj_str_get_str(args[1]) : named ? mp_obj_str_get_str(named->value) : "r";
  const char *how = mode_of(mode);
  if (!how) mp_raise_ValueError(MP_ERROR_TEXT("the mode has one of r, w, a and x, and may have b or t"));
  FILE *f = fopen(mp_obj_str_get_str(args[0]), how);
  if (!f) mp_raise_OSError(errno);
  file_t *self = mp_obj_malloc(file_t, strchr(mode, 'b') ? &binary_type : &text_type);
  self->file = f;
  return MP_OBJ_FROM_PTR(self);
}
MP_DEFINE_CONST_FUN_OBJ_KW(mp_builtin_open_obj, 1, file_open);
