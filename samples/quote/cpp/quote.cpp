// quote, in C++: whatever the request is, it is not read. The reply is a random number and a quote.

#include <cstdio>
#include <random>

static const char *const quotes[] = {"Simple is beautiful.", "Measure, then cut.", "Every call is a new process."};

int main() {
  std::random_device device;
  std::mt19937_64 generator(static_cast<unsigned long long>(device()) << 32 | device());
  const unsigned long long number = generator();
  std::printf("%llu %s\n", number, quotes[number % 3]);
}
