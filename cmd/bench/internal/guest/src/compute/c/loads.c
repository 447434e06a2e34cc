// Loads that compute, on the standard library alone. The argument says which one. What is printed is a digest of the
// result, which tells whether it was right.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static uint64_t seed = 1;

// random_below returns a number that is the same everywhere: a linear congruence of 64 bits.
static uint32_t random_below(uint32_t n) {
  seed = seed * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(seed >> 33) % n;
}

// mix adds a number to a digest (FNV-1a, by words).
static uint64_t mix(uint64_t digest, uint64_t v) { return (digest ^ v) * 0x100000001b3u; }

static void *room(size_t n) {
  void *p = calloc(n, 1);
  if (!p) exit(71);
  return p;
}

// text returns n bytes of words.
static uint8_t *text(size_t n) {
  static const char *words[] = {"call", "queue", "stream", "server", "client", "reply", "subject", "the", "a", "of", "and",
                                "to", "in", "is", "that", "for", "it", "as", "was", "with", "be", "by", "on", "not",
                                "message", "sandbox", "function", "module", "deadline", "memory", "header", "request"};
  uint8_t *out = room(n + 32);
  for (size_t at = 0; at < n;) {
    if (random_below(12) == 0) at += (size_t)sprintf((char *)out + at, "w%u", random_below(20000));
    else at += (size_t)sprintf((char *)out + at, "%s", words[random_below(32)]);
    out[at++] = random_below(10) ? ' ' : '\n';
  }
  out[n] = 0;
  return out;
}

// --- SHA-256, as in FIPS 180-4.

static const uint32_t k[64] = {
    0x428a2f98, 0x71374491, 0xb5c0fbcf, 0xe9b5dba5, 0x3956c25b, 0x59f111f1, 0x923f82a4, 0xab1c5ed5, 0xd807aa98, 0x12835b01,
    0x243185be, 0x550c7dc3, 0x72be5d74, 0x80deb1fe, 0x9bdc06a7, 0xc19bf174, 0xe49b69c1, 0xefbe4786, 0x0fc19dc6, 0x240ca1cc,
    0x2de92c6f, 0x4a7484aa, 0x5cb0a9dc, 0x76f988da, 0x983e5152, 0xa831c66d, 0xb00327c8, 0xbf597fc7, 0xc6e00bf3, 0xd5a79147,
    0x06ca6351, 0x14292967, 0x27b70a85, 0x2e1b2138, 0x4d2c6dfc, 0x53380d13, 0x650a7354, 0x766a0abb, 0x81c2c92e, 0x92722c85,
    0xa2bfe8a1, 0xa81a664b, 0xc24b8b70, 0xc76c51a3, 0xd192e819, 0xd6990624, 0xf40e3585, 0x106aa070, 0x19a4c116, 0x1e376c08,
    0x2748774c, 0x34b0bcb5, 0x391c0cb3, 0x4ed8aa4a, 0x5b9cca4f, 0x682e6ff3, 0x748f82ee, 0x78a5636f, 0x84c87814, 0x8cc70208,
    0x90befffa, 0xa4506ceb, 0xbef9a3f7, 0xc67178f2};

static uint32_t turn(uint32_t x, int n) { return x >> n | x << (32 - n); }

static void block(uint32_t h[8], const uint8_t *p) {
  uint32_t w[64];
  for (int i = 0; i < 16; i++)
    w[i] = (uint32_t)p[4 * i] << 24 | (uint32_t)p[4 * i + 1] << 16 | (uint32_t)p[4 * i + 2] << 8 | p[4 * i + 3];
  for (int i = 16; i < 64; i++)
    w[i] = w[i - 16] + w[i - 7] + (turn(w[i - 15], 7) ^ turn(w[i - 15], 18) ^ w[i - 15] >> 3) +
           (turn(w[i - 2], 17) ^ turn(w[i - 2], 19) ^ w[i - 2] >> 10);
  uint32_t a = h[0], b = h[1], c = h[2], d = h[3], e = h[4], f = h[5], g = h[6], z = h[7];
  for (int i = 0; i < 64; i++) {
    uint32_t one = z + (turn(e, 6) ^ turn(e, 11) ^ turn(e, 25)) + ((e & f) ^ (~e & g)) + k[i] + w[i];
    uint32_t two = (turn(a, 2) ^ turn(a, 13) ^ turn(a, 22)) + ((a & b) ^ (a & c) ^ (b & c));
    z = g, g = f, f = e, e = d + one, d = c, c = b, b = a, a = one + two;
  }
  h[0] += a, h[1] += b, h[2] += c, h[3] += d, h[4] += e, h[5] += f, h[6] += g, h[7] += z;
}

