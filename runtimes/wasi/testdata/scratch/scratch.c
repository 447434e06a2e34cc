// scratch does in a folder what programs do that write files, and says what came of it. The same source is compiled
// for the host and for wasm32-wasi. It reads stdin first. Arguments: what to do, and the folder.
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const char *dir;

// in returns the path of a name in the folder. There are four at a time.
static const char *in(const char *name) {
	static char paths[4][512];
	static int n;
	char *p = paths[n++ % 4];
	snprintf(p, sizeof paths[0], "%s/%s", dir, name);
	return p;
}

// said prints what was tried, and what came of it.
static int said(const char *what, int result) {
	const char *e = result >= 0      ? "ok"
	              : errno == ENOENT    ? "ENOENT"
	              : errno == ENOTDIR   ? "ENOTDIR"
	              : errno == EISDIR    ? "EISDIR"
	              : errno == EEXIST    ? "EEXIST"
	              : errno == ENOTEMPTY ? "ENOTEMPTY"
	              : errno == EINVAL    ? "EINVAL"
	              : errno == EBADF     ? "EBADF"
	              : errno == EROFS     ? "EROFS"
	              : errno == ENOSPC    ? "ENOSPC"
	              : errno == EXDEV     ? "EXDEV"
	                                   : strerror(errno);
	printf("%s: %s\n", what, e);
	return result;
}

// has prints what is in a file.
static void has(const char *name) {
	char b[256];
	FILE *f = fopen(in(name), "r");
	if (!f) {
		said(name, -1);
		return;
	}
	size_t n = fread(b, 1, sizeof b - 1, f);
	for (size_t i = 0; i < n; i++)
		if (!b[i])
			b[i] = '.';
	b[n] = 0;
	fclose(f);
	struct stat s;
	stat(in(name), &s);
	printf("%s has %s (%d bytes)\n", name, b, (int)s.st_size);
}

static int compare(const void *a, const void *b) { return strcmp(*(char *const *)a, *(char *const *)b); }

// list prints what is in a folder.
static void list(const char *name) {
	char *names[100];
	int n = 0;
	DIR *d = opendir(in(name));
	if (!d) {
		said(name, -1);
		return;
	}
	for (struct dirent *e; n < 100 && (e = readdir(d));)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			names[n++] = strdup(e->d_name);
	closedir(d);
	qsort(names, n, sizeof *names, compare);
	printf("%s lists", name);
	for (int i = 0; i < n; i++)
		printf(" %s", names[i]);
	printf("\n");
}

// put writes a file.
static void put(const char *name, const char *mode, const char *text) {
	FILE *f = fopen(in(name), mode);
	if (!f) {
		said(name, -1);
		return;
	}
	fputs(text, f);
	said(name, fclose(f));
}

// descriptors does what is done without stdio.
static void descriptors(void) {
	char b[32] = {0};
	int fd = said("open", open(in("fd"), O_RDWR | O_CREAT | O_EXCL, 0600));
	said("again", open(in("fd"), O_RDWR | O_CREAT | O_EXCL, 0600));
	printf("write %d\n", (int)write(fd, "0123456789", 10));
	printf("pwrite %d\n", (int)pwrite(fd, "ab", 2, 4));
	printf("at %d\n", (int)lseek(fd, 0, SEEK_CUR));
	printf("end %d\n", (int)lseek(fd, 0, SEEK_END));
	printf("pread %d ", (int)pread(fd, b, 5, 2));
	printf("%s\n", b);
	said("ftruncate", ftruncate(fd, 6));
	said("below 0", ftruncate(fd, -1));
	said("fsync", fsync(fd));
	printf("beyond %d\n", (int)pwrite(fd, "z", 1, 8));
	said("close", close(fd));
	has("fd");
	fd = open(in("fd"), O_WRONLY | O_APPEND);
	printf("append %d\n", (int)write(fd, "end", 3));
	printf("read %d\n", (int)read(fd, b, 1));
	struct stat s;
	said("fstat", fstat(fd, &s));
	printf("%d bytes, a file: %d\n", (int)s.st_size, S_ISREG(s.st_mode));
	close(fd);
	fd = open(in("fd"), O_RDONLY);
	printf("write to read %d\n", (int)write(fd, "x", 1));
	said("shorter", ftruncate(fd, 1));
	close(fd);
	fd = open(in("gone"), O_RDWR | O_CREAT, 0600);
	said("unlink", unlink(in("gone")));
	printf("write %d\n", (int)write(fd, "kept", 4));
	memset(b, 0, sizeof b);
	printf("read back %d %s\n", (int)pread(fd, b, 10, 0), b);
	close(fd);
	has("gone");
}

