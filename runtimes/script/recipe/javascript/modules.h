// modules.h: where the modules of a script come from.
#ifndef MODULES_H
#define MODULES_H

#include "quickjs.h"

// module_compile compiles the file of that name as a module and does not run it. Names are paths below /script, such as
// "shout.js" and "lib/words.js", or begin with a slash.
JSValue module_compile(JSContext *ctx, const char *name, JS_BOOL entry);

// module_name is a JSModuleNormalizeFunc, module_load a JSModuleLoaderFunc.
char *module_name(JSContext *ctx, const char *importer, const char *specifier, void *opaque);
JSModuleDef *module_load(JSContext *ctx, const char *name, void *opaque);

// module_commonjs returns the function of the CommonJS module of that name.
JSValue module_commonjs(JSContext *ctx, JSValueConst name);

// module_is_commonjs reports whether the file of that name is loaded as CommonJS.
JS_BOOL module_is_commonjs(JSContext *ctx, JSValueConst name);

// module_why says why there is no module of that name.
JSValue module_why(JSContext *ctx, JSValueConst specifier);

#endif
