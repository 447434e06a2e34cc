// A module in wasmtime's pooling allocator. stdin and stdout are functions of our own, from and to
// bytes: wasmtime's take files only. The rest of WASI is wasmtime's.
#include "pool.h"

#include <stdlib.h>
#include <string.h>

#include "wasmtime.h"

struct pool {
  wasm_engine_t *engine;
  wasmtime_linker_t *linker;
  wasmtime_module_t *module;
  wasmtime_instance_pre_t *instance;
  const pool_options *options;
};

enum { BADF = 8, FAULT = 21, NOSPC = 51 };

// text returns a message as a string of malloc, and frees it.
static char *text(wasm_byte_vec_t *v) {
  char *s = malloc(v->size + 1);
  memcpy(s, v->data, v->size);
  s[v->size] = 0;
  wasm_byte_vec_delete(v);
  return s;
}

// failure returns what an error or a trap says, frees it, and returns NULL for neither and for exit code 0.
static char *failure(wasmtime_error_t *error, wasm_trap_t *trap) {
  wasm_byte_vec_t message;
  int status;
  if (trap) {
    wasm_trap_message(trap, &message);
    wasm_trap_delete(trap);
  } else if (!error) {
    return NULL;
  } else if (wasmtime_error_exit_status(error, &status) && status == 0) {
    wasmtime_error_delete(error);
    return NULL;
  } else {
    wasmtime_error_message(error, &message);
    wasmtime_error_delete(error);
  }
  return text(&message);
}

// vectors copies between the guest's vectors and a body, by what one vector does, and stores the count.
static int32_t vectors(wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t (*one)(pool_body *, uint8_t *, size_t)) {
  wasmtime_context_t *context = wasmtime_caller_context(caller);
  wasmtime_extern_t memory;
  if (!wasmtime_caller_export_get(caller, "memory", 6, &memory) || memory.kind != EXTERN_MEMORY) return FAULT;
  uint8_t *data = wasmtime_memory_data(context, &memory.of.memory);
  uint64_t size = wasmtime_memory_data_size(context, &memory.of.memory);
  uint64_t list = (uint32_t)args[1].i32, count = (uint32_t)args[2].i32, result = (uint32_t)args[3].i32;
  uint32_t total = 0;
  if (list + 8 * count > size || result + 4 > size) return FAULT;
  for (uint64_t i = 0; i < count; i++) {
    uint32_t v[2];
    memcpy(v, data + list + 8 * i, sizeof v);
    if ((uint64_t)v[0] + v[1] > size) return FAULT;
    size_t n = one(wasmtime_context_get_data(context), data + v[0], v[1]);
    total += n;
    if (n < v[1]) break;
  }
  memcpy(data + result, &total, sizeof total);
  return 0;
}

static size_t take(pool_body *b, uint8_t *to, size_t n) {
  if (n > b->in_len - b->in_at) n = b->in_len - b->in_at;
  memcpy(to, b->in + b->in_at, n);
  b->in_at += n;
  return n;
}

static size_t give(pool_body *b, uint8_t *from, size_t n) {
  if (n > b->out_cap - b->out_len) n = b->out_cap - b->out_len;
  memcpy(b->out + b->out_len, from, n);
  b->out_len += n;
  return n;
}

static size_t discard(pool_body *b, uint8_t *from, size_t n) { return n; }

static wasm_trap_t *fd_read(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t n) {
  args[0].i32 = args[0].i32 == 0 ? vectors(caller, args, take) : BADF;
  return NULL;
}

static wasm_trap_t *fd_write(void *env, wasmtime_caller_t *caller, wasmtime_val_raw_t *args, size_t n) {
  int32_t fd = args[0].i32;
  args[0].i32 = fd == 1 ? vectors(caller, args, give) : fd == 2 ? vectors(caller, args, discard) : BADF;
  return NULL;
}

