// The host of jq scripts. The request is one JSON value, which the filter gets as its input; what it gives is the reply, a
// line for each value. A request that is not strict JSON is exit code 65 before the filter sees it. The letters of
// options in the first line, such as #!/usr/bin/jq -rf, have the meaning that they have for jq:
//
//	r  strings are written as they are    j  the same without newlines
//	R  the request is text: one string    s  the request is any number of values: one array
//	n  the input is null; the filter reads the values of the request by input and inputs
//
// Values are written in one line each, as by jq -c. $ARGS.positional has the arguments of the call, env the environment.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/libc-environ.h>

#include "host.h"
#include "script.h"
#include "strict.h"

#include "jq.h"
#include "jv.h"

// For port.h.
unsigned jq_seed(void);
char **jq_environment(void);

static jq_state *jq;
static jv_parser *parser; // of the request, where the filter reads its values
static char options[64];
static bool names_environment; // the script does

static _Noreturn void refuse(const char *reason) {
  fflush(stdout);
  fprintf(stderr, "bad input: %s\n", reason);
  exit(BAD_DATA);
}

static bool option(char letter) { return strchr(options, letter) != NULL; }

// find_options keeps the letters behind the - in the first line.
static void find_options(const char *script) {
  size_t line = strcspn(script, "\n");
  const char *dash = strncmp(script, "#!", 2) == 0 ? strstr(script, " -") : NULL;
  if (!dash || dash > script + line) return;
  size_t n = strcspn(dash + 2, " \n");
  if (n >= sizeof options) n = sizeof options - 1;
  memcpy(options, dash + 2, n);
}

// complain is told of errors of compilation, and ends the process with FILE:LINE: reason.
static void complain(void *nothing, jv message) {
  static const char place[] = " at <top-level>, line ";
  (void)nothing;
  const char *text = jv_string_value(message), *start = strncmp(text, "jq: error: ", 11) == 0 ? text + 11 : text;
  const char *where = strstr(text, place);
  int line = where ? atoi(where + sizeof place - 1) : 1;
  int size = where ? where - start : (int)strcspn(start, "\n");
  fprintf(stderr, "%s:%d: %.*s\n", host_name(script_path()), line, size, start);
  exit(host_checking() ? BAD_DATA : SOFTWARE_ERROR);
}

static void compile(char *script) {
  jv arguments = jv_array(), named = jv_object();
  if (strstr(script, "ARGS") && !host_checking()) { // not asked for before the script does
    size_t count;
    char **args = script_args(&count);
    for (size_t i = 1; i < count; i++) arguments = jv_array_append(arguments, jv_string(args[i]));
  }
  jv all = jv_object_set(jv_object(), jv_string("positional"), arguments);
  named = jv_object_set(named, jv_string("ARGS"), jv_object_set(all, jv_string("named"), jv_object()));
  jq_set_attr(jq, jv_string("JQ_ORIGIN"), jv_string("/script"));
  jq_set_attr(jq, jv_string("PROGRAM_ORIGIN"), jv_string("/script"));
  jq_set_attr(jq, jv_string("JQ_LIBRARY_PATH"), JV_ARRAY(jv_string("/script")));
  if (strncmp(script, "#!", 2) == 0) script[0] = '#', script[1] = ' ';
  if (!jq_compile_args(jq, script, named)) script_fail("%s: does not compile", host_name(script_path()));
}

static void parse_stdin(void) {
  size_t size;
  char *body = script_stdin(&size);
  const char *wrong = strict_utf8(body, size);
  if (wrong) refuse(wrong);
  parser = jv_parser_new(0);
  jv_parser_set_buf(parser, body, size, 0);
}

// next_value is the next value of the request, or an invalid one behind the last.
static jv next_value(jq_state *state, void *nothing) {
  (void)state, (void)nothing;
  if (!parser) parse_stdin();
  jv value = jv_parser_next(parser);
  if (jv_is_valid(value) || !jv_invalid_has_msg(jv_copy(value))) return value;
  refuse(jv_string_value(jv_invalid_get_msg(value)));
}

