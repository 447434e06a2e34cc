// What pool.go needs of wasmtime's C API: a module in the pooling allocator, and calls of it.
#include <stddef.h>
#include <stdint.h>

typedef struct pool pool;

// pool_options are what a program gets in each call.
typedef struct {
  size_t argc, envc;
  const char **args, **names, **values;
  uint64_t memory; // the most a memory may have, in bytes
} pool_options;

// pool_body is a request and the room for its reply.
typedef struct {
  const uint8_t *in;
  size_t in_len, in_at;
  uint8_t *out;
  size_t out_cap, out_len;
} pool_body;

// pool_open compiles a module, or loads it if loaded is set and the bytes are what pool_save gave. It
// returns NULL and an error that the caller frees. The options must outlive the pool.
pool *pool_open(const uint8_t *module, size_t len, int loaded, const pool_options *options, char **error);

// pool_save returns the compiled module, to be freed with pool_saved.
const char *pool_save(pool *p, size_t *len, char **error);
void pool_saved(const char *data, size_t len);

// pool_call runs the program once in a store and an instance of its own; several threads may. It
// returns an error that the caller frees, or NULL.
char *pool_call(pool *p, pool_body *body);

// pool_close frees everything.
void pool_close(pool *p);
