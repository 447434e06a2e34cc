// glue.h: what is used of the C library.

void *realloc(void *memory, unsigned long size);
long write(int fd, const void *from, unsigned long length);
int getentropy(void *to, unsigned long length);
_Noreturn void exit(int code);
