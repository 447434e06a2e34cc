/* guestbook, in C: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request writes
 * nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65. */

#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FAILED = 1, BAD_DATA = 65, MAX_NAME = 64, MAX_TEXT = 200 };

static int fail(const char *what) {
	perror(what);
	return FAILED;
}

/* sign writes what a guest writes. */
static int sign(char *request, size_t n) {
	char *blank = strchr(request, ' ');
	size_t name = blank ? blank - request : 0, text = blank ? n - name - 1 : 0;
	if (name < 1 || name > MAX_NAME || text < 1 || text > MAX_TEXT || strlen(request) < n || strchr(request, '\n') ||
	    strspn(request, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") < name) {
		fputs("bad input: want a name of 1 to 64 letters, digits, - and _, and a text of 1 to 200 bytes\n", stderr);
		return BAD_DATA;
	}
	*blank = 0;
	FILE *f = fopen(request, "w");
	if (!f || fputs(blank + 1, f) < 0 || fclose(f)) return fail(request);
	return 0;
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

int main(void) {
	char request[MAX_NAME + MAX_TEXT + 4], text[4096];
	size_t n = fread(request, 1, sizeof request - 1, stdin);
	if (n > 0 && request[n - 1] == '\n') n--;
	request[n] = 0;
	if (chdir("/kv/guests")) return fail("/kv/guests");
	if (n > 0) {
		int code = sign(request, n);
		if (code) return code;
	}
	struct dirent **guests;
	int count = scandir(".", &guests, NULL, by_name);
	if (count < 0) return fail("/kv/guests");
	for (int i = 0; i < count; i++) {
		if (guests[i]->d_name[0] == '.') continue; /* the folder itself */
		FILE *f = fopen(guests[i]->d_name, "r");
		if (!f) return fail(guests[i]->d_name);
		size_t len = fread(text, 1, sizeof text, f);
		fclose(f);
		printf("%s: %.*s\n", guests[i]->d_name, (int)len, text);
	}
	return fflush(stdout) ? FAILED : 0;
}
