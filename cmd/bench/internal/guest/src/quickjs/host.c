// A process that runs the JavaScript module in $JS_SOURCE. The script has readText(), which is all of stdin
// as a string, and write(text). An uncaught error is exit code 70 and its text on stderr.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "quickjs.h"

static JSValue read_text(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t size = 65536, len = 0;
  char *text = malloc(size);
  ssize_t n;
  while (text && (n = read(0, text + len, size - len)) > 0)
    if ((len += n) == size) text = realloc(text, size *= 2);
  if (!text) return JS_ThrowOutOfMemory(ctx);
  JSValue v = JS_NewStringLen(ctx, text, len);
  free(text);
  return v;
}

static JSValue write_text(JSContext *ctx, JSValueConst this, int argc, JSValueConst *argv) {
  size_t len;
  const char *text = JS_ToCStringLen(ctx, &len, argv[0]);
  if (!text) return JS_EXCEPTION;
  fwrite(text, 1, len, stdout);
  JS_FreeCString(ctx, text);
  return JS_UNDEFINED;
}

static int fail(JSContext *ctx) {
  const char *text = JS_ToCString(ctx, JS_GetException(ctx));
  fprintf(stderr, "%s\n", text ? text : "an error that has no text");
  return 70;
}

int main(void) {
  const char *source = getenv("JS_SOURCE");
  if (!source) return 64;
  JSRuntime *rt = JS_NewRuntime();
  JS_SetMaxStackSize(rt, 0); // the sandbox has a limit of its own
  JSContext *ctx = JS_NewContext(rt), *next;
  JSValue global = JS_GetGlobalObject(ctx);
  JS_SetPropertyStr(ctx, global, "readText", JS_NewCFunction(ctx, read_text, "readText", 0));
  JS_SetPropertyStr(ctx, global, "write", JS_NewCFunction(ctx, write_text, "write", 1));
  JSValue v = JS_Eval(ctx, source, strlen(source), "function.js", JS_EVAL_TYPE_MODULE);
  if (JS_IsException(v)) return fail(ctx);
  for (int r; (r = JS_ExecutePendingJob(rt, &next));)
    if (r < 0) return fail(next);
  if (JS_PromiseState(ctx, v) == JS_PROMISE_REJECTED) {
    JS_Throw(ctx, JS_PromiseResult(ctx, v));
    return fail(ctx);
  }
  return 0;
}
