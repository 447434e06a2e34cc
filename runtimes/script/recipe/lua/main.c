// main.c: Lua as a runtime of polyvoke. The standard library is Lua's, but for what a function cannot do.

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "host.h"
#include "lauxlib.h"
#include "lobject.h"
#include "lopcodes.h"
#include "lua.h"
#include "lualib.h"

static lua_State *state;
static lua_CFunction lua_random, lua_randomseed; // those of Lua's own library
static enum { NEVER, EARLY, SEEDED } seeded;     // by the script or by random_number

// load_script takes the place of luaL_loadfilex where Lua loads modules. Messages then have the names of
// files as people know them. Binary chunks are refused: Lua does not check them.
int load_script(lua_State *L, const char *path, const char *mode) {
  (void)mode;
  size_t len;
  char *text = host_read(path, &len);
  if (!text) {
    lua_pushfstring(L, "cannot read %s: %s", path, strerror(errno));
    return LUA_ERRFILE;
  }
  const char *from = text;
  if (len >= 3 && memcmp(from, "\xEF\xBB\xBF", 3) == 0) from += 3;
  if (*from == '#') from += strcspn(from, "\n");
  const char *name = lua_pushfstring(L, "@%s", host_name(path));
  int failed = luaL_loadbufferx(L, from, len - (from - text), name, "t");
  free(text);
  lua_remove(L, -2);
  return failed;
}

// no_time and no_getenv are what Lua's libraries find where they would look for a seed and for paths.
time_t no_time(time_t *t) {
  (void)t;
  return 0;
}

char *no_getenv(const char *name) {
  (void)name;
  return NULL;
}

// random_number is math.random. Unless the script has seeded it, it seeds itself in its first use, and once more in the first one
// after stdin has been read: a process may go on from there many times.
static int random_number(lua_State *L) {
  if (seeded == NEVER || (seeded == EARLY && host_stdin_read())) {
    seeded = host_stdin_read() ? SEEDED : EARLY;
    lua_pushvalue(L, lua_upvalueindex(1));
    lua_pushcclosure(L, lua_randomseed, 1);
    lua_pushinteger(L, host_entropy());
    lua_pushinteger(L, host_entropy());
    lua_call(L, 2, 0);
  }
  return lua_random(L);
}

// random_seed is math.randomseed; without arguments it takes entropy, where Lua's own takes time and addresses.
static int random_seed(lua_State *L) {
  seeded = SEEDED;
  if (lua_isnone(L, 1)) {
    if (!host_stdin_read()) seeded = EARLY;
    lua_pushinteger(L, host_entropy());
    lua_pushinteger(L, host_entropy());
  }
  return lua_randomseed(L);
}

// wrap puts a function in the place of one of the table at the top, with the same upvalue, and returns the old one.
static lua_CFunction wrap(lua_State *L, const char *name, lua_CFunction by) {
  lua_getfield(L, -1, name);
  lua_CFunction old = lua_tocfunction(L, -1);
  lua_getupvalue(L, -1, 1);
  lua_pushcclosure(L, by, 1);
  lua_setfield(L, -3, name);
  lua_pop(L, 1);
  return old;
}

// fill_arg makes the table at index 1, which is arg, an ordinary one.
static void fill_arg(lua_State *L) {
  size_t count;
  char **args = host_args(&count);
  lua_pushnil(L);
  lua_setmetatable(L, 1);
  for (size_t i = 0; i < count; i++) {
    lua_pushstring(L, args[i]);
    lua_rawseti(L, 1, i);
  }
}

static int arg_index(lua_State *L) {
  fill_arg(L);
  lua_settop(L, 2);
  lua_gettable(L, 1);
  return 1;
}

static int arg_newindex(lua_State *L) {
  fill_arg(L);
  lua_settop(L, 3);
  lua_settable(L, 1);
  return 0;
}

static int arg_len(lua_State *L) {
  fill_arg(L);
  lua_pushinteger(L, luaL_len(L, 1));
  return 1;
}

static int arg_pairs(lua_State *L) {
  fill_arg(L);
  lua_getglobal(L, "next");
  lua_pushvalue(L, 1);
  return 2;
}

// make_arg sets the global arg: a table that asks for the arguments when it is first looked at.
static void make_arg(lua_State *L) {
  static const luaL_Reg lazy[] = {
      {"__index", arg_index}, {"__newindex", arg_newindex}, {"__len", arg_len}, {"__pairs", arg_pairs}, {NULL, NULL}};
  lua_newtable(L);
  luaL_newlib(L, lazy);
  lua_setmetatable(L, -2);
  lua_setglobal(L, "arg");
}

