// What pthread.h declares.

#include <stdlib.h>

#include "pthread.h"

int pthread_once(pthread_once_t *done, void (*call)(void)) {
  if (!*done) {
    *done = 1;
    call();
  }
  return 0;
}

int pthread_key_create(pthread_key_t *key, void (*end)(void *)) {
  (void)end;
  *key = calloc(1, sizeof **key);
  return *key ? 0 : 1;
}

int pthread_setspecific(pthread_key_t key, const void *value) {
  key->value = (void *)value;
  return 0;
}

void *pthread_getspecific(pthread_key_t key) { return key->value; }
