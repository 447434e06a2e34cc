// archive: what tar does, in the format ustar. "c FILE FOLDER" packs a folder, "x FILE FOLDER" unpacks it, "t FILE" lists
// what is in it. It knows files as any program of C does, and nothing of where they are.

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { BLOCK = 512 };

struct header {
	char name[100], mode[8], uid[8], gid[8], size[12], mtime[12], sum[8], type, link[100], magic[6], version[2];
	char user[32], group[32], major[8], minor[8], prefix[155], rest[12];
};

static void die(const char *what) {
	perror(what);
	exit(1);
}

static unsigned checksum(const struct header *h) {
	unsigned sum = 0;
	for (int i = 0; i < BLOCK; i++) {
		int in_sum = i >= 148 && i < 156;
		sum += in_sum ? ' ' : ((const unsigned char *)h)[i];
	}
	return sum;
}

static void put_header(FILE *to, const char *name, char type, long size) {
	struct header h;
	memset(&h, 0, sizeof h);
	if (strlen(name) >= sizeof h.name) errno = ENAMETOOLONG, die(name);
	strcpy(h.name, name);
	strcpy(h.mode, "0000644");
	strcpy(h.uid, "0000000"), strcpy(h.gid, "0000000");
	snprintf(h.size, sizeof h.size, "%011lo", size);
	strcpy(h.mtime, "00000000000");
	h.type = type;
	memcpy(h.magic, "ustar", 6), memcpy(h.version, "00", 2);
	snprintf(h.sum, sizeof h.sum, "%06o", checksum(&h));
	if (fwrite(&h, BLOCK, 1, to) != 1) die(name);
}

static int by_name(const struct dirent **a, const struct dirent **b) { return strcmp((*a)->d_name, (*b)->d_name); }

static void pack_file(FILE *to, const char *path, const char *name, long size) {
	FILE *f = fopen(path, "rb");
	if (!f) die(path);
	put_header(to, name, '0', size);
	char block[BLOCK];
	for (long left = size; left > 0; left -= BLOCK) {
		memset(block, 0, sizeof block);
		size_t want = left < BLOCK ? left : BLOCK;
		if (fread(block, 1, want, f) != want || fwrite(block, BLOCK, 1, to) != 1) die(path);
	}
	fclose(f);
}

// pack puts all below a folder into the archive; name is how the folder is called there, "" for the topmost.
static void pack(FILE *to, const char *folder, const char *name) {
	struct dirent **list;
	int n = scandir(folder, &list, NULL, by_name);
	if (n < 0) die(folder);
	for (int i = 0; i < n; i++) {
		const char *entry = list[i]->d_name;
		if (!strcmp(entry, ".") || !strcmp(entry, "..")) continue;
		char path[1024], inside[1024];
		snprintf(path, sizeof path, "%s/%s", folder, entry);
		snprintf(inside, sizeof inside, "%s%s%s", name, *name ? "/" : "", entry);
		struct stat s;
		if (stat(path, &s)) die(path);
		if (S_ISDIR(s.st_mode)) {
			char slash[1025];
			snprintf(slash, sizeof slash, "%s/", inside);
			put_header(to, slash, '5', 0);
			pack(to, path, inside);
		} else {
			pack_file(to, path, inside, s.st_size);
		}
		free(list[i]);
	}
	free(list);
}

static void unpack_file(FILE *from, const char *path, long size) {
	char temporary[1100], block[BLOCK];
	snprintf(temporary, sizeof temporary, "%s.part", path);
	FILE *f = fopen(temporary, "wb");
	if (!f) die(temporary);
	for (long left = size; left > 0; left -= BLOCK) {
		size_t want = left < BLOCK ? left : BLOCK;
		if (fread(block, BLOCK, 1, from) != 1 || fwrite(block, 1, want, f) != want) die(path);
	}
	if (fflush(f) || fsync(fileno(f)) || fclose(f) || rename(temporary, path)) die(path);
}

static void read_all(FILE *from, const char *folder) {
	struct header h;
	while (fread(&h, BLOCK, 1, from) == 1 && h.name[0]) {
		long size = strtol(h.size, NULL, 8);
		if (strtoul(h.sum, NULL, 8) != checksum(&h)) {
			fprintf(stderr, "%.99s: the checksum is wrong\n", h.name);
			exit(1);
		}
		printf("%c %ld %s\n", h.type, size, h.name);
		char path[1024];
		snprintf(path, sizeof path, "%s/%s", folder ? folder : "", h.name);
		if (!folder) {
			if (fseek(from, (size + BLOCK - 1) / BLOCK * BLOCK, SEEK_CUR)) die("seek");
		} else if (h.type == '5') {
			path[strlen(path) - 1] = 0;
			if (mkdir(path, 0777) && errno != EEXIST) die(path);
		} else {
			unpack_file(from, path, size);
		}
	}
}

int main(int argc, char **argv) {
	if (argc < 3) return 2;
	FILE *archive = fopen(argv[2], argv[1][0] == 'c' ? "wb" : "rb");
	if (!archive) die(argv[2]);
	switch (argv[1][0]) {
	case 'c':
		pack(archive, argv[3], "");
		char end[2 * BLOCK] = {0};
		if (fwrite(end, sizeof end, 1, archive) != 1) die(argv[2]);
		break;
	case 'x':
		if (mkdir(argv[3], 0777) && errno != EEXIST) die(argv[3]);
		read_all(archive, argv[3]);
		break;
	default:
		read_all(archive, NULL);
	}
	return fclose(archive) ? 1 : 0;
}
