// surface.c: see surface.h. The C half: what needs the process. prelude.js is the other half; it gets these functions
// as one object and builds the modules and globals from them.

#include "surface.h"

#include <stdlib.h>
#include <string.h>

#include "modules.h"
#include "prelude.h" // made by build.sh: prelude_source and node_source, the bytes of those files and a zero byte
#include "process.h"

// --- Text.

// utf8_len is the length of the UTF-8 sequence at p (RFC 3629). Where there is none *ok is false, and the length is that
// of what one U+FFFD stands for (the Unicode Standard, section 3.9, "maximal subpart").
static size_t utf8_len(const uint8_t *p, const uint8_t *end, bool *ok) {
  size_t n = *p < 0x80 ? 1 : *p < 0xC2 ? 0 : *p < 0xE0 ? 2 : *p < 0xF0 ? 3 : *p < 0xF5 ? 4 : 0;
  uint8_t low = *p == 0xE0 ? 0xA0 : *p == 0xF0 ? 0x90 : 0x80;
  uint8_t high = *p == 0xED ? 0x9F : *p == 0xF4 ? 0x8F : 0xBF;
  *ok = n > 0;
  for (size_t i = 1; i < n; i++) {
    if (p + i == end || p[i] < low || p[i] > high) {
      *ok = false;
      return i;
    }
    low = 0x80;
    high = 0xBF;
  }
  return n > 0 ? n : 1;
}

// first_bad is where the bytes stop being UTF-8: end if they never do.
static const uint8_t *first_bad(const uint8_t *p, const uint8_t *end) {
  while (p < end) {
    if (*p < 0x80) {
      p++;
      continue;
    }
    bool ok;
    size_t n = utf8_len(p, end, &ok);
    if (!ok) return p;
    p += n;
  }
  return p;
}

static const char replacement[] = "\xEF\xBF\xBD"; // U+FFFD

// decode makes a string of bytes; what is not UTF-8 becomes U+FFFD.
static JSValue decode(JSContext *ctx, const char *bytes, size_t len) {
  const uint8_t *p = (const uint8_t *)bytes, *end = p + len, *bad = first_bad(p, end);
  if (bad == end) return JS_NewStringLen(ctx, bytes, len);
  char *clean = malloc(len * 3), *to = clean;
  if (!clean) return JS_ThrowOutOfMemory(ctx);
  while (p < end) {
    memcpy(to, p, bad - p);
    to += bad - p;
    p = bad;
    if (p == end) break;
    bool ok;
    p += utf8_len(p, end, &ok);
    memcpy(to, replacement, 3);
    to += 3;
    bad = first_bad(p, end);
  }
  JSValue s = JS_NewStringLen(ctx, clean, to - clean);
  free(clean);
  return s;
}

// utf8 returns the bytes of a value's string, for JS_FreeCString. QuickJS writes half a surrogate pair as three bytes that
// are not UTF-8; U+FFFD has as many.
static const char *utf8(JSContext *ctx, size_t *len, JSValueConst value) {
  char *s = (char *)JS_ToCStringLen(ctx, len, value);
  for (char *p = s, *end = s + (s ? *len : 0); p && (p = memchr(p, 0xED, end - p)); p += 3)
    if ((uint8_t)p[1] > 0x9F) memcpy(p, replacement, 3);
  return s;
}

JS_BOOL surface_put(JSContext *ctx, int stream, JSValueConst value, JS_BOOL newline) {
  size_t len;
  const char *s = utf8(ctx, &len, value);
  if (!s) return 0;
  char *line = newline ? malloc(len + 1) : NULL; // so that a line is one write
  if (line) {
    memcpy(line, s, len);
    line[len] = '\n';
    process_write(stream, line, len + 1);
  } else {
    process_write(stream, s, len);
    if (newline) process_write(stream, "\n", 1);
  }
  free(line);
  JS_FreeCString(ctx, s);
  return 1;
}

