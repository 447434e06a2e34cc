// clerk carries out orders, one a line of stdin: WORD [PATH] [REST OF THE LINE]. It ends with 74 if one fails.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static char content[1 << 20], line[1 << 20];

// fail says what is wrong with a file, and ends.
static void fail(const char *word, const char *path) {
	fprintf(stderr, "%s %s: %s\n", word, path, strerror(errno));
	exit(74);
}

// load reads a file, and returns its length, or -1 if there is none.
static ssize_t load(const char *path) {
	int fd = open(path, O_RDONLY);
	if (fd < 0 && errno == ENOENT)
		return -1;
	if (fd < 0)
		fail("open", path);
	ssize_t n = 0, got;
	while ((got = read(fd, content + n, sizeof content - 1 - n)) > 0)
		n += got;
	if (got < 0)
		fail("read", path);
	close(fd);
	content[n] = 0;
	return n;
}

// store writes a file.
static void store(const char *path, int flags, const char *text, size_t n) {
	int fd = open(path, O_WRONLY | O_CREAT | flags, 0666);
	if (fd < 0)
		fail("open", path);
	if (write(fd, text, n) != (ssize_t)n)
		fail("write", path);
	if (close(fd) < 0)
		fail("close", path);
}

// add adds to a number in a file, the way programs do that know nothing of transactions.
static void add(const char *path, long long n) {
	ssize_t had = load(path);
	int len = snprintf(content, sizeof content, "%lld", (had < 0 ? 0 : atoll(content)) + n);
	store(path, O_TRUNC, content, len);
	printf("%s\n", content);
}

static void list(const char *path) {
	DIR *d = opendir(path);
	if (!d)
		fail("ls", path);
	struct dirent *e;
	while ((e = readdir(d)))
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			printf("%s\n", e->d_name);
	closedir(d);
}

static void nap(long ms) {
	struct timespec t = {ms / 1000, ms % 1000 * 1000000};
	nanosleep(&t, 0);
}

// order carries out one order.
static void order(char *word, char *path, char *rest) {
	if (!strcmp(word, "add"))
		add(path, atoll(rest));
	else if (!strcmp(word, "get"))
		printf("%s\n", load(path) < 0 ? "-" : content);
	else if (!strcmp(word, "size"))
		printf("%zd\n", load(path));
	else if (!strcmp(word, "put"))
		store(path, O_TRUNC, rest, strlen(rest));
	else if (!strcmp(word, "append"))
		store(path, O_APPEND, rest, strlen(rest));
	else if (!strcmp(word, "new"))
		store(path, O_EXCL, rest, strlen(rest));
	else if (!strcmp(word, "rm")) {
		if (unlink(path) < 0)
			fail("rm", path);
	} else if (!strcmp(word, "ls"))
		list(path);
	else if (!strcmp(word, "stat")) {
		struct stat s;
		if (stat(path, &s) < 0)
			fail("stat", path);
		printf("%lld\n", (long long)s.st_size);
	} else if (!strcmp(word, "has"))
		printf("%d\n", access(path, F_OK) == 0);
	else if (!strcmp(word, "log"))
		fprintf(stderr, "%s %s\n", path, rest);
	else if (!strcmp(word, "flood"))
		for (long n = atol(path); n > 0; n--)
			fprintf(stderr, "%01023ld\n", n);
	else if (!strcmp(word, "fill")) { // a file of so many bytes
		size_t n = atol(rest);
		memset(content, 'x', n);
		store(path, O_TRUNC, content, n);
	} else if (!strcmp(word, "say"))
		printf("%s %s\n", path, rest);
	else if (!strcmp(word, "nap"))
		nap(atol(path));
	else if (!strcmp(word, "exit"))
		exit(atoi(path));
	else if (!strcmp(word, "trap"))
		__builtin_trap();
	else
		exit(64);
}

int main(int argc, char **argv) {
	char *before = getenv("BEFORE"); // is read before stdin
	if (before && load(before) >= 0)
		printf("%s\n", content);
	if (argc > 1)
		printf("%s\n", argv[1]);
	while (fgets(line, sizeof line, stdin)) {
		line[strcspn(line, "\n")] = 0;
		char *word = line, *path = strchr(line, ' '), *rest = path ? strchr(path + 1, ' ') : 0;
		if (path)
			*path++ = 0;
		if (rest)
			*rest++ = 0;
		order(word, path ? path : "", rest ? rest : "");
	}
	return 0;
}
