/* What OCaml's configure would find out about WASI: the system. */
#define OCAML_OS_TYPE "Unix"
#define HAS_C99_FLOAT_OPS
#define HAS_WORKING_FMA
#define HAS_WORKING_ROUND
#define HAS_GETCWD
#define HAS_STDINT_H
#define HAS_UNISTD
#define HAS_DIRENT
#define HAS_REWINDDIR
#define HAS_FFS

/* Nothing here runs with the rights of another, and there is no parent process. */
#define HAS_SECURE_GETENV
#define secure_getenv getenv
#define getppid getpid
