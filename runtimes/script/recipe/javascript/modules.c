// modules.c: see modules.h.

#include "modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"
#include "surface.h"

// The import that is being followed, for the error that says what was wrong with it. QuickJS asks for a module's file
// directly after its name.
static char *importing_file, *importing_specifier;

static void note_import(const char *importer, const char *specifier) {
  free(importing_file);
  free(importing_specifier);
  importing_file = strdup(importer);
  importing_specifier = strdup(specifier);
}

// why_not says why there is no module of a name.
static const char *why_not(const char *specifier) {
  static const char *const outside[] = {"http", "https", "http2", "net",     "tls", "dgram",
                                        "dns",  "child_process", "cluster", "worker_threads"};
  if (strncmp(specifier, "node:", 5) == 0) specifier += 5;
  for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
    if (strcmp(specifier, outside[i]) == 0)
      return "this is QuickJS and not Node: a function has no sockets, processes or threads; it reads its request from "
             "stdin and writes its reply to stdout";
  return "this is QuickJS and not Node: of Node's modules there are fs, process, buffer, events, module, readline and "
         "stream/consumers; bundle packages into one file, as esbuild --bundle --format=esm does";
}

JSValue module_why(JSContext *ctx, JSValueConst specifier) {
  const char *s = JS_ToCString(ctx, specifier);
  if (!s) return JS_EXCEPTION;
  JSValue why = JS_NewString(ctx, why_not(s));
  JS_FreeCString(ctx, s);
  return why;
}

// refuse throws an error that prelude.js knows how to place: at the line that has the specifier.
static void refuse(JSContext *ctx, const char *reason) {
  const char *specifier = importing_specifier ? importing_specifier : "";
  JS_ThrowReferenceError(ctx, "cannot import \"%s\": %s", specifier, reason);
  JSValue error = JS_GetException(ctx);
  if (JS_IsObject(error) && importing_file) {
    JS_DefinePropertyValueStr(ctx, error, "importer", JS_NewString(ctx, importing_file), JS_PROP_CONFIGURABLE);
    JS_DefinePropertyValueStr(ctx, error, "specifier", JS_NewString(ctx, specifier), JS_PROP_CONFIGURABLE);
  }
  JS_Throw(ctx, error);
}

static JS_BOOL begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

static char *path_of(const char *name) {
  const char *folder = name[0] == '/' ? "" : "/script/";
  char *path = malloc(strlen(folder) + strlen(name) + 1);
  if (path) sprintf(path, "%s%s", folder, name);
  return path;
}

// clean takes "." and ".." out of a path, in place. It tells whether the path stays in its folder.
static JS_BOOL clean(char *path) {
  char *to = path, *from = path;
  if (*from == '/') to++, from++;
  char *root = to;
  while (*from) {
    size_t n = strcspn(from, "/");
    if (n == 2 && from[0] == '.' && from[1] == '.') {
      if (to == root) return 0;
      for (to--; to > root && to[-1] != '/'; to--) {}
    } else if (n > 0 && !(n == 1 && *from == '.')) {
      memmove(to, from, n);
      to += n;
      if (from[n]) *to++ = '/';
    }
    from += n + (from[n] == '/');
  }
  *to = 0;
  return 1;
}

char *module_name(JSContext *ctx, const char *importer, const char *specifier, void *opaque) {
  note_import(importer, specifier);
  JS_BOOL relative = begins(specifier, "./") || begins(specifier, "../");
  if (begins(specifier, "/script/")) {
    specifier += strlen("/script/");
  } else if (!relative && specifier[0] != '/') {
    if (surface_has(ctx, specifier)) return js_strdup(ctx, specifier);
    refuse(ctx, why_not(specifier));
    return NULL;
  }
  const char *slash = strrchr(importer, '/');
  size_t folder = relative && slash ? slash + 1 - importer : 0;
  char *name = js_malloc(ctx, folder + strlen(specifier) + 1);
  if (!name) return NULL;
  memcpy(name, importer, folder);
  strcpy(name + folder, specifier);
  if (clean(name)) return name;
  js_free(ctx, name);
  refuse(ctx, "that is outside of the script's folder");
  return NULL;
}

