// Copies stdin to stdout.
#include <unistd.h>

int main(void) {
  static char buffer[65536];
  ssize_t n;
  while ((n = read(0, buffer, sizeof buffer)) > 0)
    for (ssize_t at = 0, k; at < n; at += k)
      if ((k = write(1, buffer + at, n - at)) < 0) return 1;
  return n < 0;
}