// all does one thing after the other.
static void all(void) {
	put("a", "w", "hello\n");
	put("a", "a", "world\n");
	put("b", "wx", "new");
	put("b", "wx", "newer");
	has("a");
	put("a", "r+", "J");
	has("a");
	put("a", "w", "short");
	has("a");
	descriptors();
	said("mkdir", mkdir(in("d"), 0700));
	said("mkdir again", mkdir(in("d"), 0700));
	said("mkdir deep", mkdir(in("d/e"), 0700));
	said("mkdir nowhere", mkdir(in("none/e"), 0700));
	put("d/e/f", "w", "deep");
	put("none/f", "w", "nowhere");
	put("a/f", "w", "below a file");
	put("d", "w", "a folder");
	said("rename", rename(in("b"), in("d/c")));
	said("rename over", rename(in("d/c"), in("a")));
	said("rename folder", rename(in("d"), in("D")));
	said("rename into itself", rename(in("D"), in("D/x")));
	said("rename none", rename(in("none"), in("x")));
	said("rename file to folder", rename(in("a"), in("x/")));
	list(".");
	list("D");
	list("a");
	has("a");
	has("D/e/f");
	said("rmdir full", rmdir(in("D")));
	said("rmdir file", rmdir(in("a")));
	said("unlink none", unlink(in("none")));
	said("unlink", unlink(in("D/e/f")));
	said("rmdir", rmdir(in("D/e")));
	said("rmdir", rmdir(in("D")));
	struct timespec t[2] = {{1000000000, 0}, {1000000001, 0}};
	said("utimens", utimensat(AT_FDCWD, in("a"), t, 0));
	struct stat s;
	stat(in("a"), &s);
	printf("changed at %lld\n", (long long)s.st_mtim.tv_sec);
	said("access", access(in("a"), R_OK));
	list(".");
}

// one does what is to block somewhere: all of it comes by each operation of a tree.
static void one(void) {
	char b[8];
	struct stat s;
	mkdir(in("d"), 0700);
	int fd = open(in("d/a"), O_RDWR | O_CREAT, 0600);
	if (fd < 0 || write(fd, "x", 1) != 1 || pread(fd, b, 1, 0) != 1 || ftruncate(fd, 5) || fsync(fd) || fstat(fd, &s) || futimens(fd, NULL))
		exit(1);
	if (close(fd) || stat(in("d"), &s) || rename(in("d/a"), in("d/b")) || utimensat(AT_FDCWD, in("d/b"), NULL, 0))
		exit(2);
	list("d");
	if (unlink(in("d/b")) || rmdir(in("d")))
		exit(3);
}

int main(int argc, char **argv) {
	char body[64] = {0};
	if (read(0, body, sizeof body - 1) < 0 || argc < 3)
		return 64;
	dir = argv[2];
	if (!strcmp(argv[1], "all"))
		all();
	else if (!strcmp(argv[1], "one"))
		one();
	else if (!strcmp(argv[1], "leave")) { // something for others to find, open files included
		list(".");
		put("left", "w", body);
		mkdir(in("folder"), 0700);
		int fd = open(in("open"), O_RDWR | O_CREAT, 0600);
		printf("open %d, %d bytes\n", fd, (int)write(fd, body, strlen(body)));
		fflush(stdout);
		if (!strncmp(body, "trap", 4))
			__builtin_trap();
		if (!strncmp(body, "exit", 4))
			_exit(7);
	} else if (!strcmp(argv[1], "fill")) {
		int fd = open(in("a"), O_WRONLY | O_CREAT, 0600);
		static char b[1 << 16];
		while (write(fd, b, sizeof b) > 0)
			;
		said("fill", -1);
	} else if (!strcmp(argv[1], "over"))
		said("rename over", rename(in("a"), argv[3]));
	return 0;
}
