// Loads that compute; the argument says which. Each prints a number that tells whether it was right.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint32_t loop(void) {
  uint32_t i = 0;
  while (++i < 20000000) __asm__ volatile("" : "+r"(i)); // not to be computed by the compiler
  return i;
}

static uint32_t fib(uint32_t n) { return n < 2 ? n : fib(n - 1) + fib(n - 2); }

// SHA-256 as in FIPS 180-4.
static uint32_t constants[64], state[8];

// fraction returns the first 32 bits of the fraction of the square or the cube root of a small number.
static uint32_t fraction(uint32_t n, int cube) {
  unsigned __int128 low = 0, high = (unsigned __int128)1 << 37;
  while (high - low > 1) {
    unsigned __int128 mid = (low + high) / 2;
    int above = cube ? mid * mid > ((unsigned __int128)n << 96) / mid : mid * mid > (unsigned __int128)n << 64;
    if (above)
      high = mid;
    else
      low = mid;
  }
  return (uint32_t)low;
}

static void begin(void) {
  for (int n = 2, k = 0; k < 64; n++) {
    int prime = 1;
    for (int d = 2; d * d <= n; d++) prime &= n % d != 0;
    if (!prime) continue;
    if (k < 8) state[k] = fraction(n, 0);
    constants[k++] = fraction(n, 1);
  }
}

static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void block(const uint8_t *p) {
  uint32_t w[64], s[8];
  for (int i = 0; i < 16; i++) w[i] = (uint32_t)p[4 * i] << 24 | p[4 * i + 1] << 16 | p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + w[i - 7] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) +
           (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
  memcpy(s, state, sizeof s);
  for (int i = 0; i < 64; i++) {
    uint32_t one = s[7] + (turn(s[4], 6) ^ turn(s[4], 11) ^ turn(s[4], 25)) + (s[4] & s[5] ^ ~s[4] & s[6]) + constants[i] + w[i];
    uint32_t two = (turn(s[0], 2) ^ turn(s[0], 13) ^ turn(s[0], 22)) + (s[0] & s[1] ^ s[0] & s[2] ^ s[1] & s[2]);
    memmove(s + 1, s, 7 * sizeof *s);
    s[4] += one;
    s[0] = one + two;
  }
  for (int i = 0; i < 8; i++) state[i] += s[i];
}

// sha256 hashes eight MiB of bytes that count up.
static uint32_t sha256(void) {
  uint8_t p[64];
  const uint64_t size = 8 << 20;
  begin();
  for (uint64_t at = 0; at < size; at += 64) {
    for (int i = 0; i < 64; i++) p[i] = (uint8_t)(at + i);
    block(p);
  }
  memset(p, 0, sizeof p);
  p[0] = 0x80;
  for (int i = 0; i < 8; i++) p[63 - i] = size * 8 >> 8 * i;
  block(p);
  return state[0];
}

// json writes a thousand records as JSON and reads their numbers back, many times.
static uint32_t json(void) {
  char *text = malloc(128 << 10);
  uint32_t sum = 0;
  for (int round = 0; round < 40; round++) {
    char *at = text;
    *at++ = '[';
    for (int i = 0; i < 1000; i++) at += sprintf(at, "%s{\"id\":%d,\"name\":\"record %d\",\"tags\":[\"a\",\"b\"]}", i ? "," : "", i, i);
    strcpy(at, "]");
    sum = 0;
    int quoted = 0;
    for (char *p = text; *p; p++) {
      if (*p == '"') quoted = !quoted;
      if (!quoted && *p == ':' && p[1] >= '0' && p[1] <= '9') sum += strtoul(p + 1, &p, 10);
    }
  }
  return sum;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  if (!strcmp(what, "loop")) printf("%u", loop());
  else if (!strcmp(what, "fib")) printf("%u", fib(32));
  else if (!strcmp(what, "sha256")) printf("%08x", sha256());
  else if (!strcmp(what, "json")) printf("%u", json());
  else return 64;
  return 0;
}
