// everywhere does what programs from elsewhere do with files that every system has, or none, and says what came of it. The same
// source is compiled for the host and for wasm32-wasi.
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char buf[4096];

// put writes n bytes, if there are any.
static void put(int fd, const char *p, ssize_t n) {
	if (n > 0 && write(fd, p, n) != n)
		_exit(1);
}

static void say(const char *s) { put(1, s, strlen(s)); }

// said prints what was tried, and what came of it.
static void said(const char *what, int failed) {
	say(what);
	say(": ");
	say(!failed            ? "ok\n"
	         : errno == ENOENT  ? "ENOENT\n"
	         : errno == ENOTDIR ? "ENOTDIR\n"
	         : errno == EISDIR  ? "EISDIR\n"
	         : errno == EEXIST  ? "EEXIST\n"
	         : errno == EINVAL  ? "EINVAL\n"
	         : errno == EBADF   ? "EBADF\n"
	         : errno == ESPIPE  ? "ESPIPE\n"
	                            : "another error\n");
}

// try opens a path.
static void attempt(const char *path, int flags) {
	int fd = open(path, flags, 0666);
	said(path, fd < 0);
	if (fd >= 0)
		close(fd);
}

int main(void) {
	static const char *const paths[] = {"/", "/dev", "/dev/.", "/dev/null", "/dev/../dev//null", "/dev/null/", "/dev/null/..", "/dev/null/x",
		"/nowhere", "/nowhere/", "/nowhere/../dev/null", ".editorconfig-of-nobody", "nowhere/x", "/dev/stdin", "/dev/stdout", "/dev/stderr"};
	struct stat a, b;
	for (unsigned i = 0; i < sizeof paths / sizeof *paths; i++)
		attempt(paths[i], O_RDONLY);
	say("to write\n");
	attempt("/dev/null", O_RDWR | O_CREAT | O_TRUNC);
	attempt("/dev/null", O_WRONLY | O_CREAT | O_EXCL);
	attempt("/dev/null", O_RDONLY | O_DIRECTORY);
	attempt("/dev", O_WRONLY);
	attempt("/dev", O_RDONLY | O_CREAT);
	attempt("/nowhere/x", O_WRONLY | O_CREAT);
	said("lseek", lseek(0, 0, SEEK_CUR) < 0);
	said("pread", pread(0, buf, 1, 0) < 0);
	said("pwrite", pwrite(1, buf, 1, 0) < 0);
	said("fcntl", fcntl(0, F_SETFL, O_NONBLOCK) < 0);
	said("write to nothing", write(42, buf, 1) < 0);
	said("stat", stat("/dev/null", &a) < 0 || stat("/dev/zero", &b) < 0);
	say(S_ISCHR(a.st_mode) && (a.st_ino != b.st_ino || a.st_dev != b.st_dev) ? "two devices\n" : "one device\n");
	int in = open("/dev/stdin", O_RDONLY), out = open("/dev/stdout", O_WRONLY), null = open("/dev/null", O_WRONLY);
	put(null, "nothing", 7);
	put(out, buf, read(in, buf, 5));
	close(in);
	close(out);
	put(1, buf, read(0, buf, sizeof buf));
	return 0;
}
