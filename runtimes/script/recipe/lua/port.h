// port.h is included before each file of Lua: what WASI has not, and what must not differ between two starts.

#include <stdio.h>
#include <stdlib.h>

// There are no temporary files, no locks, and no other programs.
#define tmpfile() ((FILE *)0)
#define tmpnam(name) ((char *)0)
#define L_tmpnam 20
#define system(command) (-1)
#define l_getc(f) getc_unlocked(f)
#define l_lockfile(f) ((void)(f))
#define l_unlockfile(f) ((void)(f))

// The seed of string hashes and the pivots of sorts would come from the clock.
#define luai_makeseed(L) 0x6c756121u
#define l_randomizePivot() 0u

// Of the two ways of dispatch the switch is the one that WebAssembly has.
#define LUA_USE_JUMPTABLE 0

#define LUA_COMPAT_5_3
#define LUA_PATH_DEFAULT "/script/?.lua;/script/?/init.lua"
#define LUA_CPATH_DEFAULT ""
