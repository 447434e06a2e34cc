// surface.h: what a script sees besides the language: the modules and the globals of prelude.js and node.js.
#ifndef SURFACE_H
#define SURFACE_H

#include "quickjs.h"

// A surface is what prelude.js and node.js return: the functions that the host calls.
typedef struct {
  JSValue describe;  // (error) -> the lines that report it
  JSValue locate;    // (error, entry) -> "FILE:LINE:COLUMN: reason"
  JSValue due;       // () -> milliseconds to the next timer, -1 for none
  JSValue fire;      // () runs the timers that are due
  JSValue tick;      // () runs what process.nextTick has left to do -> whether there was anything
  JSValue finish;    // () -> the exit code, after the script has heard that it ends
} surface;

// surface_add gives a context the surface. It tells whether that succeeded; if not, there is an exception.
JS_BOOL surface_add(JSContext *ctx, surface *s);

// surface_has reports whether there is a module of that name that is no file.
JS_BOOL surface_has(JSContext *ctx, const char *name);

// surface_put writes a string to a stream as UTF-8, and a newline if told so. Half a surrogate pair becomes U+FFFD.
JS_BOOL surface_put(JSContext *ctx, int stream, JSValueConst value, JS_BOOL newline);

#endif
