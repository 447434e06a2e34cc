// mphalport.h: there is no key that interrupts.

#define mp_hal_set_interrupt_char(c) ((void)(c))
