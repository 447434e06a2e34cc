// probe is the guest of the conformance suite: one small program with a mode for each
// thing that a process can do. The mode is the first argument, or, if there is none, the
// environment variable PROBE. The same source is compiled for the host and for wasm32-wasi.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#ifndef __wasm__
#include <signal.h>
#endif

extern char **environ;

static char buf[65536];

// put writes n bytes, however many calls it takes, and returns -1 on an error.
static int put(int fd, const char *p, size_t n) {
	while (n > 0) {
		ssize_t k = write(fd, p, n);
		if (k < 0)
			return -1;
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

static void puts_(int fd, const char *s) { put(fd, s, strlen(s)); }

// number writes n in decimal and then the byte after.
static void number(long long n, char after) {
	char s[24];
	int i = sizeof s;
	s[--i] = after;
	if (n < 0) {
		puts_(1, "-");
		n = -n;
	}
	do
		s[--i] = '0' + n % 10;
	while (n /= 10);
	put(1, s + i, sizeof s - i);
}

// drain reads stdin to its end and returns how many bytes there were, or -1.
static long long drain(void) {
	long long total = 0;
	ssize_t n;
	while ((n = read(0, buf, sizeof buf)) > 0)
		total += n;
	return n < 0 ? -1 : total;
}

static int echo(void) {
	ssize_t n;
	while ((n = read(0, buf, sizeof buf)) > 0)
		if (put(1, buf, n) < 0)
			return 3;
	return n < 0 ? 4 : 0;
}

// drip writes n bytes one at a time, the i-th being i modulo 251.
static int drip(int n) {
	for (int i = 0; i < n; i++) {
		char c = i % 251;
		if (write(1, &c, 1) != 1)
			return 3;
	}
	return 0;
}

// lines writes n numbered lines to stdout and to stderr in turn.
static int lines(int n) {
	for (int i = 0; i < n; i++) {
		number(i, '\n');
		puts_(2, "e\n");
	}
	return 0;
}

// flood writes blocks to fd for ever; with stubborn set it does so whatever write says.
static int flood(int fd, int stubborn) {
	memset(buf, 'x', sizeof buf);
	for (;;)
		if (write(fd, buf, sizeof buf) < 0 && !stubborn)
			return 3;
}

// nap sleeps.
static int nap(int ms) {
	struct timespec t = {ms / 1000, ms % 1000 * 1000000L};
	nanosleep(&t, 0);
	puts_(1, "awake");
	return 0;
}

// grow takes memory by the mebibyte, and uses it, until it is refused; then it aborts.
static int grow(int mib) {
	for (int i = 0; i < mib; i++) {
		char *p = malloc(1 << 20);
		if (!p)
			abort();
		for (int j = 0; j < 1 << 20; j += 4096)
			((volatile char *)p)[j] = 1;
	}
	puts_(1, "enough");
	return 0;
}

// dirty counts the bytes of fresh memory that are not zero, and leaves none of them so.
static int dirty(int pages) {
	long long bad = 0;
#ifdef __wasm__
	long n = pages * 65536L;
	unsigned char *p = (unsigned char *)(__builtin_wasm_memory_grow(0, pages) * 65536L);
	if (p == (unsigned char *)-65536L)
		return 3;
#else
	long n = pages * 65536L;
	unsigned char *p = calloc(n, 1);
#endif
	for (long i = 0; i < n; i++) {
		bad += p[i] != 0;
		((volatile unsigned char *)p)[i] = 0xa5;
	}
	number(bad, '\n');
	return 0;
}

// clocks prints the wall clock, and the monotonic clock twice, in nanoseconds.
static int clocks(void) {
	struct timespec t;
	clock_gettime(CLOCK_REALTIME, &t);
	number(t.tv_sec * 1000000000LL + t.tv_nsec, '\n');
	for (int i = 0; i < 2; i++) {
		clock_gettime(CLOCK_MONOTONIC, &t);
		number(t.tv_sec * 1000000000LL + t.tv_nsec, '\n');
	}
	return 0;
}

static int entropy(void) {
	if (getentropy(buf, 32) != 0)
		return 3;
	return put(1, buf, 32);
}

// list prints the names in a folder, one a line, without the two with dots only.
static int list(const char *path) {
	DIR *d = opendir(path);
	struct dirent *e;
	if (!d)
		return 66;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, "..")) {
			puts_(1, e->d_name);
			puts_(1, "\n");
		}
	closedir(d);
	return 0;
}

