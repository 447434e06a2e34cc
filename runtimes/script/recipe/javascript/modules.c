// modules.c: see modules.h.

#include "modules.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "process.h"

// The import that is being followed, for the error that says what was wrong with it. QuickJS asks for a module's file
// directly after its name.
static char *importing_file, *importing_specifier;

static void note_import(const char *importer, const char *specifier) {
  free(importing_file);
  free(importing_specifier);
  importing_file = strdup(importer);
  importing_specifier = strdup(specifier);
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

static JS_BOOL begins(const char *s, const char *with) { return strncmp(s, with, strlen(with)) == 0; }

char *module_name(JSContext *ctx, const char *importer, const char *specifier, void *opaque) {
  note_import(importer, specifier);
  JS_BOOL relative = begins(specifier, "./") || begins(specifier, "../");
  if (begins(specifier, "/script/")) {
    specifier += strlen("/script/");
  } else if (!relative && specifier[0] != '/') {
    if (strcmp(specifier, "std") == 0 || strcmp(specifier, "os") == 0) return js_strdup(ctx, specifier);
    refuse(ctx, "there are the modules \"std\" and \"os\", and files by a path that begins with ./ or ../");
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

static JS_BOOL is_json(const char *name) {
  size_t n = strlen(name);
  return n > 5 && strcmp(name + n - 5, ".json") == 0;
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
  } else if (!is_json(name) || as_module(ctx, name, &source)) {
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
