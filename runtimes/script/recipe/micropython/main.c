// main.c: MicroPython as a runtime of polyvoke.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "host.h"
#include "py/builtin.h"
#include "py/compile.h"
#include "py/cstack.h"
#include "py/gc.h"
#include "py/mperrno.h"
#include "py/mphal.h"
#include "py/objlist.h"
#include "py/reader.h"
#include "py/runtime.h"
#include "py/stackctrl.h"

enum {
  FIRST_HEAP = 64 << 10,
  RECURSION = 256 << 10, // bytes of stack; the linker is told of twice that
};

static char first_heap[FIRST_HEAP] __attribute__((aligned(16)));
static size_t heap_size = FIRST_HEAP;
static void *heap_next; // memory that the heap is about to take

extern void file_initialize(void);

// --- Memory.

// heap_room gets memory to grow by: as much as the heap has, or what there is, but not less than is needed. It returns its size.
size_t heap_room(size_t needed) {
  for (size_t size = MAX(heap_size, needed);; size = MAX(size / 2, needed)) {
    heap_next = malloc(size);
    if (heap_next) {
      heap_size += size;
      return size;
    }
    if (size == needed) return 0;
  }
}

void *heap_take(size_t size) {
  (void)size; // at most what heap_room has returned
  return heap_next;
}

size_t gc_get_max_new_split(void) { return 0; }

// gc_collect frees what no pointer leads to, neither one in memory nor on the stack, where spill.py has put all of
// those that the functions on their way have. If that was little, the heap grows.
void gc_collect(void) {
  void *here;
  void **from = (void **)&here, **to = (void **)MP_STATE_THREAD(stack_top);
  gc_collect_start();
  gc_collect_root(from, to - from);
  gc_collect_end();
  gc_info_t info;
  gc_info(&info);
  if (info.free >= info.used) return;
  char *more = malloc(heap_size);
  if (!more) return;
  gc_add(more, more + heap_size);
  heap_size *= 2;
}

// --- What MicroPython asks of its surroundings.

mp_uint_t mp_hal_stdout_tx_strn(const char *s, size_t n) { return fwrite(s, 1, n, stdout); }

void nlr_jump_fail(void *value) {
  (void)value;
  fputs("an exception outside of everything\n", stderr);
  exit(SOFTWARE_ERROR);
}

static uint64_t clock_ns(clockid_t clock) {
  struct timespec now;
  clock_gettime(clock, &now);
  return now.tv_sec * 1000000000ull + now.tv_nsec;
}

uint64_t mp_hal_time_ns(void) { return clock_ns(CLOCK_REALTIME); }
mp_uint_t mp_hal_ticks_ms(void) { return clock_ns(CLOCK_MONOTONIC) / 1000000; }
mp_uint_t mp_hal_ticks_us(void) { return clock_ns(CLOCK_MONOTONIC) / 1000; }
mp_uint_t mp_hal_ticks_cpu(void) { return clock_ns(CLOCK_MONOTONIC); }

static void wait_ns(uint64_t ns) {
  struct timespec time = {ns / 1000000000, ns % 1000000000};
  nanosleep(&time, NULL);
}

void mp_hal_delay_us(mp_uint_t us) { wait_ns(us * 1000ull); }
void mp_hal_delay_ms(mp_uint_t ms) { wait_ns(ms * 1000000ull); }

mp_import_stat_t mp_import_stat(const char *path) {
  struct stat info;
  if (stat(path, &info) != 0) return MP_IMPORT_STAT_NO_EXIST;
  return S_ISDIR(info.st_mode) ? MP_IMPORT_STAT_DIR : MP_IMPORT_STAT_FILE;
}

// A text is a file that is being compiled.
typedef struct {
  char *bytes;
  size_t at, len;
} text_t;

static mp_uint_t text_byte(void *t) {
  text_t *text = t;
  return text->at < text->len ? (byte)text->bytes[text->at++] : MP_READER_EOF;
}

static void text_close(void *t) {
  text_t *text = t;
  free(text->bytes);
  free(text);
}

mp_lexer_t *mp_lexer_new_from_file(qstr path) {
  text_t *text = calloc(1, sizeof *text);
  if (!text) m_malloc_fail(sizeof *text);
  text->bytes = host_read(qstr_str(path), &text->len);
  if (!text->bytes) {
    free(text);
    mp_raise_OSError(MP_ENOENT);
  }
  if (text->len >= 3 && memcmp(text->bytes, "\xEF\xBB\xBF", 3) == 0) text->at = 3;
  return mp_lexer_new(qstr_from_str(host_name(qstr_str(path))), (mp_reader_t){text, text_byte, text_close});
}

// The linker puts this in the place of MicroPython's check of UTF-8, which takes surrogates and overlong forms.
bool __wrap_utf8_check(const byte *p, size_t len) {
  for (const byte *end = p + len; p < end;) {
    size_t n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
    if (n == 0 || n > (size_t)(end - p)) return false;
    byte low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80, high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
    if (n > 1 && (p[1] < low || p[1] > high)) return false;
    for (size_t i = 2; i < n; i++)
      if ((p[i] & 0xC0) != 0x80) return false;
    p += n;
  }
  return true;
}