static JS_BOOL ends(const char *name, const char *with) {
  size_t n = strlen(name), m = strlen(with);
  return n > m && strcmp(name + n - m, with) == 0;
}

static JS_BOOL in_word(char c) {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '_' || c == '$' || c == '.';
}

// has_word reports whether a text has a word that is not a part of a longer one.
static JS_BOOL has_word(const char *s, const char *word) {
  for (const char *at = s; (at = strstr(at, word)) != NULL; at++)
    if (at == s || !in_word(at[-1])) return 1;
  return 0;
}

// is_esm reports whether a line of a text begins with import or export as a module's does.
static JS_BOOL is_esm(const char *s) {
  while (*s) {
    s += strspn(s, " \t");
    if ((begins(s, "import") || begins(s, "export")) && s[6] && strchr(" \t{*\"'", s[6])) return 1;
    s += strcspn(s, "\n");
    if (*s) s++;
  }
  return 0;
}

// is_commonjs reports whether a file is CommonJS, by its extension or else by its words.
static JS_BOOL is_commonjs(const char *name, const char *s) {
  if (ends(name, ".cjs")) return 1;
  if (!ends(name, ".js") || is_esm(s)) return 0;
  return has_word(s, "require(") || has_word(s, "module.exports") || has_word(s, "exports.");
}

// eval_commonjs compiles a CommonJS module: to a function, or with compile_only to what is only there to be freed.
static JSValue eval_commonjs(JSContext *ctx, const char *name, const text *source, JS_BOOL compile_only) {
  // As in prelude.js.
  static const char head[] = "(function (exports, require, module, __filename, __dirname) {", tail[] = "\n})";
  size_t len = sizeof head - 1 + source->len + sizeof tail - 1;
  char *bytes = malloc(len + 1);
  if (!bytes) return JS_ThrowOutOfMemory(ctx);
  memcpy(bytes, head, sizeof head - 1);
  memcpy(bytes + sizeof head - 1, source->bytes, source->len);
  memcpy(bytes + sizeof head - 1 + source->len, tail, sizeof tail);
  if (begins(source->bytes, "#!")) memcpy(bytes + sizeof head - 1, "//", 2);
  JSValue v = JS_Eval(ctx, bytes, len, name, JS_EVAL_TYPE_GLOBAL | (compile_only ? JS_EVAL_FLAG_COMPILE_ONLY : 0));
  free(bytes);
  return v;
}

JSValue module_commonjs(JSContext *ctx, JSValueConst of) {
  const char *name = JS_ToCString(ctx, of);
  char *path = name ? path_of(name) : NULL;
  text source = path ? process_load(path) : (text){0};
  JSValue v;
  if (!source.bytes) v = JS_ThrowReferenceError(ctx, "cannot read %s", path ? path : "a module");
  else if (!ends(name, ".cjs") && is_esm(source.bytes))
    v = JS_ThrowTypeError(ctx, "cannot require \"%s\": it is an ES module: import it", name);
  else v = eval_commonjs(ctx, name, &source, 0);
  free(source.bytes);
  free(path);
  JS_FreeCString(ctx, name);
  return v;
}

JS_BOOL module_is_commonjs(JSContext *ctx, JSValueConst of) {
  const char *name = JS_ToCString(ctx, of);
  char *path = name ? path_of(name) : NULL;
  text source = path ? process_load(path) : (text){0};
  JS_BOOL is = source.bytes && is_commonjs(name, source.bytes);
  free(source.bytes);
  free(path);
  JS_FreeCString(ctx, name);
  return is;
}

