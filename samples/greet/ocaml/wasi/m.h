/* What OCaml's configure would find out about wasm32: the machine. */
#define SIZEOF_INT 4
#define SIZEOF_LONG 4
#define SIZEOF_PTR 4
#define SIZEOF_SHORT 2
#define SIZEOF_LONGLONG 8
#define ARCH_INT64_TYPE long long
#define ARCH_UINT64_TYPE unsigned long long
#define ARCH_INT64_PRINTF_FORMAT "ll"
#define ARCH_ALIGN_INT64
#define ARCH_ALIGN_DOUBLE
#define PROFINFO_WIDTH 0
#define CAML_SAFE_STRING 1
#define FLAT_FLOAT_ARRAY 1
#define SUPPORTS_ALIGNED_ATTRIBUTE