static uint64_t sha256(void) {
  uint32_t h[8] = {0x6a09e667, 0xbb67ae85, 0x3c6ef372, 0xa54ff53a, 0x510e527f, 0x9b05688c, 0x1f83d9ab, 0x5be0cd19};
  const size_t size = 1 << 20;
  uint8_t *t = text(size), last[64] = {0x80};
  for (int round = 0; round < 16; round++)
    for (size_t at = 0; at < size; at += 64) block(h, t + at);
  uint64_t bits = 16 * 8 * (uint64_t)size;
  for (int i = 0; i < 8; i++) last[63 - i] = (uint8_t)(bits >> 8 * i);
  block(h, last);
  return (uint64_t)h[0] << 32 | h[1];
}

// --- Sorting: the library's qsort, and a heap.

static int compare(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  return (x > y) - (x < y);
}

static void sift(uint32_t *a, size_t i, size_t n) {
  for (uint32_t v = a[i];; ) {
    size_t child = 2 * i + 1;
    if (child >= n) { a[i] = v; return; }
    if (child + 1 < n && a[child + 1] > a[child]) child++;
    if (a[child] <= v) { a[i] = v; return; }
    a[i] = a[child];
    i = child;
  }
}

static uint64_t sort(void) {
  const size_t n = 400000;
  uint32_t *a = room(n * sizeof *a), *b = room(n * sizeof *b);
  for (size_t i = 0; i < n; i++) a[i] = b[i] = random_below(1u << 30);
  qsort(a, n, sizeof *a, compare);
  for (size_t i = n / 2; i-- > 0;) sift(b, i, n);
  for (size_t i = n; i-- > 1;) {
    uint32_t v = b[0];
    b[0] = b[i], b[i] = v;
    sift(b, 0, i);
  }
  if (memcmp(a, b, n * sizeof *a)) exit(70);
  uint64_t digest = 1;
  for (size_t i = 0; i < n; i += 1000) digest = mix(digest, a[i]);
  return digest;
}

// --- What bzip2 does: the transformation of Burrows and Wheeler, move to front, runs, Huffman's codes; and back.

static uint32_t *rank_of, sorted_length, step;

static int by_rank(const void *a, const void *b) {
  uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
  if (rank_of[x] != rank_of[y]) return rank_of[x] < rank_of[y] ? -1 : 1;
  uint32_t p = rank_of[(x + step) % sorted_length], q = rank_of[(y + step) % sorted_length];
  return (p > q) - (p < q);
}

// rotations sorts all rotations of a text by doubling their compared length.
static void rotations(const uint8_t *t, uint32_t n, uint32_t *order) {
  uint32_t *next = room(n * sizeof *next), count[256] = {0};
  rank_of = room(n * sizeof *rank_of), sorted_length = n;
  for (uint32_t i = 0; i < n; i++) count[t[i]]++;
  for (uint32_t i = 0, sum = 0; i < 256; i++) { uint32_t c = count[i]; count[i] = sum; sum += c; }
  for (uint32_t i = 0; i < n; i++) rank_of[i] = count[t[i]];
  for (uint32_t i = 0; i < n; i++) order[count[t[i]]++] = i;
  for (step = 1; step < n; step *= 2) {
    int again = 0;
    for (uint32_t from = 0, to; from < n; from = to) {
      for (to = from + 1; to < n && rank_of[order[to]] == rank_of[order[from]];) to++;
      if (to - from > 1) { qsort(order + from, to - from, sizeof *order, by_rank); again = 1; }
    }
    if (!again) break;
    next[order[0]] = 0;
    for (uint32_t i = 1; i < n; i++) next[order[i]] = by_rank(order + i - 1, order + i) ? i : next[order[i - 1]];
    memcpy(rank_of, next, n * sizeof *next);
  }
  free(next);
  free(rank_of);
}

// lengths finds how long Huffman's code of each symbol is.
static void lengths(const uint32_t *count, uint8_t *length) {
  uint32_t weight[512], parent[512], live[512], n = 0, nodes = 256;
  for (uint32_t i = 0; i < 256; i++) if (count[i]) { weight[i] = count[i]; live[n++] = i; }
  memset(parent, 0, sizeof parent);
  while (n > 1) {
    uint32_t pick[2];
    for (int p = 0; p < 2; p++) {
      uint32_t least = 0;
      for (uint32_t i = 1; i < n; i++) if (weight[live[i]] < weight[live[least]]) least = i;
      pick[p] = live[least];
      live[least] = live[--n];
    }
    weight[nodes] = weight[pick[0]] + weight[pick[1]];
    parent[pick[0]] = parent[pick[1]] = nodes;
    live[n++] = nodes++;
  }
  for (uint32_t i = 0; i < 256; i++) {
    length[i] = 0;
    if (count[i]) for (uint32_t at = i; parent[at]; at = parent[at]) length[i]++;
  }
}