static JSValue text_value(JSContext *ctx, text t) {
  if (!t.bytes) return JS_ThrowOutOfMemory(ctx);
  JSValue v = decode(ctx, t.bytes, t.len);
  free(t.bytes);
  return v;
}

static void free_buffer(JSRuntime *rt, void *opaque, void *bytes) { free(bytes); }

static JSValue buffer_value(JSContext *ctx, text t) {
  if (!t.bytes) return JS_ThrowOutOfMemory(ctx);
  return JS_NewArrayBuffer(ctx, (uint8_t *)t.bytes, t.len, free_buffer, NULL, 0);
}

// A span is the part of a buffer that a call is about.
typedef struct {
  uint8_t *bytes;
  size_t len;
} span;

// get_span takes an ArrayBuffer or a typed array, and the arguments behind it: position (0 if left out) and length (up to the end).
static JS_BOOL get_span(JSContext *ctx, int argc, JSValueConst *argv, span *s) {
  size_t offset = 0, size = 0, len = 0;
  JSValue buffer = JS_GetTypedArrayBuffer(ctx, argv[0], &offset, &len, NULL);
  if (JS_IsException(buffer)) {
    JS_FreeValue(ctx, JS_GetException(ctx));
    s->bytes = JS_GetArrayBuffer(ctx, &len, argv[0]);
    size = len;
  } else {
    s->bytes = JS_GetArrayBuffer(ctx, &size, buffer);
    JS_FreeValue(ctx, buffer);
  }
  if (!s->bytes && size > 0) return 0;
  if (JS_HasException(ctx)) return 0;
  uint64_t at = 0, n;
  if (argc > 1 && !JS_IsUndefined(argv[1]) && JS_ToIndex(ctx, &at, argv[1])) return 0;
  n = at <= len ? len - at : 0;
  if (argc > 2 && !JS_IsUndefined(argv[2]) && JS_ToIndex(ctx, &n, argv[2])) return 0;
  if (at > len || n > len - at) {
    JS_ThrowRangeError(ctx, "position %d and length %d are outside of the buffer of %d bytes", (int)at, (int)n, (int)len);
    return 0;
  }
  s->bytes += offset + at;
  s->len = n;
  return 1;
}

// --- std.in, std.out, std.err.

static JS_BOOL get_max(JSContext *ctx, int argc, JSValueConst *argv, size_t *max) {
  uint64_t n = UINT32_MAX;
  if (argc > 0 && !JS_IsUndefined(argv[0]) && JS_ToIndex(ctx, &n, argv[0])) return 0;
  *max = n < UINT32_MAX ? n : UINT32_MAX;
  return 1;
}

static JSValue in_read_as_string(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t max;
  return get_max(ctx, argc, argv, &max) ? text_value(ctx, process_read_all(max)) : JS_EXCEPTION;
}

static JSValue in_read_as_array_buffer(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t max;
  return get_max(ctx, argc, argv, &max) ? buffer_value(ctx, process_read_all(max)) : JS_EXCEPTION;
}

static JSValue in_getline(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  text line;
  return process_read_line(&line) == LINE_END ? JS_NULL : text_value(ctx, line);
}

static JSValue in_read(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  span s;
  if (!get_span(ctx, argc, argv, &s)) return JS_EXCEPTION;
  size_t done = 0;
  for (size_t n = 1; n > 0 && done < s.len; done += n) n = process_read(s.bytes + done, s.len - done);
  return JS_NewInt64(ctx, done);
}

// in_read_some reads what is there, and waits only if that is nothing.
static JSValue in_read_some(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  span s;
  if (!get_span(ctx, argc, argv, &s)) return JS_EXCEPTION;
  return JS_NewInt64(ctx, process_read(s.bytes, s.len));
}

static JSValue in_get_byte(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  uint8_t byte;
  return JS_NewInt32(ctx, process_read(&byte, 1) ? byte : -1);
}

static JSValue in_eof(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  return JS_NewBool(ctx, process_at_end());
}