// define puts one of our functions, with four parameters, in the place of wasmtime's.
static wasmtime_error_t *define(pool *p, const char *name, callback_t call) {
  static const char module[] = "wasi_snapshot_preview1";
  wasm_valtype_t *list[4] = {wasm_valtype_new(WASM_I32), wasm_valtype_new(WASM_I32), wasm_valtype_new(WASM_I32), wasm_valtype_new(WASM_I32)};
  wasm_valtype_t *one[1] = {wasm_valtype_new(WASM_I32)};
  wasm_valtype_vec_t params, results;
  wasm_valtype_vec_new(&params, 4, list);
  wasm_valtype_vec_new(&results, 1, one);
  wasm_functype_t *type = wasm_functype_new(&params, &results);
  wasmtime_error_t *error =
      wasmtime_linker_define_func_unchecked(p->linker, module, sizeof module - 1, name, strlen(name), type, call, NULL, NULL);
  wasm_functype_delete(type);
  return error;
}

// engine makes an engine whose instances and memories come from pools.
static wasm_engine_t *engine(uint64_t memory) {
  wasm_config_t *config = wasm_config_new();
  pooling_t *pooling = wasmtime_pooling_allocation_config_new();
  wasmtime_pooling_allocation_config_linear_memory_keep_resident_set(pooling, 256 << 10);
  wasmtime_pooling_allocation_config_table_keep_resident_set(pooling, 256 << 10);
  wasmtime_pooling_allocation_config_max_core_instance_size_set(pooling, 16 << 20);
  wasmtime_pooling_allocation_config_table_elements_set(pooling, 100000);
  wasmtime_pooling_allocation_config_max_memory_size_set(pooling, memory);
  wasmtime_pooling_allocation_strategy_set(config, pooling);
  wasmtime_pooling_allocation_config_delete(pooling);
  wasmtime_config_memory_init_cow_set(config, true);
  return wasm_engine_new_with_config(config);
}

pool *pool_open(const uint8_t *module, size_t len, int loaded, const pool_options *options, char **error) {
  pool *p = calloc(1, sizeof *p);
  p->options = options;
  p->engine = engine(options->memory);
  p->linker = wasmtime_linker_new(p->engine);
  wasmtime_linker_allow_shadowing(p->linker, true);
  wasmtime_error_t *e = wasmtime_linker_define_wasi(p->linker);
  if (!e) e = define(p, "fd_read", fd_read);
  if (!e) e = define(p, "fd_write", fd_write);
  if (!e) e = loaded ? wasmtime_module_deserialize(p->engine, module, len, &p->module) : wasmtime_module_new(p->engine, module, len, &p->module);
  if (!e) e = wasmtime_linker_instantiate_pre(p->linker, p->module, &p->instance);
  if (!e) return p;
  *error = failure(e, NULL);
  pool_close(p);
  return NULL;
}

const char *pool_save(pool *p, size_t *len, char **error) {
  wasm_byte_vec_t out;
  *error = failure(wasmtime_module_serialize(p->module, &out), NULL);
  if (*error) return NULL;
  *len = out.size;
  return out.data;
}

void pool_saved(const char *data, size_t len) {
  wasm_byte_vec_t v = {len, (char *)data};
  wasm_byte_vec_delete(&v);
}

char *pool_call(pool *p, pool_body *body) {
  const pool_options *o = p->options;
  wasi_config_t *wasi = wasi_config_new();
  wasi_config_set_argv(wasi, o->argc, o->args);
  wasi_config_set_env(wasi, o->envc, o->names, o->values);
  wasmtime_store_t *store = wasmtime_store_new(p->engine, body, NULL);
  wasmtime_context_t *context = wasmtime_store_context(store);
  wasmtime_instance_t instance;
  wasmtime_extern_t start;
  wasm_trap_t *trap = NULL;
  char *message = NULL;
  wasmtime_error_t *error = wasmtime_context_set_wasi(context, wasi);
  if (!error) error = wasmtime_instance_pre_instantiate(p->instance, context, &instance, &trap);
  if (!error && !trap) {
    if (wasmtime_instance_export_get(context, &instance, "_start", 6, &start) && start.kind == EXTERN_FUNC)
      error = wasmtime_func_call_unchecked(context, &start.of.func, NULL, 0, &trap);
    else
      message = strdup("there is no _start");
  }
  if (error || trap) message = failure(error, trap);
  wasmtime_store_delete(store);
  return message;
}

void pool_close(pool *p) {
  if (p->instance) wasmtime_instance_pre_delete(p->instance);
  if (p->module) wasmtime_module_delete(p->module);
  wasmtime_linker_delete(p->linker);
  wasm_engine_delete(p->engine);
  free(p);
}
