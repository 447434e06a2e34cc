/* The start of an OCaml program, whose bytecode ocamlc has put into C. */

#define CAML_NAME_SPACE
#define CAML_INTERNALS
#include <caml/callback.h>
#include <caml/mlvalues.h>
#include <caml/sys.h>

/* The runtime asks for it even without a debugger. */
opcode_t caml_debugger_saved_instruction(code_t at) { return *at; }

int main(int argc, char **argv) {
  (void)argc;
  caml_startup(argv);
  caml_do_exit(0);
  return 0; /* not reached */
}
