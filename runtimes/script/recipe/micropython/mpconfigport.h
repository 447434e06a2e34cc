// mpconfigport.h: what of MicroPython is part of this runtime.

#include <alloca.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

typedef intptr_t mp_int_t;
typedef uintptr_t mp_uint_t;
typedef long long mp_off_t;

#define MICROPY_CONFIG_ROM_LEVEL (MICROPY_CONFIG_ROM_LEVEL_EXTRA_FEATURES)
#define MICROPY_HW_BOARD_NAME "wasi"
#define MICROPY_HW_MCU_NAME "wasm32"
#define MICROPY_PY_SYS_PLATFORM "wasi"

// Memory: a heap that grows, collected at any moment; spill.py lets the collector see all pointers.
#define MICROPY_ENABLE_GC (1)
#define MICROPY_GC_SPLIT_HEAP (1)
#define MICROPY_GC_SPLIT_HEAP_AUTO (1)
#define MICROPY_ALLOC_GC_STACK_SIZE (1024)
#define MICROPY_ENABLE_FINALISER (0)
#define MICROPY_ALLOC_PARSE_RULE_INC (256)
#define MICROPY_ALLOC_PARSE_RESULT_INC (256)
#define MICROPY_STACK_CHECK (1)
#define MICROPY_STACK_CHECK_MARGIN (16384)
#define MICROPY_ENABLE_EMERGENCY_EXCEPTION_BUF (1)
#define MICROPY_EMERGENCY_EXCEPTION_BUF_SIZE (256)
extern void *heap_take(size_t size);
extern size_t heap_room(size_t needed);
#define MP_PLAT_ALLOC_HEAP(size) heap_take(size)
#define MP_PLAT_FREE_HEAP(p) free(p)

// The language.
#define MICROPY_NLR_SETJMP (1)
#define MICROPY_OPT_COMPUTED_GOTO (0)
#define MICROPY_ENABLE_COMPILER (1)
#define MICROPY_ENABLE_SOURCE_LINE (1)
#define MICROPY_ERROR_REPORTING (MICROPY_ERROR_REPORTING_DETAILED)
#define MICROPY_FLOAT_IMPL (MICROPY_FLOAT_IMPL_DOUBLE)
#define MICROPY_LONGINT_IMPL (MICROPY_LONGINT_IMPL_MPZ)
#define MICROPY_USE_INTERNAL_PRINTF (0)
#define MICROPY_ENABLE_EXTERNAL_IMPORT (1)
#define MICROPY_ENABLE_SCHEDULER (0)
#define MICROPY_KBD_EXCEPTION (0)
#define MICROPY_HELPER_REPL (0)
#define MICROPY_REPL_EMACS_KEYS (0)
#define MICROPY_REPL_AUTO_INDENT (0)
#define MICROPY_REPL_EVENT_DRIVEN (0)
#define MICROPY_PY_BUILTINS_HELP (0)
#define MICROPY_PY_BUILTINS_INPUT (0)

// The modules: os and random are our own.
#define MICROPY_PY_OS (0)
#define MICROPY_PY_RANDOM (0)
#define MICROPY_PY_ASYNCIO (0)
#define MICROPY_PY_SELECT (0)
#define MICROPY_PY_FRAMEBUF (0)
#define MICROPY_PY_DEFLATE (0)
#define MICROPY_PY_CRYPTOLIB (0)
#define MICROPY_PY_UCTYPES (0)
#define MICROPY_PY_MACHINE (0)
#define MICROPY_PY_SYS_PS1_PS2 (0)
#define MICROPY_PY_SYS_STDFILES (1)
#define MICROPY_PY_SYS_MAXSIZE (1)
#define MICROPY_PY_HASHLIB (1)
#define MICROPY_PY_HASHLIB_SHA256 (1)
#define MICROPY_PY_BINASCII (1)
#define MICROPY_PY_BINASCII_CRC32 (1)
#define MICROPY_PY_TIME (1)
#define MICROPY_PY_TIME_GMTIME_LOCALTIME_MKTIME (1)
#define MICROPY_PY_TIME_TIME_TIME_NS (1)
#define MICROPY_PY_TIME_INCLUDEFILE "modtime.inc"
#define MICROPY_EPOCH_IS_1970 (1)

extern uintptr_t mp_hal_stdout_tx_strn(const char *s, size_t n);
#define MP_PLAT_PRINT_STRN(s, n) mp_hal_stdout_tx_strn(s, n)
#define MP_STATE_PORT MP_STATE_VM