static JSValue out_puts(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int stream) {
  for (int i = 0; i < argc; i++)
    if (!surface_put(ctx, stream, argv[i], 0)) return JS_EXCEPTION;
  return JS_UNDEFINED;
}

static JSValue out_write(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int stream) {
  span s;
  if (!get_span(ctx, argc, argv, &s)) return JS_EXCEPTION;
  process_write(stream, (char *)s.bytes, s.len);
  return JS_NewInt64(ctx, s.len);
}

static JSValue out_put_byte(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int stream) {
  int32_t byte;
  if (JS_ToInt32(ctx, &byte, argv[0])) return JS_EXCEPTION;
  char c = byte;
  process_write(stream, &c, 1);
  return JS_NewInt32(ctx, byte & 0xFF);
}

static JSValue out_flush(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  process_flush();
  return JS_UNDEFINED;
}

// --- The rest of std and os.

static JSValue line(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int stream) {
  return surface_put(ctx, stream, argv[0], 1) ? JS_UNDEFINED : JS_EXCEPTION;
}

static JSValue std_exit(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t code = 0;
  if (argc > 0 && JS_ToInt32(ctx, &code, argv[0])) return JS_EXCEPTION;
  process_exit(code);
}

static JSValue std_gc(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  JS_RunGC(JS_GetRuntime(ctx));
  return JS_UNDEFINED;
}

// refuse ends the process because of an argument, or a variable, of which a part would have to be replaced.
static _Noreturn void refuse(bool environment) {
  static const char argument[] = "an argument is not UTF-8\n", variable[] = "a variable is not UTF-8\n";
  process_flush();
  if (environment) process_write(STDERR, variable, sizeof variable - 1);
  else process_write(STDERR, argument, sizeof argument - 1);
  process_exit(64); // EX_USAGE
}

// strings returns the arguments, or the environment as strings NAME=VALUE.
static JSValue strings(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int environment) {
  size_t count = 0;
  char *bytes = process_strings(environment, &count), *at = bytes;
  if (!bytes) return JS_ThrowOutOfMemory(ctx);
  JSValue all = JS_NewArray(ctx);
  for (size_t i = 0; i < count && !JS_IsException(all); i++) {
    size_t len = strlen(at);
    if (first_bad((uint8_t *)at, (uint8_t *)at + len) != (uint8_t *)at + len) refuse(environment);
    if (JS_DefinePropertyValueUint32(ctx, all, i, decode(ctx, at, len), JS_PROP_C_W_E) < 0) {
      JS_FreeValue(ctx, all);
      all = JS_EXCEPTION;
    }
    at += len + 1;
  }
  free(bytes);
  return all;
}

static JSValue load_file(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv, int binary) {
  const char *path = JS_ToCString(ctx, argv[0]);
  if (!path) return JS_EXCEPTION;
  text t = process_load(path);
  JS_FreeCString(ctx, path);
  if (!t.bytes) return JS_NULL;
  return binary ? buffer_value(ctx, t) : text_value(ctx, t);
}

// store_file writes a string or a buffer to a file, as the third argument says. It returns 0 or what went wrong.
static JSValue store_file(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  int32_t how, e = 0;
  if (JS_ToInt32(ctx, &how, argv[2]) < 0) return JS_EXCEPTION;
  if (how < STORE || how > STORE_NEW) return JS_ThrowRangeError(ctx, "unknown way to store a file");
  const char *path = JS_ToCString(ctx, argv[0]);
  if (!path) return JS_EXCEPTION;
  span s;
  size_t len;
  const char *string = JS_IsString(argv[1]) ? utf8(ctx, &len, argv[1]) : NULL;
  bool ok = string || (!JS_IsString(argv[1]) && get_span(ctx, 1, argv + 1, &s));
  if (string) s = (span){(uint8_t *)string, len};
  if (ok) e = process_store(path, how, (const char *)s.bytes, s.len);
  if (string) JS_FreeCString(ctx, string);
  JS_FreeCString(ctx, path);
  return ok ? JS_NewInt32(ctx, e) : JS_EXCEPTION;
}

