// host.c: QuickJS as a WASI command that runs one script: the ES module that /script/.polyvoke/entry names.
//
// What can be done without a script is done in wizer.initialize, which a sandbox may call once for all processes. The
// rest is main: load and compile the script, run it, then its jobs and timers until there are none. An error that nobody
// catches ends the process with 70, and with 65 if the script was only to be checked.

#include <stdlib.h>
#include <string.h>
#include <sys/time.h>

#include "modules.h"
#include "process.h"
#include "surface.h"

enum {
  OK = 0,
  BAD_DATA = 65,  // EX_DATAERR
  SOFTWARE = 70,  // EX_SOFTWARE
  JS_STACK = STACK_SIZE - (128 << 10), // of the linker's stack: the rest is for C code that does not look at its depth
  GC_AFTER = 4 << 20,                  // bytes that are allocated before the first collection of cycles
  LARGEST_HOLE = 64 << 10,             // bytes, more than are free in one place once a context has been made
  RESERVE = 64 << 10,                  // bytes that are kept for the report of an error when memory has run out
};

static JSRuntime *runtime;
static JSContext *context;
static surface built_in;
static void *reserve;
static bool memory_ran_out, initialized;

// --- Memory and time, as QuickJS asks for them.

static size_t size_of(const void *p) { return malloc_usable_size((void *)p); }

static void *take(JSMallocState *s, size_t size) {
  void *p = size <= s->malloc_limit - s->malloc_size ? malloc(size) : NULL;
  if (!p) {
    memory_ran_out = true;
    return NULL;
  }
  s->malloc_count++;
  s->malloc_size += size_of(p);
  return p;
}

static void give(JSMallocState *s, void *p) {
  if (!p) return;
  s->malloc_count--;
  s->malloc_size -= size_of(p);
  free(p);
}

static void *retake(JSMallocState *s, void *p, size_t size) {
  if (!p) return size ? take(s, size) : NULL;
  if (size == 0) {
    give(s, p);
    return NULL;
  }
  size_t before = size_of(p);
  void *moved = realloc(p, size);
  if (!moved) {
    memory_ran_out = true;
    return NULL;
  }
  s->malloc_size += size_of(moved) - before;
  return moved;
}

static const JSMallocFunctions memory = {take, give, retake, size_of};

// host_time stands in for gettimeofday (see build.sh). QuickJS calls it for Date, and once for a seed of Math.random when
// a context is made; prelude.js replaces that function, so the clock need not be looked at for it.
int host_time(struct timeval *restrict t, void *restrict zone) {
  uint64_t now = initialized ? process_clock(true) : 0;
  t->tv_sec = now / 1000000000;
  t->tv_usec = now / 1000 % 1000000;
  return 0;
}

// --- Errors.

static void say(const char *s) { process_write(STDERR, s, strlen(s)); }

// text_of calls a function of prelude.js that makes the text about an error. It is no string where that fails.
static JSValue text_of(JSValueConst function, JSValueConst error, const char *entry) {
  JSValue argv[] = {error, JS_NewString(context, entry)};
  JSValue s = JS_Call(context, function, JS_UNDEFINED, 2, argv);
  JS_FreeValue(context, argv[1]);
  return s;
}

// fail reports an error and ends the process.
static _Noreturn void fail(JSValue error, bool checking, const char *entry) {
  process_flush();
  free(reserve);
  reserve = NULL;
  // QuickJS throws null where there is no memory even for the error.
  bool no_memory = memory_ran_out && !JS_IsError(context, error);
  JSValue s = no_memory ? JS_UNDEFINED : text_of(checking ? built_in.locate : built_in.describe, error, entry);
  if (!JS_IsString(s) || !surface_put(context, STDERR, s, true)) {
    JS_FreeValue(context, JS_GetException(context));
    say(entry);
    say(memory_ran_out ? ": out of memory\n" : ": an error that cannot be shown\n");
  }
  process_exit(checking ? BAD_DATA : SOFTWARE);
}

// --- Promises that were rejected and that nobody has handled so far.

typedef struct {
  JSValue promise, reason;
} rejection;

static rejection *rejections;
static size_t rejection_count, rejection_room;

static void forget_rejection(size_t i) {
  JS_FreeValue(context, rejections[i].promise);
  JS_FreeValue(context, rejections[i].reason);
  memmove(rejections + i, rejections + i + 1, (--rejection_count - i) * sizeof *rejections);
}

static void track(JSContext *ctx, JSValueConst promise, JSValueConst reason, JS_BOOL handled, void *opaque) {
  for (size_t i = 0; i < rejection_count; i++)
    if (JS_VALUE_GET_PTR(rejections[i].promise) == JS_VALUE_GET_PTR(promise)) {
      if (handled) forget_rejection(i);
      return;
    }
  if (handled) return;
  if (rejection_count == rejection_room) {
    size_t room = rejection_room * 2 + 8;
    rejection *more = realloc(rejections, room * sizeof *more);
    if (!more) return;
    rejections = more;
    rejection_room = room;
  }
  rejections[rejection_count++] = (rejection){JS_DupValue(ctx, promise), JS_DupValue(ctx, reason)};
}

