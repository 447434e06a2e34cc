// The host of AWK scripts, in place of awk's main.c and of its messages. Records come from stdin; the arguments of the
// call are ARGV, but name no files. A zero byte on stdin is read as the bytes \300\200, since strings end at zero bytes.

#include <limits.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <wasi/libc-environ.h>

#include "host.h"
#include "script.h"

#include "awk.h"

extern Node *curnode;
extern FILE *infile;
extern int argno;

int dbg = 0;
Awkfloat srand_seed = 1;
char *cmdname = "awk";
char *lexprog; // the rest of the script
const char *version = "";
enum compile_states compile_time = ERROR_PRINTING;
bool safe = false;

// complain writes FILE:LINE: and a message.
static void complain(const char *format, va_list args) {
  fflush(stdout);
  if (compile_time != ERROR_PRINTING)
    fprintf(stderr, "%s:%d: ", host_name(script_path()), compile_time == RUNNING && curnode ? curnode->lineno : lineno);
  vfprintf(stderr, format, args);
  fputc('\n', stderr);
}

void WARNING(const char *format, ...) {
  va_list args;
  va_start(args, format);
  complain(format, args);
  va_end(args);
}

// FATAL ends the process with an error of the script.
void FATAL(const char *format, ...) {
  va_list args;
  va_start(args, format);
  complain(format, args);
  va_end(args);
  exit(SOFTWARE_ERROR);
}

// SYNTAX ends the process at the first error in the grammar of the script.
void SYNTAX(const char *format, ...) {
  va_list args;
  va_start(args, format);
  complain(format, args);
  va_end(args);
  exit(host_checking() ? BAD_DATA : SOFTWARE_ERROR);
}

// initgetrec is called before the first record is read.
void initgetrec(void) {
  infile = stdin;
  argno = INT_MAX - 1; // no argument is a file
}

// awk_getc is getc without zero bytes.
int awk_getc(FILE *f) {
  static FILE *owed; // from which \200 is read next
  if (owed == f) {
    owed = NULL;
    return 0200;
  }
  int c = getc(f);
  if (c != 0) return c;
  owed = f;
  return 0300;
}

// awk_time is what srand() seeds with: calls of one second differ.
long awk_time(void *nothing) {
  (void)nothing;
  return host_entropy() >> 33;
}

// awk_calls is called for each call of a function of the script: below the stack is nothing.
void awk_calls(void) {
  if ((uintptr_t)__builtin_frame_address(0) < 128 << 10) FATAL("functions call one another too deep");
}

int system(const char *command) {
  FATAL("system(\"%s\"): there are no other programs here", command);
  return -1;
}

FILE *popen(const char *command, const char *mode) {
  (void)mode;
  FATAL("cannot run \"%s\": there are no other programs here", command);
  return NULL;
}

int pclose(FILE *f) { return fclose(f); }

// No part of a script is in a file that the scanner opens.
int pgetc(void) { return EOF; }
char *cursource(void) { return NULL; }

void language_initialize(void) {
  srandom(1);
  symtab = makesymtab(NSYMTAB / NSYMTAB);
  recinit(recsize);
  syminit();
}

// arguments fills ARGV and ENVIRON, if the script names them: they differ from call to call.
static void arguments(const char *script) {
  static char *none[] = {"awk", NULL}, *nothing[] = {NULL};
  size_t count = 1;
  char **args = none;
  if (strstr(script, "ARGV") || strstr(script, "ARGC")) args = host_args(&count);
  arginit(count, args);
  envinit(strstr(script, "ENVIRON") ? __wasilibc_get_environ() : nothing);
}

int language_run(void) {
  lexprog = script_text();
  compile_time = COMPILING;
  arguments(lexprog);
  yyparse();
  if (errorflag) SYNTAX("the script does not end");
  if (host_checking()) return 0;
  compile_time = RUNNING;
  run(winner);
  return errorflag;
}