static JSValue remove_file(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  const char *path = JS_ToCString(ctx, argv[0]);
  if (!path) return JS_EXCEPTION;
  int e = process_remove(path);
  JS_FreeCString(ctx, path);
  return JS_NewInt32(ctx, e);
}

typedef struct {
  JSContext *ctx;
  JSValue names;
  uint32_t count;
} listing;

static void list_name(void *to, const char *bytes, size_t len) {
  listing *l = to;
  JS_DefinePropertyValueUint32(l->ctx, l->names, l->count++, decode(l->ctx, bytes, len), JS_PROP_C_W_E);
}

static JSValue read_dir(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  const char *path = JS_ToCString(ctx, argv[0]);
  if (!path) return JS_EXCEPTION;
  listing l = {ctx, JS_NewArray(ctx), 0};
  bool ok = !JS_IsException(l.names) && process_list(path, list_name, &l);
  JS_FreeCString(ctx, path);
  if (ok) return l.names;
  JS_FreeValue(ctx, l.names);
  return JS_NULL;
}

static JSValue now(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  return JS_NewFloat64(ctx, process_clock(false) / 1e6);
}

static JSValue sleep_for(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  double ms;
  if (JS_ToFloat64(ctx, &ms, argv[0])) return JS_EXCEPTION;
  if (ms > 0) process_sleep(ms < 1e12 ? (uint64_t)(ms * 1e6) : (uint64_t)1e18);
  return JS_UNDEFINED;
}

static JSValue encode_text(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  size_t len;
  const char *s = utf8(ctx, &len, argv[0]);
  if (!s) return JS_EXCEPTION;
  JSValue buffer = JS_NewArrayBufferCopy(ctx, (const uint8_t *)s, len);
  JS_FreeCString(ctx, s);
  return buffer;
}

// decode_text takes a buffer, whether bytes that are not UTF-8 are an error, and whether a byte order mark stays.
static JSValue decode_text(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  span s;
  if (!get_span(ctx, 1, argv, &s)) return JS_EXCEPTION;
  if (JS_ToBool(ctx, argv[1]) && first_bad(s.bytes, s.bytes + s.len) != s.bytes + s.len)
    return JS_ThrowTypeError(ctx, "the bytes are not UTF-8");
  if (!JS_ToBool(ctx, argv[2]) && s.len >= 3 && memcmp(s.bytes, "\xEF\xBB\xBF", 3) == 0) {
    s.bytes += 3;
    s.len -= 3;
  }
  return decode(ctx, (char *)s.bytes, s.len);
}

static JSValue fill_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  span s;
  if (!get_span(ctx, 1, argv, &s)) return JS_EXCEPTION;
  process_random(s.bytes, s.len);
  return JS_UNDEFINED;
}

// math_random is xoshiro256+ (prng.di.unimi.it). It is seeded when it is first used, and once more when it is first used
// after the request has been read: a process may be put back to before that for every request.
static JSValue math_random(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  static uint64_t s[4];
  static enum { NEVER, EARLY, FOR_REQUEST } seeded;
  if (seeded == NEVER || (seeded == EARLY && process_has_request())) {
    process_random(s, sizeof s);
    seeded = process_has_request() ? FOR_REQUEST : EARLY;
  }
  uint64_t sum = s[0] + s[3], shifted = s[1] << 17;
  s[2] ^= s[0];
  s[3] ^= s[1];
  s[1] ^= s[2];
  s[0] ^= s[3];
  s[2] ^= shifted;
  s[3] = s[3] << 45 | s[3] >> 19;
  return JS_NewFloat64(ctx, (double)(sum >> 11) * 0x1p-53);
}

static JSValue compile_commonjs(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  return module_commonjs(ctx, argv[0]);
}

static JSValue is_commonjs(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) {
  return JS_NewBool(ctx, module_is_commonjs(ctx, argv[0]));
}