// --- One run.

static void initialize(void) {
  if (context) return;
  reserve = malloc(RESERVE);
  runtime = JS_NewRuntime2(&memory, NULL);
  context = runtime ? JS_NewContext(runtime) : NULL;
  if (!context) abort();
  JS_SetMaxStackSize(runtime, JS_STACK);
  JS_SetModuleLoaderFunc(runtime, module_name, module_load, NULL);
  JS_SetHostPromiseRejectionTracker(runtime, track, NULL);
  if (!surface_add(context, &built_in)) fail(JS_GetException(context), false, "prelude.js");
  JS_RunGC(runtime);
  JS_SetGCThreshold(runtime, GC_AFTER);
}

// close_holes takes what is free between the objects that there are, for good. What a script makes then lies together behind them, so that the
// memories of scripts differ in few pages from the one that they all begin with, and share the others.
static void close_holes(void) {
  char *end = malloc(LARGEST_HOLE); // where nothing is yet
  free(end);
  for (size_t size = LARGEST_HOLE; size > 0; size /= 2)
    for (char *p; (p = malloc(size)) != NULL;)
      if (p >= end) {
        free(p);
        break;
      }
}

// read_entry returns the path of the script below /script.
static char *read_entry(void) {
  text t = process_load("/script/.polyvoke/entry");
  if (!t.bytes) {
    say("there is no /script/.polyvoke/entry, which names the script\n");
    process_exit(SOFTWARE);
  }
  t.bytes[strcspn(t.bytes, "\r\n")] = 0;
  return t.bytes;
}

static bool is_check(void) {
  text t = process_load("/script/.polyvoke/check");
  free(t.bytes);
  return t.bytes != NULL;
}

// run_ticks runs what process.nextTick has left to do. It reports whether there was anything.
static bool run_ticks(const char *entry) {
  JSValue v = JS_Call(context, built_in.tick, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(v)) fail(JS_GetException(context), false, entry);
  return JS_ToBool(context, v);
}

// run_jobs runs what process.nextTick and promises have left to do, and ends the process where one was rejected and not
// handled.
static void run_jobs(const char *entry) {
  JSContext *of;
  int r = 0;
  do {
    while (run_ticks(entry)) {}
    while ((r = JS_ExecutePendingJob(runtime, &of)) > 0) {}
  } while (r == 0 && run_ticks(entry));
  if (r < 0) fail(JS_GetException(context), false, entry);
  if (rejection_count > 0) fail(JS_DupValue(context, rejections[0].reason), false, entry);
}

// next_timer waits for a timer and runs it. It tells whether there was one.
static bool next_timer(const char *entry) {
  JSValue due = JS_Call(context, built_in.due, JS_UNDEFINED, 0, NULL);
  double ms = -1;
  if (JS_ToFloat64(context, &ms, due) || ms < 0) return false;
  if (ms > 0) process_sleep((uint64_t)(ms * 1e6));
  JSValue v = JS_Call(context, built_in.fire, JS_UNDEFINED, 0, NULL);
  if (JS_IsException(v)) fail(JS_GetException(context), false, entry);
  JS_FreeValue(context, v);
  return true;
}

// finish lets the script hear that it ends, and returns its exit code.
static int finish(const char *entry) {
  JSValue code = JS_Call(context, built_in.finish, JS_UNDEFINED, 0, NULL);
  int32_t n = 0;
  if (JS_IsException(code) || JS_ToInt32(context, &n, code)) fail(JS_GetException(context), false, entry);
  return n;
}

int main(void) {
  initialize();
  initialized = true;
  JS_UpdateStackTop(runtime);
  char *entry = read_entry();
  bool checking = is_check();
  JSValue module = module_compile(context, entry, 1);
  if (JS_IsException(module)) fail(JS_GetException(context), checking, entry);
  if (checking) {
    if (JS_ResolveModule(context, module) < 0) fail(JS_GetException(context), true, entry);
    process_exit(OK);
  }
  JSValue promise = JS_EvalFunction(context, module);
  if (JS_IsException(promise)) fail(JS_GetException(context), false, entry);
  do run_jobs(entry);
  while (next_timer(entry));
  if (JS_PromiseState(context, promise) == JS_PROMISE_PENDING) {
    process_flush();
    say(entry);
    say(": the script awaits a promise that nothing will settle\n");
    process_exit(SOFTWARE);
  }
  process_exit(finish(entry));
}

extern void __wasm_call_ctors(void);
extern int JS_StopCounting(JSContext *ctx); // of atoms.c

__attribute__((export_name("wizer.initialize"))) void wizer_initialize(void) {
  __wasm_call_ctors();
  initialize();
  if (!JS_StopCounting(context)) abort();
  close_holes();
}
