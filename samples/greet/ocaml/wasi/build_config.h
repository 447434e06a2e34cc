#define OCAML_STDLIB_DIR "/"
#define HOST "wasm32-wasi"