static JSValue why(JSContext *ctx, JSValueConst self, int argc, JSValueConst *argv) { return module_why(ctx, argv[0]); }

// --- The object that prelude.js and node.js get.

static const JSCFunctionListEntry in_functions[] = {
    JS_CFUNC_DEF("readAsString", 0, in_read_as_string), JS_CFUNC_DEF("readAsArrayBuffer", 0, in_read_as_array_buffer),
    JS_CFUNC_DEF("getline", 0, in_getline),             JS_CFUNC_DEF("read", 3, in_read),
    JS_CFUNC_DEF("getByte", 0, in_get_byte),            JS_CFUNC_DEF("eof", 0, in_eof),
    JS_CFUNC_DEF("readSome", 3, in_read_some),
};

static const JSCFunctionListEntry out_functions[] = {
    JS_CFUNC_MAGIC_DEF("puts", 1, out_puts, STDOUT),
    JS_CFUNC_MAGIC_DEF("write", 3, out_write, STDOUT),
    JS_CFUNC_MAGIC_DEF("putByte", 1, out_put_byte, STDOUT),
    JS_CFUNC_DEF("flush", 0, out_flush),
};

static const JSCFunctionListEntry err_functions[] = {
    JS_CFUNC_MAGIC_DEF("puts", 1, out_puts, STDERR),
    JS_CFUNC_MAGIC_DEF("write", 3, out_write, STDERR),
    JS_CFUNC_MAGIC_DEF("putByte", 1, out_put_byte, STDERR),
    JS_CFUNC_DEF("flush", 0, out_flush),
};

#define LIST(name, list) JS_OBJECT_DEF(name, list, sizeof list / sizeof *list, JS_PROP_C_W_E)

static const JSCFunctionListEntry native_functions[] = {
    LIST("in", in_functions),
    LIST("out", out_functions),
    LIST("err", err_functions),
    JS_CFUNC_MAGIC_DEF("print", 1, line, STDOUT),
    JS_CFUNC_MAGIC_DEF("log", 1, line, STDERR),
    JS_CFUNC_DEF("exit", 1, std_exit),
    JS_CFUNC_DEF("gc", 0, std_gc),
    JS_CFUNC_MAGIC_DEF("args", 0, strings, false),
    JS_CFUNC_MAGIC_DEF("environ", 0, strings, true),
    JS_CFUNC_MAGIC_DEF("loadText", 1, load_file, false),
    JS_CFUNC_MAGIC_DEF("loadBytes", 1, load_file, true),
    JS_CFUNC_DEF("store", 3, store_file),
    JS_CFUNC_DEF("remove", 1, remove_file),
    JS_CFUNC_DEF("readdir", 1, read_dir),
    JS_CFUNC_DEF("now", 0, now),
    JS_CFUNC_DEF("sleep", 1, sleep_for),
    JS_CFUNC_DEF("encode", 1, encode_text),
    JS_CFUNC_DEF("decode", 3, decode_text),
    JS_CFUNC_DEF("fillRandom", 1, fill_random),
    JS_CFUNC_DEF("random", 0, math_random),
    JS_CFUNC_DEF("compile", 1, compile_commonjs),
    JS_CFUNC_DEF("isCommonJS", 1, is_commonjs),
    JS_CFUNC_DEF("why", 1, why),
};

// --- The modules that are no files: node.js has them by their names.

static JSValue modules = JS_UNDEFINED;

// each_export calls declare or set for every property of a module's exports.
static JS_BOOL each_export(JSContext *ctx, JSModuleDef *m, JSValueConst exports, JS_BOOL set) {
  JSPropertyEnum *names;
  uint32_t count;
  if (JS_GetOwnPropertyNames(ctx, &names, &count, exports, JS_GPN_STRING_MASK)) return 0;
  JS_BOOL ok = 1;
  for (uint32_t i = 0; i < count; i++) {
    const char *name = JS_AtomToCString(ctx, names[i].atom);
    ok = ok && name &&
         (set ? JS_SetModuleExport(ctx, m, name, JS_GetProperty(ctx, exports, names[i].atom)) : JS_AddModuleExport(ctx, m, name)) == 0;
    JS_FreeCString(ctx, name);
    JS_FreeAtom(ctx, names[i].atom);
  }
  js_free(ctx, names);
  return ok;
}

