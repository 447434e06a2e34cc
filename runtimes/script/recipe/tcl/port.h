// port.h: what Jim gets in front of jim.c. Its own look at the environment and its own seeds would come too early.

#include <stdlib.h>
#include <unistd.h>
#include <wasi/libc-environ.h>

#undef environ
#define environ (__wasilibc_get_environ())

struct Jim_Interp;

// tcl_unseeded tells whether random numbers have to be seeded: at first, and once more when stdin has been read.
int tcl_unseeded(struct Jim_Interp *interp);

// tcl_seed is a random number that the seeds are made of.
int tcl_seed(void);

#define rand tcl_seed
#define time(nothing) 0
