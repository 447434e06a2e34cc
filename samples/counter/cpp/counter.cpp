// counter, in C++: a name on stdin becomes the number of times that it was sent. The number is the key of that name
// in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit code
// 65.

#include <cstdio>
#include <cstring>
#include <memory>
#include <string>

constexpr int failed = 1, bad_data = 65;
constexpr size_t max_name = 64;

struct Close {
	void operator()(std::FILE *f) const { std::fclose(f); }
};
using File = std::unique_ptr<std::FILE, Close>; // fstream is 170 KB more

int main() {
	char read[max_name + 2];
	std::string name(read, std::fread(read, 1, sizeof read, stdin));
	if (!name.empty() && name.back() == '\n') name.pop_back();
	const char *letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-";
	if (name.empty() || name.size() > max_name || name.find_first_not_of(letters) != std::string::npos) {
		std::fputs("bad input: want a name of 1 to 64 letters, digits, - and _\n", stderr);
		return bad_data;
	}
	const std::string path = "/kv/counters/" + name;

	unsigned long long count = 0;
	if (File in(std::fopen(path.c_str(), "r")); in) { // what is missing counts from 0
		if (std::fscanf(in.get(), "%llu", &count) != 1) {
			std::fprintf(stderr, "%s is no number\n", path.c_str());
			return failed;
		}
	}
	File out(std::fopen(path.c_str(), "w"));
	if (!out || std::fprintf(out.get(), "%llu", ++count) < 0 || std::fclose(out.release())) {
		std::perror(path.c_str());
		return failed;
	}
	std::printf("%llu\n", count);
	return std::fflush(stdout) ? failed : 0;
}