// fill sets the exports of a module that somebody imports.
static int fill(JSContext *ctx, JSModuleDef *m) {
  JSAtom name = JS_GetModuleName(ctx, m);
  JSValue exports = JS_GetProperty(ctx, modules, name);
  JS_BOOL ok = each_export(ctx, m, exports, 1);
  JS_FreeValue(ctx, exports);
  JS_FreeAtom(ctx, name);
  return ok ? 0 : -1;
}

// add_modules declares all of them.
static JS_BOOL add_modules(JSContext *ctx) {
  JSPropertyEnum *names;
  uint32_t count;
  if (JS_GetOwnPropertyNames(ctx, &names, &count, modules, JS_GPN_STRING_MASK)) return 0;
  JS_BOOL ok = 1;
  for (uint32_t i = 0; i < count; i++) {
    const char *name = JS_AtomToCString(ctx, names[i].atom);
    JSValue exports = JS_GetProperty(ctx, modules, names[i].atom);
    JSModuleDef *m = name ? JS_NewCModule(ctx, name, fill) : NULL;
    ok = ok && m && each_export(ctx, m, exports, 0);
    JS_FreeValue(ctx, exports);
    JS_FreeCString(ctx, name);
    JS_FreeAtom(ctx, names[i].atom);
  }
  js_free(ctx, names);
  return ok;
}

JS_BOOL surface_has(JSContext *ctx, const char *name) {
  JSAtom atom = JS_NewAtom(ctx, name);
  JS_BOOL has = JS_HasProperty(ctx, modules, atom) > 0 && JS_GetOwnProperty(ctx, NULL, modules, atom) > 0;
  JS_FreeAtom(ctx, atom);
  return has;
}

// call_source evaluates a source, which is a function, and calls that.
static JSValue call_source(JSContext *ctx, const char *source, size_t len, const char *name, int argc,
                           JSValueConst *argv) {
  JSValue function = JS_Eval(ctx, source, len, name, JS_EVAL_TYPE_GLOBAL);
  JSValue result = JS_Call(ctx, function, JS_UNDEFINED, argc, argv);
  JS_FreeValue(ctx, function);
  return result;
}

JS_BOOL surface_add(JSContext *ctx, surface *s) {
  JSValue native = JS_NewObject(ctx);
  JS_SetPropertyFunctionList(ctx, native, native_functions, sizeof native_functions / sizeof *native_functions);
  JSValue prelude = call_source(ctx, prelude_source, sizeof prelude_source - 1, "prelude.js", 1, &native);
  if (JS_IsException(prelude)) return 0;
  JSValue argv[] = {native, JS_GetPropertyStr(ctx, prelude, "tools")};
  JSValue node = call_source(ctx, node_source, sizeof node_source - 1, "node.js", 2, argv);
  JS_FreeValue(ctx, argv[1]);
  JS_FreeValue(ctx, native);
  if (JS_IsException(node)) return 0;
  s->describe = JS_GetPropertyStr(ctx, prelude, "describe");
  s->locate = JS_GetPropertyStr(ctx, prelude, "locate");
  s->due = JS_GetPropertyStr(ctx, prelude, "due");
  s->fire = JS_GetPropertyStr(ctx, prelude, "fire");
  s->tick = JS_GetPropertyStr(ctx, node, "tick");
  s->finish = JS_GetPropertyStr(ctx, node, "finish");
  modules = JS_GetPropertyStr(ctx, node, "modules");
  JS_FreeValue(ctx, prelude);
  JS_FreeValue(ctx, node);
  return add_modules(ctx);
}
