// spy looks for what another call has left, says what it found, hides its own secret in every place it
// knows and ends as it was told. ../README.md says what it reads and writes.
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wasi/api.h>

enum { page = 65536, secret_size = 16, record_size = 32, run = 15, blocks = 5 };

extern unsigned char __data_end, __heap_base; // set by the linker: data, then the stack, then the heap
extern size_t __freadahead(FILE *);           // musl's: what is in a FILE's buffer

// Mutable globals of all numeric types, which C has no words for.
__asm__(".globaltype spy_i32, i32\nspy_i32:\n"
        ".globaltype spy_i64, i64\nspy_i64:\n"
        ".globaltype spy_f32, f32\nspy_f32:\n"
        ".globaltype spy_f64, f64\nspy_f64:\n");

// The mark is computed, so that it is nowhere in the module's own data.
static volatile unsigned char half = 0x11;
static unsigned char mark;

static char header[32 + 1]; // the mode, padded with blanks, and the secret
static char *const secret = header + 16;

static unsigned char vault[4096];                             // hides the secret in .bss
static unsigned char drawer[4096] = {1};                      // and in .data
static volatile int count = 41;                               // of the calls, from 41
static unsigned char *volatile kept;                          // on the heap
static unsigned pages;                                        // of memory, at the start
static char text[8192];                                       // what is to be written
static size_t length;                                         // of it

// say appends to what is to be written.
static void say(const char *s) {
	size_t n = strlen(s);
	if (length + n < sizeof text) {
		memcpy(text + length, s, n);
		length += n;
	}
}

static void say_hex(const void *p, size_t n) {
	for (const unsigned char *b = p; n > 0; b++, n--) {
		char s[3] = {"0123456789abcdef"[*b >> 4], "0123456789abcdef"[*b & 15], 0};
		say(s);
	}
}

static void say_number(const char *name, long long n) {
	char s[24], *p = s + sizeof s;
	*--p = 0;
	unsigned long long u = n < 0 ? -(unsigned long long)n : (unsigned long long)n;
	do
		*--p = '0' + u % 10;
	while (u /= 10);
	if (n < 0)
		*--p = '-';
	say(name);
	say(p);
}

// flush writes it, past stdio.
static void flush(void) {
	for (size_t done = 0; done < length;) {
		ssize_t n = write(1, text + done, length - done);
		if (n < 0)
			break;
		done += n;
	}
	length = 0;
}

// fill fills memory with records: 15 marks, the secret, one mark.
static void fill(unsigned char *p, size_t n) {
	unsigned long long record[record_size / 8];
	memset(record, mark, sizeof record);
	memcpy((unsigned char *)record + run, secret, secret_size);
	for (; n >= record_size; p += record_size, n -= record_size)
		for (int i = 0; i < record_size / 8; i++)
			((unsigned long long *)p)[i] = record[i]; // p may be unaligned, which WebAssembly allows
}

// found says that a place holds a secret that is not this call's. It is called once a place.
static void found(const char *place, const unsigned char *other) {
	char s[secret_size + 2] = {0};
	memcpy(s, other, secret_size);
	s[secret_size] = '\n';
	say("found ");
	say(place);
	say(" ");
	say(s);
}

// search returns the first record of another secret in a part of memory, or 0. 15 equal bytes in a row hold
// a whole word, so looking at words is enough.
static __attribute__((noinline)) const unsigned char *search(const unsigned char *from, const unsigned char *to) {
	unsigned long long word;
	memset(&word, mark, sizeof word);
	for (const unsigned char *p = (const unsigned char *)(((size_t)from + 7) & ~7ul); p + 8 <= to; p += 8) {
		if (*(const unsigned long long *)p != word)
			continue;
		const unsigned char *first = p, *last = p;
		while (first > from && first[-1] == mark)
			first--;
		while (last < to && *last == mark)
			last++;
		if (last - first >= run && last + secret_size <= to && memcmp(last, secret, secret_size))
			return last;
		p = (const unsigned char *)((size_t)last & ~7ul);
	}
	return 0;
}

static void look_at(const char *place, const unsigned char *from, const unsigned char *to) {
	const unsigned char *other = search(from, to);
	if (other)
		found(place, other);
}

