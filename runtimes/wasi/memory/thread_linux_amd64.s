#include "textflag.h"

// func base() uint64
TEXT ·base(SB), NOSPLIT, $0-8
	BYTE $0xF3; BYTE $0x48; BYTE $0x0F; BYTE $0xAE; BYTE $0xC0 // RDFSBASE AX
	MOVQ AX, ret+0(FP)
	RET
