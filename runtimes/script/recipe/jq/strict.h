// strict.h: is it JSON?

#ifndef POLYVOKE_STRICT_H
#define POLYVOKE_STRICT_H

#include <stddef.h>

// strict_json returns NULL if all of text is one JSON value in UTF-8, strictly as RFC 8259 has it, nested at most 10,000
// levels deep; else it says what is wrong. A zero byte follows the text.
const char *strict_json(const char *text, size_t size);

// strict_utf8 returns NULL if all of text is UTF-8 (RFC 3629), else it says what is wrong.
const char *strict_utf8(const char *text, size_t size);

#endif
