// tax, in C, the third of the five functions of an order: it adds two members to the order, "tax" and "total",
// in cents. A country that is not delivered to is exit code 65.

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_DATA = 65, MAX_BYTES = 4096, MAX_NET = 10000000 };

static const struct {
  char country[3];
  int percent;
} rates[] = {{"AT", 20}, {"DE", 19}, {"FR", 20}, {"NL", 21}};

static _Noreturn void fail(const char *reason) {
  fprintf(stderr, "bad order: %s\n", reason);
  exit(BAD_DATA);
}

static int rate(const char *country) {
  for (size_t i = 0; i < sizeof rates / sizeof rates[0]; i++)
    if (strcmp(rates[i].country, country) == 0) return rates[i].percent;
  fail("a country that is not delivered to");
}

int main(void) {
  char line[MAX_BYTES], country[33];
  size_t len = fread(line, 1, sizeof line - 1, stdin);
  line[len] = 0;

  // The line is as price writes it, so its form is fixed; end is 0 if it is another.
  int net = 0, end = 0;
  sscanf(line,
         "{\"order\":\"%*32[A-Za-z0-9-]\",\"item\":\"%*32[A-Za-z0-9-]\",\"count\":%*3[0-9],"
         "\"country\":\"%32[A-Za-z0-9-]\",\"price\":%*7[0-9],\"net\":%8d}%n",
         country, &net, &end);
  if (end == 0 || strcmp(line + end, "\n") != 0) fail("not an order as price writes it");
  if (net < 0 || net > MAX_NET) fail("too much money");

  int tax = (net * rate(country) + 50) / 100;
  printf("%.*s,\"tax\":%d,\"total\":%d}\n", end - 1, line, tax, net + tax);
  return 0;
}
