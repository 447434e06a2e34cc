#include "textflag.h"

// func memoryPages() int64
TEXT ·memoryPages(SB), NOSPLIT, $0-8
	Get SP
	CurrentMemory
	I64ExtendI32U
	I64Store ret+0(FP)
	RET

// func unreachable()
TEXT ·unreachable(SB), NOSPLIT, $0-0
	UNDEF