// --- sys.argv, a list that asks for the arguments when it is first looked at.

static mp_obj_t filled(mp_obj_t list) {
  size_t count;
  char **args = host_args(&count);
  ((mp_obj_base_t *)MP_OBJ_TO_PTR(list))->type = &mp_type_list;
  for (size_t i = 0; i < count; i++) mp_obj_list_append(list, mp_obj_new_str(args[i], strlen(args[i])));
  return list;
}

static void argv_print(const mp_print_t *to, mp_obj_t self, mp_print_kind_t kind) { mp_obj_print_helper(to, filled(self), kind); }
static mp_obj_t argv_unary(mp_unary_op_t op, mp_obj_t self) { return mp_unary_op(op, filled(self)); }
static mp_obj_t argv_binary(mp_binary_op_t op, mp_obj_t self, mp_obj_t other) { return mp_binary_op(op, filled(self), other); }
static mp_obj_t argv_subscr(mp_obj_t self, mp_obj_t index, mp_obj_t value) { return mp_obj_subscr(filled(self), index, value); }
static mp_obj_t argv_iter(mp_obj_t self, mp_obj_iter_buf_t *buffer) { return mp_getiter(filled(self), buffer); }
static void argv_attr(mp_obj_t self, qstr name, mp_obj_t *to) {
  if (to[0] == MP_OBJ_NULL) mp_load_method_maybe(filled(self), name, to);
}
static MP_DEFINE_CONST_OBJ_TYPE(argv_type, MP_QSTR_list, MP_TYPE_FLAG_NONE, print, argv_print, unary_op, argv_unary, binary_op,
                                argv_binary, subscr, argv_subscr, iter, argv_iter, attr, argv_attr);

// --- The run.

void language_initialize(void) {
  mp_cstack_init_with_sp_here(RECURSION);
  gc_init(first_heap, first_heap + sizeof first_heap);
  mp_init();
  file_initialize();
  ((mp_obj_base_t *)MP_OBJ_TO_PTR(mp_sys_argv))->type = &argv_type;
  mp_obj_list_store(mp_sys_path, MP_OBJ_NEW_SMALL_INT(0), MP_OBJ_NEW_QSTR(MP_QSTR__slash_script));
}

static void error_print(void *to, const char *s, size_t n) { fwrite(s, 1, n, to); }

// report writes where an exception comes from, what it says, and the stack.
static void report(mp_obj_t exception) {
  fflush(stdout);
  const mp_print_t print = {stderr, error_print};
  size_t n = 0, *traceback;
  if (mp_obj_is_exception_instance(exception)) mp_obj_exception_get_traceback(exception, &n, &traceback);
  if (n > 0) {
    fprintf(stderr, "%s:%zu: ", qstr_str(traceback[0]), traceback[1]);
    mp_obj_print_helper(&print, exception, PRINT_EXC);
    fputc('\n', stderr);
  }
  mp_obj_print_exception(&print, exception);
}

// exit_code returns what an exception that nothing has caught ends the process with.
static int exit_code(mp_obj_t exception) {
  if (!mp_obj_is_subclass_fast(MP_OBJ_FROM_PTR(mp_obj_get_type(exception)), MP_OBJ_FROM_PTR(&mp_type_SystemExit))) {
    report(exception);
    return SOFTWARE_ERROR;
  }
  mp_obj_t value = mp_obj_exception_get_value(exception);
  mp_int_t code;
  if (value == mp_const_none) return 0;
  if (mp_obj_get_int_maybe(value, &code)) return code;
  mp_obj_print_helper(&(mp_print_t){stderr, error_print}, value, PRINT_STR);
  fputc('\n', stderr);
  return 1;
}

static mp_obj_t compiled(const char *name) {
  char path[4096];
  snprintf(path, sizeof path, SCRIPT_FOLDER "%s", name);
  mp_lexer_t *lexer = mp_lexer_new_from_file(qstr_from_str(path));
  qstr source = lexer->source_name;
  mp_parse_tree_t tree = mp_parse(lexer, MP_PARSE_FILE_INPUT);
  return mp_compile(&tree, source, false);
}

static bool check(const char *name) {
  nlr_buf_t nlr;
  if (nlr_push(&nlr) == 0) {
    compiled(name);
    nlr_pop();
    return true;
  }
  report(MP_OBJ_FROM_PTR(nlr.ret_val));
  return false;
}

static int run(const char *entry) {
  nlr_buf_t nlr;
  if (nlr_push(&nlr) == 0) {
    mp_call_function_0(compiled(entry));
    nlr_pop();
    return 0;
  }
  return exit_code(MP_OBJ_FROM_PTR(nlr.ret_val));
}

int language_run(void) {
  mp_cstack_init_with_sp_here(RECURSION);
  const char *entry = host_entry();
  if (!entry) {
    fprintf(stderr, "there is no script: %s is missing\n", SCRIPT_FOLDER ".polyvoke/entry");
    return SOFTWARE_ERROR;
  }
  if (host_checking()) return host_each(".py", check) ? 0 : BAD_DATA;
  return run(entry);
}