// cat prints a file.
static int cat(const char *path) {
	int fd = open(path, O_RDONLY);
	ssize_t n;
	if (fd < 0)
		return 66;
	while ((n = read(fd, buf, sizeof buf)) > 0)
		put(1, buf, n);
	return n < 0 ? 74 : 0;
}

// hold opens a file n times and closes none of them.
static int hold(const char *path, int n) {
	int i;
	for (i = 0; i < n; i++)
		if (open(path, O_RDONLY) < 0)
			break;
	number(i, '\n');
	return 0;
}

// spoil tries every way to change something at a path or beside it, and exits with how many
// of them worked.
static int spoil(const char *path) {
	int bad = 0;
	bad += open(path, O_WRONLY) >= 0;
	bad += open(path, O_RDWR) >= 0;
	bad += open(path, O_RDONLY | O_TRUNC) >= 0;
	strcpy(buf, path);
	strcat(buf, ".new");
	bad += open(buf, O_WRONLY | O_CREAT, 0666) >= 0;
	bad += mkdir(buf, 0777) == 0;
	bad += rename(path, buf) == 0;
	bad += link(path, buf) == 0;
	bad += symlink(path, buf) == 0;
	bad += unlink(path) == 0;
	return bad;
}

// attempt says that it runs, sleeps, and is an echo if the job has had at least n verdicts before; else it fails.
static int attempt(int n, int ms) {
	int fd = open("/request/headers/fn-attempt", O_RDONLY), had = 0;
	puts_(2, "ran\n");
	if (fd >= 0 && read(fd, buf, sizeof buf) > 0)
		had = atoi(buf);
	nap(ms);
	return had < n ? 1 : echo();
}

// recurse calls itself until the stack is used up.
static __attribute__((noinline)) int recurse(int n) {
	volatile char frame[256];
	frame[n & 255] = n;
	if (frame[n & 255] != (char)n) // never
		return 0;
	return recurse(n + 1) + frame[(n + 1) & 255];
}

static int run(const char *mode, int argc, char **argv) {
	int n = argc > 2 ? atoi(argv[2]) : 0;
	const char *path = argc > 2 ? argv[2] : "";
	if (!strcmp(mode, "echo"))
		return echo();
	if (!strcmp(mode, "drip"))
		return drip(n);
	if (!strcmp(mode, "lines"))
		return lines(n);
	if (!strcmp(mode, "exit"))
		exit(n);
	if (!strcmp(mode, "args")) {
		for (int i = 0; i < argc; i++)
			put(1, argv[i], strlen(argv[i]) + 1);
		return 0;
	}
	if (!strcmp(mode, "env")) {
		for (char **e = environ; e && *e; e++)
			put(1, *e, strlen(*e) + 1);
		return 0;
	}
	if (!strcmp(mode, "loop"))
		for (volatile int i = 0;; i++)
			;
	if (!strcmp(mode, "sleep"))
		return nap(n);
	if (!strcmp(mode, "flood"))
		return flood(1, 0);
	if (!strcmp(mode, "stubborn"))
		return flood(1, 1);
	if (!strcmp(mode, "stubborn-stderr"))
		return flood(2, 1);
	if (!strcmp(mode, "hush")) {
		puts_(1, "ok");
		return 0;
	}
	if (!strcmp(mode, "twice")) {
		number(drain(), '\n');
		number(drain(), '\n');
		return 0;
	}
	if (!strcmp(mode, "trap"))
		__builtin_trap();
	if (!strcmp(mode, "recurse"))
		return recurse(n);
	if (!strcmp(mode, "grow"))
		return grow(n);
	if (!strcmp(mode, "dirty"))
		return dirty(n);
	if (!strcmp(mode, "clocks"))
		return clocks();
	if (!strcmp(mode, "entropy"))
		return entropy();
	if (!strcmp(mode, "ls"))
		return list(path);
	if (!strcmp(mode, "cat"))
		return cat(path);
	if (!strcmp(mode, "hold"))
		return hold(path, argc > 3 ? atoi(argv[3]) : 0);
	if (!strcmp(mode, "spoil"))
		return spoil(path);
	if (!strcmp(mode, "attempt"))
		return attempt(n, argc > 3 ? atoi(argv[3]) : 0);
	return 64;
}

int main(int argc, char **argv) {
	const char *mode = argc > 1 ? argv[1] : getenv("PROBE");
#ifndef __wasm__
	signal(SIGPIPE, SIG_IGN);
#endif
	return run(mode ? mode : "echo", argc, argv);
}
