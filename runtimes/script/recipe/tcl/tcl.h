// tcl.h: the parts of the host of Tcl scripts.

#ifndef POLYVOKE_TCL_H
#define POLYVOKE_TCL_H

#include "jim.h"

// tcl_get_variable is Jim's own Jim_GetVariable, which the recipe renames.
Jim_Obj *tcl_get_variable(Jim_Interp *interp, Jim_Obj *name, int flags);

// encoding_add adds the command encoding.
int encoding_add(Jim_Interp *interp);

int Jim_InitStaticExtensions(Jim_Interp *interp); // made by the recipe

#endif
