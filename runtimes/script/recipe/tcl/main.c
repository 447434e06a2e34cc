// The host of Tcl scripts: Jim, with stdin, stdout, stderr, argv, env and exit as in tclsh.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host.h"
#include "script.h"

#include "jim.h"
#include "tcl.h"

static Jim_Interp *tcl;

int tcl_seed(void) { return (int)host_entropy(); }

int tcl_unseeded(Jim_Interp *interp) {
  static bool fresh;
  if (!fresh && host_stdin_read()) {
    fresh = true;
    Jim_Free(interp->prngState);
    interp->prngState = NULL;
  }
  return interp->prngState == NULL;
}

// list_args is what argv is from index first on.
static Jim_Obj *list_args(size_t first) {
  size_t count;
  char **args = host_args(&count);
  Jim_Obj *list = Jim_NewListObj(tcl, NULL, 0);
  for (size_t i = first; i < count; i++) Jim_ListAppendElement(tcl, list, Jim_NewStringObj(tcl, args[i], -1));
  return list;
}

// given makes the value of a variable that a script may have from its start on.
static Jim_Obj *given(const char *name) {
  if (strcmp(name, "argv") == 0) return list_args(1);
  if (strcmp(name, "argc") == 0) {
    size_t count;
    host_args(&count);
    return Jim_NewIntObj(tcl, count ? count - 1 : 0);
  }
  if (strcmp(name, "argv0") == 0) return Jim_ListGetIndex(tcl, list_args(0), 0);
  if (strcmp(name, "env") != 0 || Jim_Eval(tcl, "env") != JIM_OK) return NULL;
  return Jim_DuplicateObj(tcl, Jim_GetResult(tcl));
}

// Jim_GetVariable looks a variable up. The arguments and the environment are asked for when a script first names their
// variables: they differ from call to call, and a process is kept where it first reads stdin.
Jim_Obj *Jim_GetVariable(Jim_Interp *interp, Jim_Obj *name, int flags) {
  Jim_Obj *value = tcl_get_variable(interp, name, flags & ~JIM_ERRMSG);
  if (value) return value;
  const char *called = Jim_String(name);
  bool global = strncmp(called, "::", 2) == 0;
  if (tcl && (global || interp->framePtr == interp->topFramePtr)) {
    Jim_Obj *result = Jim_GetResult(interp);
    Jim_IncrRefCount(result);
    value = given(called + (global ? 2 : 0));
    Jim_SetResult(interp, result);
    Jim_DecrRefCount(interp, result);
    if (value) Jim_SetGlobalVariableStr(interp, called + (global ? 2 : 0), value);
  }
  return tcl_get_variable(interp, name, flags);
}

// report writes the message of an error, with the file, the line and the calls that led there.
static void report(void) {
  Jim_MakeErrorMessage(tcl);
  fflush(stdout);
  fprintf(stderr, "%s\n", Jim_String(Jim_GetResult(tcl)));
}

// check reads all of the script: with a return in front nothing of it runs.
static int check(const char *path) {
  static const char first[] = "return;";
  char *text = script_text(), *checked = malloc(sizeof first + strlen(text));
  if (!checked) script_fail("out of memory");
  strcpy(checked, first);
  strcat(checked, text);
  if (Jim_EvalSource(tcl, path, 1, checked) != JIM_ERR) return 0;
  // The trace of the error begins with the file and the line.
  Jim_Obj *line = Jim_ListGetIndex(tcl, tcl->stackTrace, 2);
  fprintf(stderr, "%s:%s: %s\n", path, line ? Jim_String(line) : "1", Jim_String(Jim_GetResult(tcl)));
  return BAD_DATA;
}

void language_initialize(void) {
  Jim_Interp *interp = Jim_CreateInterp();
  Jim_RegisterCoreCommands(interp);
  if (Jim_InitStaticExtensions(interp) != JIM_OK || encoding_add(interp) != JIM_OK)
    script_fail("Jim does not start: %s", Jim_String(Jim_GetResult(interp)));
  Jim_SetVariableStrWithStr(interp, JIM_INTERACTIVE, "0");
  tcl = interp;
}

int language_run(void) {
  const char *path = host_name(script_path());
  if (host_checking()) return check(path);
  int rc = Jim_EvalSource(tcl, path, 1, script_text());
  if (rc == JIM_EXIT) return Jim_GetExitCode(tcl);
  if (rc != JIM_ERR) return 0;
  report();
  return SOFTWARE_ERROR;
}