// look_at_memory looks at all there is, and at what is added.
static void look_at_memory(void) {
	const unsigned char *end = (unsigned char *)((size_t)pages * page);
	const unsigned char *initial = (unsigned char *)(((size_t)&__heap_base + page - 1) / page * page);
	look_at("static", (unsigned char *)8, &__data_end);
	look_at("stack", &__data_end, &__heap_base);
	look_at("heap", &__heap_base, initial);
	look_at("grown", initial, end);
	unsigned char *block = malloc(2000); // out of the 3000 that were freed
	if (block)
		look_at("freed", block, block + 2000);
	free(block);
	size_t more = __builtin_wasm_memory_grow(0, blocks);
	if (more != (size_t)-1)
		look_at("added", (unsigned char *)(more * page), (unsigned char *)((more + blocks) * page));
}

// look_at_globals says what the globals are.
static void look_at_globals(void) {
	int i;
	long long l;
	float f;
	double d;
	__asm__ volatile("global.get spy_i32\n\tlocal.set %0" : "=r"(i));
	__asm__ volatile("global.get spy_i64\n\tlocal.set %0" : "=r"(l));
	__asm__ volatile("global.get spy_f32\n\tlocal.set %0" : "=r"(f));
	__asm__ volatile("global.get spy_f64\n\tlocal.set %0" : "=r"(d));
	say_number(" i32=", i);
	say_number(" i64=", l);
	say(" f32=");
	say_hex(&f, sizeof f);
	say(" f64=");
	say_hex(&d, sizeof d);
}

// look_at_descriptors says which are open, and with what flags.
static void look_at_descriptors(void) {
	for (int fd = 0; fd < 128; fd++) {
		__wasi_fdstat_t st;
		if (__wasi_fd_fdstat_get(fd, &st) != 0)
			continue;
		say_number(fd ? "," : " open=", fd);
		say_number("/", st.fs_flags);
	}
}

// look_at_position says where a file begins that has just been opened.
static void look_at_position(void) {
	int fd = open("/request/id", O_RDONLY);
	say_number(" descriptor=", fd);
	say_number(" position=", lseek(fd, 0, SEEK_CUR));
	close(fd);
}

// look_at_files reads what should be this call's own, and what other calls may have left open.
static void look_at_files(void) {
	static unsigned char b[256];
	for (int fd = 4; fd < 128; fd++) {
		ssize_t n = pread(fd, b, sizeof b, 0);
		if (n > 0)
			look_at("descriptors", b, b + n);
	}
	memset(b, 0, sizeof b);
	int fd = open("/request/id", O_RDONLY);
	ssize_t n = read(fd, b, sizeof b);
	if (n > 0)
		look_at("files", b, b + n);
	close(fd);
	memset(b, 0, sizeof b);
}

// look says all that can be seen of another call.
static void look(const void *seed, const void *sp) {
	int e = errno;
	unsigned char drawn[16];
	getentropy(drawn, sizeof drawn);
	say("spy ");
	say(secret);
	say("\nstart ");
	say_hex(seed, 16);
	say("\ncall ");
	say_hex(drawn, sizeof drawn);
	say_number("\nstate count=", count);
	say_number(" kept=", (long long)(size_t)kept);
	say_number(" pages=", pages);
	say_number(" stack=", (long long)(size_t)sp);
	say_number(" errno=", e);
	say_number(" rand=", rand());
	say_number(" eof=", feof(stdin));
	say_number(" unread=", (long long)__freadahead(stdin));
	say_number(" unwritten=", (long long)__fpending(stdout));
	say(" variable=");
	say(getenv("LEAK") ? getenv("LEAK") : "none");
	look_at_globals();
	look_at_descriptors();
	look_at_position();
	say("\n");
	look_at_memory();
	look_at_files();
	flush();
}

// deep leaves the secret in frames below the caller's.
static __attribute__((noinline)) void deep(int n) {
	unsigned char frame[1024];
	fill(frame, sizeof frame);
	__asm__ volatile("" : : "r"(frame) : "memory");
	if (n > 0)
		deep(n - 1);
	__asm__ volatile("" : : "r"(frame) : "memory");
}

static void bye(void) {
	say("bye\n");
	flush();
}

