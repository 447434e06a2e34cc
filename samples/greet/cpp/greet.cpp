// greet, in C++: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh, or:
//
//	clang++-14 --target=wasm32-wasi -std=c++17 -Os -fno-exceptions -fno-rtti -Wl,-s greet.cpp -o greet.wasm

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <optional>
#include <string>
#include <string_view>

namespace {

constexpr int max_depth = 100;
constexpr int bad_data = 65;

// fail ends the process: this target has no exceptions, and one request needs none.
[[noreturn]] void fail(const char *reason) {
  std::fprintf(stderr, "bad input: %s\n", reason);
  std::exit(bad_data);
}

std::string read_all(std::FILE *in) {
  std::string all;
  char chunk[8192];
  while (std::size_t n = std::fread(chunk, 1, sizeof chunk, in)) all.append(chunk, n);
  return all;
}

// utf8_length is the length of the UTF-8 sequence s starts with, or 0 where there is none: overlong
// forms, surrogates and everything above U+10FFFF are refused (RFC 3629).
std::size_t utf8_length(std::string_view s) {
  auto byte = [&](std::size_t i) { return i < s.size() ? static_cast<unsigned char>(s[i]) : 0u; };
  unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xC2 || first > 0xF4) return 0;
  unsigned low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
  unsigned high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
  if (byte(1) < low || byte(1) > high) return 0;
  std::size_t length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
  for (std::size_t i = 2; i < length; i++)
    if ((byte(i) & 0xC0) != 0x80) return 0;
  return length;
}

void append_utf8(std::string &to, char32_t rune) {
  auto put = [&](unsigned byte) { to += static_cast<char>(byte); };
  if (rune < 0x80) return put(rune);
  if (rune < 0x800) {
    put(0xC0 | rune >> 6);
  } else {
    if (rune < 0x10000) {
      put(0xE0 | rune >> 12);
    } else {
      put(0xF0 | rune >> 18);
      put(0x80 | (rune >> 12 & 0x3F));
    }
    put(0x80 | (rune >> 6 & 0x3F));
  }
  put(0x80 | (rune & 0x3F));
}

// Request reads one JSON object, strictly as RFC 8259 has it, and keeps only the member "name".
class Request {
 public:
  explicit Request(std::string_view body) : left_(body) {
    if (peek() != '{') fail("not a JSON object");
    object(1);
    peek();
    if (!left_.empty()) fail("more than one JSON value");
    if (!name_) fail("no string member \"name\"");
  }

  const std::string &name() const { return *name_; }

 private:
  std::string_view left_;
  std::optional<std::string> name_;

  // next is the byte at hand, 0 at the end: JSON allows no zero byte.
  char next() const { return left_.empty() ? '\0' : left_[0]; }

  // peek is next behind white space.
  char peek() {
    left_.remove_prefix(std::min(left_.find_first_not_of(" \t\n\r"), left_.size()));
    return next();
  }

  // accept passes over next if it is one of these, and returns it, or 0.
  char accept(std::string_view these) {
    if (left_.empty() || these.find(left_[0]) == these.npos) return '\0';
    char c = left_[0];
    left_.remove_prefix(1);
    return c;
  }

  bool take(char c) { return peek() == c && accept({&c, 1}); }

  void expect(char c) {
    if (!take(c)) fail("not JSON");
  }

  void value(int depth) {
    switch (peek()) {
      case '"': string(); break;
      case '[': array(depth); break;
      case '{': object(depth); break;
      case 't': word("true"); break;
      case 'f': word("false"); break;
      case 'n': word("null"); break;
      default: number();
    }
  }

  void array(int depth) {
    expect('[');
    if (depth > max_depth) fail("nested too deep");
    if (take(']')) return;
    do value(depth + 1);
    while (take(','));
    expect(']');
  }

  void object(int depth) {
    expect('{');
    if (depth > max_depth) fail("nested too deep");
    if (take('}')) return;
    do {
      bool wanted = string() == "name" && depth == 1;
      expect(':');
      if (wanted) name_.reset(); // the last one counts
      if (wanted && peek() == '"') name_ = string();
      else value(depth + 1);
    } while (take(','));
    expect('}');
  }

  void word(std::string_view w) {
    if (left_.substr(0, w.size()) != w) fail("not JSON");
    left_.remove_prefix(w.size());
  }

  void number() {
    accept("-");
    if (!accept("0")) digits();
    if (accept(".")) digits();
    if (accept("eE")) {
      accept("+-");
      digits();
    }
  }

  void digits() {
    if (!accept("0123456789")) fail("bad number");
    while (accept("0123456789")) {
    }
  }

  std::string string() {
    std::string s;
    expect('"');
    while (!accept("\"")) {
      if (static_cast<unsigned char>(next()) < 0x20) fail("unfinished string or control character in it");
      if (accept("\\")) {
        append_utf8(s, escape());
        continue;
      }
      std::size_t length = utf8_length(left_);
      if (length == 0) fail("not UTF-8");
      s += left_.substr(0, length);
      left_.remove_prefix(length);
    }
    return s;
  }

  // escape reads what follows a backslash.
  char32_t escape() {
    switch (accept("\"\\/bfnrtu")) {
      case '"': return '"';
      case '\\': return '\\';
      case '/': return '/';
      case 'b': return '\b';
      case 'f': return '\f';
      case 'n': return '\n';
      case 'r': return '\r';
      case 't': return '\t';
      case 'u': return unicode_escape();
      default: fail("bad escape");
    }
  }

  char32_t unicode_escape() {
    char32_t rune = hex4();
    if (rune < 0xD800 || rune > 0xDFFF) return rune;
    if (rune > 0xDBFF || !accept("\\") || !accept("u")) fail("lone surrogate");
    char32_t low = hex4();
    if (low < 0xDC00 || low > 0xDFFF) fail("lone surrogate");
    return 0x10000 + ((rune - 0xD800) << 10) + (low - 0xDC00);
  }

  char32_t hex4() {
    char32_t value = 0;
    for (int i = 0; i < 4; i++) {
      char c = accept("0123456789abcdefABCDEF");
      if (!c) fail("bad \\u escape");
      value = value << 4 | (c <= '9' ? c - '0' : (c | 0x20) - 'a' + 10);
    }
    return value;
  }
};

// escaped is s as it stands between the quotes of a JSON string.
std::string escaped(std::string_view s) {
  std::string to;
  for (char c : s) {
    switch (c) {
      case '"': to += "\\\""; break;
      case '\\': to += "\\\\"; break;
      case '\b': to += "\\b"; break;
      case '\f': to += "\\f"; break;
      case '\n': to += "\\n"; break;
      case '\r': to += "\\r"; break;
      case '\t': to += "\\t"; break;
      default:
        if (static_cast<unsigned char>(c) >= 0x20) {
          to += c;
        } else {
          char code[7];
          std::snprintf(code, sizeof code, "\\u%04x", c);
          to += code;
        }
    }
  }
  return to;
}

} // namespace

int main() {
  std::string body = read_all(stdin);
  std::string name = escaped(Request(body).name());
  std::fprintf(stderr, "greeting %s\n", name.c_str());
  std::printf("{\"greeting\":\"Hello, %s!\"}\n", name.c_str());
}