// forget sets fields of a global table to nil.
static void forget(lua_State *L, const char *table, const char *const *names) {
  lua_getglobal(L, table);
  for (; *names; names++) {
    lua_pushnil(L);
    lua_setfield(L, -2, *names);
  }
  lua_pop(L, 1);
}

// forget_searchers leaves of the ways to find a module the first two: package.preload and package.path.
static void forget_searchers(lua_State *L) {
  lua_getglobal(L, "package");
  lua_getfield(L, -1, "searchers");
  for (lua_Integer i = luaL_len(L, -1); i > 2; i--) {
    lua_pushnil(L);
    lua_seti(L, -2, i);
  }
  lua_pop(L, 2);
}

void language_initialize(void) {
  static const luaL_Reg libraries[] = {
      {LUA_GNAME, luaopen_base},           {LUA_LOADLIBNAME, luaopen_package}, {LUA_COLIBNAME, luaopen_coroutine},
      {LUA_TABLIBNAME, luaopen_table},     {LUA_IOLIBNAME, luaopen_io},        {LUA_OSLIBNAME, luaopen_os},
      {LUA_STRLIBNAME, luaopen_string},    {LUA_MATHLIBNAME, luaopen_math},    {LUA_UTF8LIBNAME, luaopen_utf8},
      {LUA_DBLIBNAME, luaopen_debug},
  };
  lua_State *L = state = luaL_newstate();
  if (!L) abort();
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
    lua_pop(L, 1);
  }
  lua_getglobal(L, "math");
  lua_random = wrap(L, "random", random_number);
  lua_randomseed = wrap(L, "randomseed", random_seed);
  lua_pop(L, 1);
  make_arg(L);
  forget(L, "io", (const char *const[]){"popen", "tmpfile", NULL});
  forget(L, "os", (const char *const[]){"execute", "remove", "rename", "tmpname", NULL});
  forget(L, "package", (const char *const[]){"loadlib", "cpath", NULL});
  forget_searchers(L);
  lua_gc(L, LUA_GCCOLLECT);
}

// explain makes of an uncaught error a message with the stack.
static int explain(lua_State *L) {
  const char *message = luaL_tolstring(L, 1, NULL); // for a table: that it is one, or what __tostring says
  luaL_traceback(L, L, message, 1);
  return 1;
}

static int report(lua_State *L, int code) {
  fflush(stdout);
  const char *message = lua_tostring(L, -1);
  fprintf(stderr, "%s\n", message ? message : "error without a message");
  return code;
}

static bool check(const char *name) {
  const char *path = lua_pushfstring(state, SCRIPT_FOLDER "%s", name);
  bool good = load_script(state, path, NULL) == LUA_OK;
  if (!good) report(state, 0);
  lua_settop(state, 0);
  return good;
}

// push_args pushes what the main function at the top knows as `...`, and returns how many these are. A
// script that never says that does not ask for its arguments.
static int push_args(lua_State *L) {
  const Proto *p = ((const LClosure *)lua_topointer(L, -1))->p;
  bool asks = false;
  for (int i = 0; i < p->sizecode; i++) asks |= GET_OPCODE(p->code[i]) == OP_VARARG;
  if (!asks) return 0;
  size_t count;
  char **args = host_args(&count);
  luaL_checkstack(L, count, "too many arguments");
  for (size_t i = 1; i < count; i++) lua_pushstring(L, args[i]);
  return count > 0 ? count - 1 : 0;
}

// run_entry is called in protected mode with the path of the script.
static int run_entry(lua_State *L) {
  if (load_script(L, lua_tostring(L, 1), NULL) != LUA_OK) return lua_error(L);
  lua_call(L, push_args(L), 0);
  return 0;
}

int language_run(void) {
  lua_State *L = state;
  const char *entry = host_entry();
  if (!entry) {
    fprintf(stderr, "there is no script: %s is missing\n", SCRIPT_FOLDER ".polyvoke/entry");
    return SOFTWARE_ERROR;
  }
  if (host_checking()) return host_each(".lua", check) ? 0 : BAD_DATA;
  lua_pushcfunction(L, explain);
  lua_pushcfunction(L, run_entry);
  lua_pushfstring(L, SCRIPT_FOLDER "%s", entry);
  if (lua_pcall(L, 1, 0, 1) != LUA_OK) return report(L, SOFTWARE_ERROR);
  return 0;
}