// as_loader makes the source of a module of a CommonJS one, which it loads: its default export is what that exports. It
// leaves what is no CommonJS as it is, and throws where a file that must be has bad syntax.
static JS_BOOL as_loader(JSContext *ctx, const char *name, text *source) {
  static const char loader[] = "import { load } from \"polyvoke:commonjs\";"
                               "export default load(import.meta.url.slice(7));";
  if (!is_commonjs(name, source->bytes)) return 1;
  JSValue v = eval_commonjs(ctx, name, source, 1);
  if (JS_IsException(v)) {
    if (ends(name, ".cjs")) return 0;
    JS_FreeValue(ctx, JS_GetException(ctx)); // it may be a module that calls require
    return 1;
  }
  JS_FreeValue(ctx, v);
  char *bytes = malloc(sizeof loader);
  if (!bytes) {
    JS_ThrowOutOfMemory(ctx);
    return 0;
  }
  memcpy(bytes, loader, sizeof loader);
  free(source->bytes);
  *source = (text){bytes, sizeof loader - 1};
  return 1;
}

// as_module makes the source of a module of a JSON file: its default export is the value.
static JS_BOOL as_module(JSContext *ctx, const char *name, text *source) {
  JSValue value = JS_ParseJSON(ctx, source->bytes, source->len, name);
  if (JS_IsException(value)) return 0;
  JS_FreeValue(ctx, value);
  static const char before[] = "export default ";
  char *bytes = malloc(sizeof before + source->len);
  if (!bytes) {
    JS_ThrowOutOfMemory(ctx);
    return 0;
  }
  memcpy(bytes, before, sizeof before - 1);
  memcpy(bytes + sizeof before - 1, source->bytes, source->len + 1);
  free(source->bytes);
  *source = (text){bytes, source->len + sizeof before - 1};
  return 1;
}

// describe_module fills in import.meta.
static JS_BOOL describe_module(JSContext *ctx, JSModuleDef *module, const char *path, JS_BOOL entry) {
  JSValue meta = JS_GetImportMeta(ctx, module);
  if (JS_IsException(meta)) return 0;
  char *url = malloc(strlen(path) + sizeof "file://");
  if (url) {
    sprintf(url, "file://%s", path);
    JS_DefinePropertyValueStr(ctx, meta, "url", JS_NewString(ctx, url), JS_PROP_C_W_E);
    JS_DefinePropertyValueStr(ctx, meta, "main", JS_NewBool(ctx, entry), JS_PROP_C_W_E);
  }
  free(url);
  JS_FreeValue(ctx, meta);
  return 1;
}

JSValue module_compile(JSContext *ctx, const char *name, JS_BOOL entry) {
  JSValue module = JS_EXCEPTION;
  char *path = path_of(name);
  if (!path) return JS_ThrowOutOfMemory(ctx);
  text source = process_load(path);
  if (!source.bytes) {
    if (entry) JS_ThrowReferenceError(ctx, "cannot read %s", path);
    else refuse(ctx, "there is no such file");
  } else if (ends(name, ".json") ? as_module(ctx, name, &source) : as_loader(ctx, name, &source)) {
    module = JS_Eval(ctx, source.bytes, source.len, name, JS_EVAL_TYPE_MODULE | JS_EVAL_FLAG_COMPILE_ONLY);
  }
  free(source.bytes);
  if (!JS_IsException(module) && !describe_module(ctx, JS_VALUE_GET_PTR(module), path, entry)) {
    JS_FreeValue(ctx, module);
    module = JS_EXCEPTION;
  }
  free(path);
  return module;
}

JSModuleDef *module_load(JSContext *ctx, const char *name, void *opaque) {
  JSValue module = module_compile(ctx, name, 0);
  if (JS_IsException(module)) return NULL;
  JSModuleDef *m = JS_VALUE_GET_PTR(module);
  JS_FreeValue(ctx, module); // the context keeps it
  return m;
}
