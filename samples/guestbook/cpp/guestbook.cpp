// guestbook, in C++: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request
// writes nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.

#include <dirent.h>

#include <cstdio>
#include <memory>
#include <set>
#include <string>

constexpr int failed = 1, bad_data = 65;
constexpr size_t max_name = 64, max_text = 200;
const std::string folder = "/kv/guests";

struct Close {
	void operator()(std::FILE *f) const { std::fclose(f); }
	void operator()(DIR *d) const { closedir(d); }
};
using File = std::unique_ptr<std::FILE, Close>; // fstream and std::filesystem are 170 KB more
using Folder = std::unique_ptr<DIR, Close>;

static int fail(const std::string &path) {
	std::perror(path.c_str());
	return failed;
}

static std::string read(std::FILE *f) {
	std::string all;
	char part[4096];
	for (size_t n; (n = std::fread(part, 1, sizeof part, f)) > 0;) all.append(part, n);
	return all;
}

/* sign writes what a guest writes. */
static int sign(const std::string &request) {
	const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	const size_t name = request.find_first_not_of(letters);
	const size_t text = name == std::string::npos ? 0 : request.size() - name - 1;
	if (name < 1 || name > max_name || request[name] != ' ' || text < 1 || text > max_text ||
	    request.find_first_of(std::string("\n\0", 2)) != std::string::npos) {
		std::fputs("bad input: want a name of 1 to 64 letters, digits, - and _, and a text of 1 to 200 bytes\n", stderr);
		return bad_data;
	}
	const std::string path = folder + "/" + request.substr(0, name);
	File out(std::fopen(path.c_str(), "w"));
	if (!out || std::fwrite(&request[name + 1], 1, text, out.get()) < text || std::fclose(out.release())) return fail(path);
	return 0;
}

int main() {
	std::string request = read(stdin);
	if (!request.empty() && request.back() == '\n') request.pop_back();
	if (!request.empty()) {
		if (int code = sign(request)) return code;
	}

	const Folder guests(opendir(folder.c_str()));
	if (!guests) return fail(folder);
	std::set<std::string> names; // in order
	while (const dirent *e = readdir(guests.get())) {
		if (e->d_name[0] != '.') names.insert(e->d_name); // not the folder itself
	}
	for (const std::string &name : names) {
		File in(std::fopen((folder + "/" + name).c_str(), "r"));
		if (!in) return fail(name);
		std::printf("%s: %s\n", name.c_str(), read(in.get()).c_str());
	}
	return std::fflush(stdout) ? failed : 0;
}
