/* chat, in C: each event of a WebSocket is a run of this program. What it writes goes to all in the room, but for the
 * welcome: that is for whoever comes. It keeps nothing: names come with each event, and the topic is the room. */

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { BAD_DATA = 65, NOT_PERMITTED = 77, MAX_NAME = 24, MAX_TEXT = 4096 };

/* load reads a file of /request whole, or the beginning of it; what is missing is empty. */
static void load(const char *path, char *text, size_t size) {
	FILE *f = fopen(path, "rb");
	size_t n = f ? fread(text, 1, size - 1, f) : 0;
	text[n] = 0;
	if (f) fclose(f);
}

/* name finds name=NAME in the query. A name has 1 to 24 letters and digits, so nothing in it is escaped. */
static int name(char *out) {
	char query[1024];
	load("/request/query", query, sizeof query);
	for (char *part = strtok(query, "&"); part; part = strtok(NULL, "&")) {
		if (strncmp(part, "name=", 5)) continue;
		const char *value = part + 5;
		size_t n = strspn(value, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789");
		if (n == 0 || n > MAX_NAME || value[n]) return 0;
		strcpy(out, value);
		return 1;
	}
	return 0;
}

/* fail says in the log what is wrong. The client learns of the code, and its connection ends. */
static int fail(int code, const char *why) {
	fprintf(stderr, "%s\n", why);
	return code;
}

int main(void) {
	char text[MAX_TEXT + 1], who[MAX_NAME + 1], event[16], room[256];
	size_t n = fread(text, 1, sizeof text, stdin); /* first, so that the process can be started before */
	load("/request/headers/fn-ws", event, sizeof event);
	load("/request/params/room", room, sizeof room);
	if (!name(who)) return fail(NOT_PERMITTED, "say who you are: ?name=NAME, 1 to 24 letters and digits");
	if (!strcmp(event, "open")) {
		printf("welcome to %s, %s", room, who);
	} else if (!strcmp(event, "close")) {
		printf("%s has left", who);
	} else if (strcmp(event, "text")) {
		return fail(BAD_DATA, "this chat is for text");
	} else if (n > MAX_TEXT) {
		return fail(BAD_DATA, "a text has at most 4096 bytes");
	} else if (n > 0) {
		printf("%s: ", who);
		fwrite(text, 1, n, stdout);
	}
	return fflush(stdout) ? EXIT_FAILURE : EXIT_SUCCESS;
}
