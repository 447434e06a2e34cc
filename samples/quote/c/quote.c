// quote, in C: whatever the request is, it is not read. The reply is a random number and a quote.

#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

static const char *const quotes[] = {"Simple is beautiful.", "Measure, then cut.", "Every call is a new process."};

int main(void) {
  uint64_t number;
  if (getentropy(&number, sizeof number) != 0) return 70;
  printf("%llu %s\n", (unsigned long long)number, quotes[number % 3]);
  return 0;
}
