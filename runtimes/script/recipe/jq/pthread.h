// pthread.h for one thread: what jq takes of it.

#ifndef POLYVOKE_PTHREAD_H
#define POLYVOKE_PTHREAD_H

typedef int pthread_once_t, pthread_mutex_t;
typedef struct {
  void *value;
} *pthread_key_t;

#define PTHREAD_ONCE_INIT 0
#define PTHREAD_MUTEX_INITIALIZER 0

int pthread_once(pthread_once_t *done, void (*call)(void));
int pthread_key_create(pthread_key_t *key, void (*end)(void *));
int pthread_setspecific(pthread_key_t key, const void *value);
void *pthread_getspecific(pthread_key_t key);

#define pthread_mutex_lock(lock) 0
#define pthread_mutex_unlock(lock) 0

#endif
