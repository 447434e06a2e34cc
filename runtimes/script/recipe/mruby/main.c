// The host of Ruby scripts: mruby, with what io.rb needs to give them $stdin, $stdout, $stderr, ARGV, ENV and File.read.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <wasi/libc-environ.h>

#include "host.h"
#include "script.h"

#include <mruby.h>
#include <mruby/array.h>
#include <mruby/compile.h>
#include <mruby/error.h>
#include <mruby/hash.h>
#include <mruby/string.h>

static mrb_state *ruby;

static const char library[] = // io.rb
#include "io.inc"
    ;

// read_some is up to 64 KiB of stdin, nil at its end.
static mrb_value read_some(mrb_state *mrb, mrb_value self) {
  (void)self;
  static char bytes[65536];
  ssize_t n = read(STDIN_FILENO, bytes, sizeof bytes);
  if (n < 0) mrb_raise(mrb, E_RUNTIME_ERROR, "cannot read stdin");
  return n == 0 ? mrb_nil_value() : mrb_str_new(mrb, bytes, n);
}

static mrb_value write_all(mrb_state *mrb, mrb_value self) {
  mrb_int fd, size;
  const char *text;
  mrb_get_args(mrb, "is", &fd, &text, &size);
  fwrite(text, 1, size, fd == STDERR_FILENO ? stderr : stdout);
  return self;
}

static mrb_value flush(mrb_state *mrb, mrb_value self) {
  (void)mrb;
  fflush(stdout);
  return self;
}

static mrb_value file_read(mrb_state *mrb, mrb_value self) {
  (void)self;
  const char *path;
  size_t size;
  mrb_get_args(mrb, "z", &path);
  char *bytes = host_read(path, &size);
  if (!bytes) mrb_raisef(mrb, E_RUNTIME_ERROR, "%s: %s", path, strerror(errno));
  mrb_value text = mrb_str_new(mrb, bytes, size);
  free(bytes);
  return text;
}

static mrb_value arguments(mrb_state *mrb, mrb_value self) {
  (void)self;
  size_t count;
  char **args = host_args(&count);
  mrb_value all = mrb_ary_new(mrb);
  for (size_t i = 1; i < count; i++) mrb_ary_push(mrb, all, mrb_str_new_cstr(mrb, args[i]));
  return all;
}

static mrb_value environment(mrb_state *mrb, mrb_value self) {
  (void)self;
  mrb_value all = mrb_hash_new(mrb);
  for (char **e = __wasilibc_get_environ(); e && *e; e++) {
    size_t n = strcspn(*e, "=");
    mrb_hash_set(mrb, all, mrb_str_new(mrb, *e, n), mrb_str_new_cstr(mrb, *e + n + ((*e)[n] == '=')));
  }
  return all;
}

static mrb_value end(mrb_state *mrb, mrb_value self) {
  (void)self;
  mrb_int code = 0;
  mrb_get_args(mrb, "|i", &code);
  exit(code);
}

// valid_encoding tells whether a string is UTF-8 (RFC 3629).
static mrb_value valid_encoding(mrb_state *mrb, mrb_value self) {
  (void)mrb;
  const unsigned char *p = (const unsigned char *)RSTRING_PTR(self), *stop = p + RSTRING_LEN(self);
  while (p < stop) {
    int n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
    unsigned low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
    unsigned high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
    if (n == 0 || stop - p < n || (n > 1 && (p[1] < low || p[1] > high))) return mrb_false_value();
    for (int i = 2; i < n; i++)
      if ((p[i] & 0xC0) != 0x80) return mrb_false_value();
    p += n;
  }
  return mrb_true_value();
}

// stop reports the error that a script has not rescued.
static int stop(void) {
  fflush(stdout);
  mrb_print_error(ruby);
  return SOFTWARE_ERROR;
}

void language_initialize(void) {
  ruby = mrb_open();
  if (!ruby) script_fail("mruby does not start");
  struct RClass *host = mrb_define_module(ruby, "Host");
  mrb_define_class_method(ruby, host, "read", read_some, MRB_ARGS_NONE());
  mrb_define_class_method(ruby, host, "write", write_all, MRB_ARGS_REQ(2));
  mrb_define_class_method(ruby, host, "flush", flush, MRB_ARGS_NONE());
  mrb_define_class_method(ruby, host, "file", file_read, MRB_ARGS_REQ(1));
  mrb_define_class_method(ruby, host, "arguments", arguments, MRB_ARGS_NONE());
  mrb_define_class_method(ruby, host, "environment", environment, MRB_ARGS_NONE());
  mrb_define_method(ruby, ruby->kernel_module, "exit", end, MRB_ARGS_OPT(1));
  mrb_define_method(ruby, ruby->string_class, "valid_encoding?", valid_encoding, MRB_ARGS_NONE());
  mrb_load_string(ruby, library);
  if (ruby->exc) exit(stop());
}

int language_run(void) {
  const char *name = host_name(script_path());
  char *text = script_text();
  mrb_ccontext *context = mrb_ccontext_new(ruby);
  mrb_ccontext_filename(ruby, context, name);
  context->capture_errors = true;
  struct mrb_parser_state *parser = mrb_parse_nstring(ruby, text, strlen(text), context);
  if (!parser) script_fail("%s: out of memory", name);
  if (parser->nerr > 0) {
    struct mrb_parser_message *first = &parser->error_buffer[0];
    fprintf(stderr, "%s:%d:%d: %s\n", name, first->lineno, first->column + 1, first->message);
    return host_checking() ? BAD_DATA : SOFTWARE_ERROR;
  }
  if (host_checking()) return 0;
  mrb_load_exec(ruby, parser, context);
  return ruby->exc ? stop() : 0;
}