// input returns what the filter gets.
static jv input(void) {
  size_t size;
  if (option('n')) return jv_null();
  if (option('s') && !option('R')) {
    jv all = jv_array();
    for (jv v; jv_is_valid(v = next_value(jq, NULL));) all = jv_array_append(all, v);
    return all;
  }
  char *body = script_stdin(&size);
  const char *wrong = option('R') ? strict_utf8(body, size) : strict_json(body, size);
  if (wrong) refuse(wrong);
  jv value = option('R') ? jv_string_sized(body, size) : jv_parse_sized(body, size);
  free(body);
  if (!jv_is_valid(value)) refuse(jv_string_value(jv_invalid_get_msg(value)));
  return value;
}

static void put(jv value) {
  bool plain = (option('r') || option('j')) && jv_get_kind(value) == JV_KIND_STRING;
  if (plain) {
    fwrite(jv_string_value(value), 1, jv_string_length_bytes(jv_copy(value)), stdout);
    jv_free(value);
  } else {
    jv_dumpf(value, stdout, 0);
  }
  if (!option('j')) putchar('\n');
}

// say writes a message of the script: a string as it is.
static void say(jv message) {
  if (jv_get_kind(message) == JV_KIND_STRING)
    fwrite(jv_string_value(message), 1, jv_string_length_bytes(jv_copy(message)), stderr);
  else if (jv_get_kind(message) != JV_KIND_INVALID)
    fputs(jv_string_value(jv_dump_string(jv_copy(message), 0)), stderr);
  jv_free(message);
}

static void say_stderr(void *nothing, jv message) {
  (void)nothing;
  say(message);
}

static void say_debug(void *nothing, jv message) {
  (void)nothing;
  say(jv_dump_string(JV_ARRAY(jv_string("DEBUG:"), message), 0));
  fputc('\n', stderr);
}

// halted is the end by halt and halt_error.
static int halted(void) {
  jv code = jq_get_exit_code(jq), message = jq_get_error_message(jq);
  fflush(stdout);
  bool line = jv_is_valid(message) && jv_get_kind(message) != JV_KIND_STRING;
  say(message);
  if (line) fputc('\n', stderr);
  return jv_get_kind(code) == JV_KIND_NUMBER ? (int)jv_number_value(code) : 0;
}

char **jq_environment(void) {
  static char *nothing[] = {NULL};
  return names_environment ? __wasilibc_get_environ() : nothing;
}

unsigned jq_seed(void) { return host_stdin_read() ? host_entropy() : 1; }

static void out_of_memory(void *nothing) {
  (void)nothing;
  script_fail("%s: out of memory", host_name(script_path()));
}

void language_initialize(void) {
  jq = jq_init();
  if (!jq) script_fail("out of memory");
  jq_set_nomem_handler(jq, out_of_memory, NULL);
}

int language_run(void) {
  char *script = script_text();
  find_options(script);
  names_environment = strstr(script + (script[0] == '#' ? strcspn(script, "\n") : 0), "env") || strstr(script, "ENV");
  jq_set_error_cb(jq, complain, NULL);
  compile(script);
  if (host_checking()) return 0;
  jq_set_input_cb(jq, next_value, NULL);
  jq_set_stderr_cb(jq, say_stderr, NULL);
  jq_set_debug_cb(jq, say_debug, NULL);
  jq_start(jq, input(), 0);
  jv value;
  while (jv_is_valid(value = jq_next(jq))) put(value);
  if (jq_halted(jq)) return halted();
  if (!jv_invalid_has_msg(jv_copy(value))) return 0;
  jv message = jv_invalid_get_msg(value);
  if (jv_get_kind(message) != JV_KIND_STRING) message = jv_dump_string(message, 0);
  fflush(stdout);
  fprintf(stderr, "%s: %s\n", host_name(script_path()), jv_string_value(message));
  return SOFTWARE_ERROR;
}
