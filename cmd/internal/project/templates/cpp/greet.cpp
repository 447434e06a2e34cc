// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
#include <cstdio>
#include <string>

int main() {
  std::string name;
  for (int c; (c = std::getchar()) != EOF;) name += static_cast<char>(c);
  while (!name.empty() && name.back() == '\n') name.pop_back();
  if (name.empty()) {
    std::fputs("bad input: want a name\n", stderr);
    return 65;
  }
  std::fprintf(stderr, "greeting %s\n", name.c_str());
  std::printf("Hello, %s!\n", name.c_str());
}
