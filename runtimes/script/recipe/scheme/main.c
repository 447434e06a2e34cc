// main.c: Chez Scheme as a runtime of polyvoke. host.scm is the other half: what can be said in Scheme.
//
// Scheme calls C as a procedure calls another. C calls Scheme once, for the script. Where Scheme would return from that by longjmp, it
// makes a note instead (scheme_left), and what is in between returns. An error that C functions of the kernel find is handled by Scheme
// on top of them; they are never returned to.

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "script.h"

#include "scheme.h"

static char petite[] = {
#embed "petite.boot"
};
static char scheme[] = {
#embed "scheme.boot"
};
static const char library[] = { // host.scm
#embed "host.scm"
};

static ptr run; // what the last expression of host.scm returns

// scheme_ended is called where an error in the kernel was the end of the script.
_Noreturn void scheme_ended(uint64_t code) { exit(Sfixnump(code) ? (int)Sfixnum_value(code) : SOFTWARE_ERROR); }

_Noreturn static void give_up(void) { exit(SOFTWARE_ERROR); }

// arguments returns a list of the arguments of the call.
static ptr arguments(void) {
  size_t count;
  char **args = script_args(&count);
  ptr list = Snil;
  while (count > 0) list = Scons(Sstring_utf8(args[--count], -1), list);
  return list;
}

static ptr leave(ptr code) {
  exit(Sfixnum_value(code));
  return code;
}

static ptr call(const char *name, ptr argument) { return Scall1(Stop_level_value(Sstring_to_symbol(name)), argument); }

void language_initialize(void) {
  Sscheme_init(give_up);
  Sregister_boot_file_bytes("petite", petite, sizeof petite);
  Sregister_boot_file_bytes("scheme", scheme, sizeof scheme);
  Sbuild_heap(NULL, NULL);
  Sforeign_symbol("host_arguments", (void *)arguments);
  Sforeign_symbol("host_leave", (void *)leave);
  run = call("eval", call("read", call("open-input-string", Sstring_utf8(library, sizeof library))));
  Slock_object(run);
}

int language_run(void) {
  return Sfixnum_value(Scall2(run, Sstring_utf8(host_name(script_path()), -1), Sboolean(host_checking())));
}
