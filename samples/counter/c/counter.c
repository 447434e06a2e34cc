/* counter, in C: a name on stdin becomes the number of times that it was sent. The number is the key of that name in
 * the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit code 65. */

#include <stdio.h>
#include <string.h>

enum { FAILED = 1, BAD_DATA = 65, MAX_NAME = 64 };

int main(void) {
	char name[MAX_NAME + 3], path[MAX_NAME + 16];
	size_t n = fread(name, 1, sizeof name - 1, stdin); /* first, so that the process can be started before */
	if (n > 0 && name[n - 1] == '\n') n--;
	name[n] = 0;
	size_t good = strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-");
	if (n < 1 || n > MAX_NAME || good < n) {
		fputs("bad input: want a name of 1 to 64 letters, digits, - and _\n", stderr);
		return BAD_DATA;
	}
	snprintf(path, sizeof path, "/kv/counters/%s", name);

	unsigned long long count = 0;
	FILE *f = fopen(path, "r");
	if (f) { /* what is missing counts from 0 */
		int found = fscanf(f, "%llu", &count);
		fclose(f);
		if (found != 1) {
			fprintf(stderr, "%s is no number\n", path);
			return FAILED;
		}
	}
	f = fopen(path, "w");
	if (!f || fprintf(f, "%llu", count + 1) < 0 || fclose(f)) {
		perror(path);
		return FAILED;
	}
	printf("%llu\n", count + 1);
	return fflush(stdout) ? FAILED : 0;
}