// hide_in_globals puts a part of the secret into each.
static void hide_in_globals(void) {
	int i;
	long long l;
	float f;
	double d;
	memcpy(&i, secret, sizeof i);
	memcpy(&l, secret, sizeof l);
	memcpy(&f, secret, sizeof f);
	memcpy(&d, secret, sizeof d);
	__asm__ volatile("local.get %0\n\tglobal.set spy_i32" : : "r"(i));
	__asm__ volatile("local.get %0\n\tglobal.set spy_i64" : : "r"(l));
	__asm__ volatile("local.get %0\n\tglobal.set spy_f32" : : "r"(f));
	__asm__ volatile("local.get %0\n\tglobal.set spy_f64" : : "r"(d));
}

// hide_in_descriptors leaves files open, here and there, moved and with other flags.
static void hide_in_descriptors(void) {
	int a = open("/request/id", O_RDONLY), b = open("/request/id", O_RDONLY), c = open("/request", O_RDONLY | O_DIRECTORY);
	int d = open("/dev/zero", O_RDWR);
	lseek(a, 5, SEEK_SET);
	if (__wasi_fd_renumber(b, d) != 0 || __wasi_fd_renumber(3, b) == 0)
		say("error renumber\n");
	fcntl(c, F_SETFL, O_NONBLOCK);
	for (int fd = 0; fd < 3; fd++)
		fcntl(fd, F_SETFL, O_NONBLOCK | O_APPEND);
	close(2);
	errno = 0;
	open("/request/none", O_RDONLY); // sets errno
}

// hide_in_memory puts the secret wherever memory can be had.
static void hide_in_memory(void) {
	unsigned char *freed = malloc(3000);
	kept = malloc(3000);
	if (freed)
		fill(freed, 3000);
	if (kept)
		fill(kept, 3000);
	free(freed);
	fill(vault, sizeof vault);
	fill(drawer, sizeof drawer);
	deep(20);
	size_t now = __builtin_wasm_memory_size(0);
	fill((unsigned char *)((now - blocks) * page), blocks * page);
}

// hide hides the secret.
static void hide(int unread) {
	count++;
	hide_in_memory();
	hide_in_globals();
	hide_in_descriptors();
	srand(*(int *)secret);
	setenv("LEAK", secret, 1);
	getchar(); // and the buffer is full
	while (!unread && getchar() != EOF)
		;
	unsigned char record[record_size];
	fill(record, sizeof record);
	fwrite(record, 1, sizeof record, stdout); // in the buffer until the end, or for ever
	atexit(bye);
	say("hidden\n");
	flush();
}

// recurse calls itself until the stack is used up.
static __attribute__((noinline)) int recurse(int n) {
	volatile unsigned char frame[64];
	fill((unsigned char *)frame, sizeof frame);
	return n < 0 ? 0 : recurse(n + 1) + frame[n & 63];
}

// hoard takes memory until there is none.
static void hoard(void) {
	for (unsigned char *p; (p = malloc(page)) != 0;)
		fill(p, page);
	abort();
}

// is tells whether a mode was asked for.
static int is(const char *mode) { return !strncmp(header, mode, strlen(mode)); }

// end ends, or not.
static int end(void) {
	if (is("exit"))
		exit(7);
	if (is("trap"))
		__builtin_trap();
	if (is("panic"))
		abort();
	if (is("loop"))
		for (volatile int i = 0;; i++)
			;
	if (is("sleep"))
		sleep(3600);
	if (is("recurse"))
		return recurse(0);
	if (is("hoard"))
		hoard();
	if (is("flood"))
		for (;;)
			write(1, vault, sizeof vault);
	if (is("close"))
		for (int fd = 0; fd < 4; fd++)
			close(fd);
	return 0;
}

int main(void) {
	unsigned char seed[16];
	mark = half ^ 0xa6;
	pages = __builtin_wasm_memory_size(0);
	getentropy(seed, sizeof seed);
	for (size_t n = 0; n < 32;) {
		ssize_t k = read(0, header + n, 32 - n);
		if (k <= 0)
			return 64;
		n += k;
	}
	look(seed, seed);
	hide(is("unread"));
	return end();
}