static uint64_t pack_block(const uint8_t *t, uint32_t n) {
  uint32_t *order = room(n * sizeof *order), primary = 0, count[256] = {0};
  uint8_t *last = room(n), *moved = room(n), list[256], length[256];
  rotations(t, n, order);
  for (uint32_t i = 0; i < n; i++) {
    last[i] = t[(order[i] + n - 1) % n];
    if (order[i] == 0) primary = i;
  }
  for (int i = 0; i < 256; i++) list[i] = (uint8_t)i;
  for (uint32_t i = 0; i < n; i++) {
    int j = 0;
    while (list[j] != last[i]) j++;
    memmove(list + 1, list, (size_t)j);
    list[0] = last[i];
    moved[i] = (uint8_t)j;
    count[j]++;
  }
  lengths(count, length);
  uint64_t bits = 0, digest = primary;
  for (uint32_t i = 0; i < n; i++) {
    bits += length[moved[i]];
    digest = mix(digest, moved[i] + 256u * length[moved[i]]);
  }
  // and back
  for (int i = 0; i < 256; i++) list[i] = (uint8_t)i;
  for (uint32_t i = 0; i < n; i++) {
    uint8_t c = list[moved[i]];
    memmove(list + 1, list, moved[i]);
    list[0] = last[i] = c;
  }
  uint32_t start[256], seen[256] = {0};
  for (uint32_t i = 0; i < n; i++) seen[last[i]]++;
  for (uint32_t i = 0, sum = 0; i < 256; i++) { start[i] = sum; sum += seen[i]; }
  for (uint32_t i = 0; i < n; i++) order[start[last[i]]++] = i;
  uint32_t at = order[primary];
  for (uint32_t i = 0; i < n; i++, at = order[at]) if (last[at] != t[i]) exit(70);
  free(order), free(last), free(moved);
  return mix(digest, bits);
}

static uint64_t bzip2(void) {
  const size_t size = 600000;
  uint8_t *t = text(size);
  uint64_t digest = 1;
  for (size_t at = 0; at < size; at += 200000) digest = mix(digest, pack_block(t + at, 200000));
  return digest;
}

// --- Matrices: a product, and a system of equations by elimination.

static uint64_t matrix(void) {
  enum { n = 480 };
  double *a = room(n * n * sizeof *a), *b = room(n * n * sizeof *b), *c = room(n * n * sizeof *c);
  for (int i = 0; i < n * n; i++) a[i] = random_below(1000) / 100.0, b[i] = random_below(1000) / 100.0;
  for (int i = 0; i < n; i++)
    for (int m = 0; m < n; m++) {
      double v = a[i * n + m];
      for (int j = 0; j < n; j++) c[i * n + j] += v * b[m * n + j];
    }
  for (int i = 0; i < n; i++) a[i * n + i] += 5000;
  for (int p = 0; p < n; p++)
    for (int i = p + 1; i < n; i++) {
      double v = a[i * n + p] / a[p * n + p];
      for (int j = p; j < n; j++) a[i * n + j] -= v * a[p * n + j];
    }
  uint64_t digest = 1;
  for (int i = 0; i < n; i++) digest = mix(mix(digest, (uint64_t)(c[i * n + i] * 100)), (uint64_t)(a[i * n + i] * 100));
  return digest;
}

// --- Counting words by a hash table.

struct entry { const uint8_t *word; uint32_t length, count; };

static int by_count(const void *a, const void *b) {
  const struct entry *x = a, *y = b;
  if (x->count != y->count) return x->count > y->count ? -1 : 1;
  int order = memcmp(x->word, y->word, x->length < y->length ? x->length : y->length);
  return order ? order : (x->length > y->length) - (x->length < y->length);
}

static uint64_t wordcount(void) {
  enum { slots = 1 << 16 };
  uint64_t digest = 1;
  uint8_t *t = text(4 << 20);
  struct entry *table = room(slots * sizeof *table);
  for (uint8_t *p = t; *p;) {
    while (*p == ' ' || *p == '\n') p++;
    uint8_t *from = p;
    uint32_t hash = 2166136261u;
    for (; *p && *p != ' ' && *p != '\n'; p++) hash = (hash ^ *p) * 16777619u;
    uint32_t length = (uint32_t)(p - from);
    if (!length) break;
    for (uint32_t i = hash % slots;; i = (i + 1) % slots) {
      struct entry *e = table + i;
      if (!e->count) { *e = (struct entry){from, length, 1}; break; }
      if (e->length == length && !memcmp(e->word, from, length)) { e->count++; break; }
    }
  }
  qsort(table, slots, sizeof *table, by_count);
  for (int i = 0; i < 1000; i++) digest = mix(mix(digest, table[i].count), table[i].word[table[i].length - 1]);
  return digest;
}

int main(int argc, char **argv) {
  const char *what = argc > 1 ? argv[1] : "";
  uint64_t digest;
  if (!strcmp(what, "sha256")) digest = sha256();
  else if (!strcmp(what, "sort")) digest = sort();
  else if (!strcmp(what, "bzip2")) digest = bzip2();
  else if (!strcmp(what, "matrix")) digest = matrix();
  else if (!strcmp(what, "wordcount")) digest = wordcount();
  else return 64;
  printf("%016llx", (unsigned long long)digest);
  return 0;
}
