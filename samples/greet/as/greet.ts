// greet, in AssemblyScript: a request {"name":"Ada"} on stdin becomes the reply
// {"greeting":"Hello, Ada!"} on stdout and one log line on stderr; a bad request is exit code 65.
// Build it with ./build.sh, or:
//
//	asc greet.ts -O3 --runtime stub --exportStart _start --use abort= -o greet.wasm
//
// The runtime "stub" never frees memory, which suits a process that lives for one request. Text is
// kept as bytes: AssemblyScript's strings are UTF-16 and would hide bytes that are not UTF-8.

const MAX_DEPTH = 100;
const BAD_DATA = 65;

// --- The three calls of WASI that this program makes.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_read")
declare function fd_read(fd: u32, iovs: usize, iovsLen: usize, nread: usize): u16;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, iovs: usize, iovsLen: usize, nwritten: usize): u16;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "proc_exit")
declare function proc_exit(code: u32): void;

const iov = memory.data(12); // address, length, and the number of bytes moved

function write(fd: u32, data: Bytes): void {
  let at = data.address, left = data.length;
  while (left > 0) {
    store<usize>(iov, at);
    store<usize>(iov, left, 4);
    if (fd_write(fd, iov, 1, iov + 8) != 0) unreachable();
    const n = load<usize>(iov, 8);
    at += n;
    left -= <i32>n;
  }
}

function readAll(fd: u32): Bytes {
  const all = new Bytes();
  do {
    all.reserve(8192);
    store<usize>(iov, all.address + all.length);
    store<usize>(iov, all.capacity - all.length, 4);
    if (fd_read(fd, iov, 1, iov + 8) != 0) fail("stdin cannot be read");
    all.length += load<i32>(iov, 8);
  } while (load<i32>(iov, 8) != 0);
  return all;
}

function fail(reason: string): void {
  write(2, new Bytes().text("bad input: ").text(reason).text("\n"));
  proc_exit(BAD_DATA);
}

// Bytes is a growing row of bytes.
class Bytes {
  address: usize = 0;
  length: i32 = 0;
  capacity: i32 = 0;

  // reserve makes room for n more bytes.
  reserve(n: i32): void {
    if (this.length + n <= this.capacity) return;
    this.capacity = max(2 * this.capacity, this.length + n);
    this.address = this.address ? heap.realloc(this.address, this.capacity) : heap.alloc(this.capacity);
  }

  // get is the byte at i, 0 behind the end: JSON allows no zero byte.
  get(i: i32): u32 {
    return i < this.length ? load<u8>(this.address + i) : 0;
  }

  put(byte: u32): void {
    this.reserve(1);
    store<u8>(this.address + this.length++, <u8>byte);
  }

  // text appends s, which is ASCII.
  text(s: string): Bytes {
    for (let i = 0; i < s.length; i++) this.put(s.charCodeAt(i));
    return this;
  }

  append(b: Bytes, from: i32 = 0, to: i32 = b.length): Bytes {
    this.reserve(to - from);
    memory.copy(this.address + this.length, b.address + from, to - from);
    this.length += to - from;
    return this;
  }

  is(s: string): bool {
    if (this.length != s.length) return false;
    for (let i = 0; i < s.length; i++) if (this.get(i) != s.charCodeAt(i)) return false;
    return true;
  }

  rune(r: u32): void {
    if (r < 0x80) {
      this.put(r);
    } else if (r < 0x800) {
      this.put(0xc0 | (r >> 6));
      this.put(0x80 | (r & 0x3f));
    } else if (r < 0x10000) {
      this.put(0xe0 | (r >> 12));
      this.put(0x80 | ((r >> 6) & 0x3f));
      this.put(0x80 | (r & 0x3f));
    } else {
      this.put(0xf0 | (r >> 18));
      this.put(0x80 | ((r >> 12) & 0x3f));
      this.put(0x80 | ((r >> 6) & 0x3f));
      this.put(0x80 | (r & 0x3f));
    }
  }

  // utf8Length is the length of the UTF-8 sequence at i, 0 where there is none: overlong forms,
  // surrogates and everything above U+10FFFF are refused (RFC 3629).
  utf8Length(i: i32): i32 {
    const first = this.get(i);
    if (first < 0x80) return 1;
    if (first < 0xc2 || first > 0xf4) return 0;
    const low: u32 = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
    const high: u32 = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
    if (this.get(i + 1) < low || this.get(i + 1) > high) return 0;
    const length = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
    for (let k = 2; k < length; k++) if ((this.get(i + k) & 0xc0) != 0x80) return 0;
    return length;
  }
}

// Request reads one JSON object, strictly as RFC 8259 has it, and keeps only the member "name".
class Request {
  at: i32 = 0;
  hasName: bool = false;
  name: Bytes = new Bytes();
  str: Bytes = new Bytes(); // the string read last

  constructor(private body: Bytes) {
    if (this.peek() != code("{")) fail("not a JSON object");
    this.object(1);
    this.peek();
    if (this.at != body.length) fail("more than one JSON value");
    if (!this.hasName) fail('no string member "name"');
  }

  // next is the byte at hand, 0 at the end.
  next(): u32 {
    return this.body.get(this.at);
  }

  // peek is next behind white space.
  peek(): u32 {
    while (this.accept(" \t\n\r")) {}
    return this.next();
  }

  // accept passes over next if it is one of these characters.
  accept(these: string): bool {
    if (find(these, this.next()) < 0) return false;
    this.at++;
    return true;
  }

  take(c: string): bool {
    this.peek();
    return this.accept(c);
  }

  expect(c: string): void {
    if (!this.take(c)) fail("not JSON");
  }

  value(depth: i32): void {
    const c = this.peek();
    if (c == code('"')) this.string();
    else if (c == code("[")) this.array(depth);
    else if (c == code("{")) this.object(depth);
    else if (c == code("t")) this.word("true");
    else if (c == code("f")) this.word("false");
    else if (c == code("n")) this.word("null");
    else this.number();
  }

  array(depth: i32): void {
    this.expect("[");
    if (depth > MAX_DEPTH) fail("nested too deep");
    if (this.take("]")) return;
    do this.value(depth + 1);
    while (this.take(","));
    this.expect("]");
  }

  object(depth: i32): void {
    this.expect("{");
    if (depth > MAX_DEPTH) fail("nested too deep");
    if (this.take("}")) return;
    do this.member(depth);
    while (this.take(","));
    this.expect("}");
  }

  member(depth: i32): void {
    this.string();
    const wanted = depth == 1 && this.str.is("name");
    this.expect(":");
    if (wanted) this.hasName = this.peek() == code('"'); // the last one counts
    this.value(depth + 1);
    if (wanted && this.hasName) {
      this.name = this.str;
      this.str = new Bytes();
    }
  }

  word(w: string): void {
    for (let i = 0; i < w.length; i++) {
      if (this.next() != w.charCodeAt(i)) fail("not JSON");
      this.at++;
    }
  }

  number(): void {
    this.accept("-");
    if (!this.accept("0")) this.digits();
    if (this.accept(".")) this.digits();
    if (this.accept("eE")) {
      this.accept("+-");
      this.digits();
    }
  }

  digits(): void {
    if (!this.accept("0123456789")) fail("bad number");
    while (this.accept("0123456789")) {}
  }

  // string reads a string into str.
  string(): void {
    this.str.length = 0;
    this.expect('"');
    while (!this.accept('"')) {
      if (this.next() < 0x20) fail("unfinished string or control character in it");
      if (this.accept("\\")) {
        this.str.rune(this.escape());
        continue;
      }
      const length = this.body.utf8Length(this.at);
      if (length == 0) fail("not UTF-8");
      this.str.append(this.body, this.at, this.at + length);
      this.at += length;
    }
  }

  // escape reads what follows a backslash.
  escape(): u32 {
    if (this.accept("u")) return this.unicodeEscape();
    const i = find('"\\/bfnrt', this.next());
    if (i < 0) fail("bad escape");
    this.at++;
    return '"\\/\b\f\n\r\t'.charCodeAt(i);
  }

  unicodeEscape(): u32 {
    const rune = this.hex4();
    if (rune < 0xd800 || rune > 0xdfff) return rune;
    if (rune > 0xdbff || !this.accept("\\") || !this.accept("u")) fail("lone surrogate");
    const low = this.hex4();
    if (low < 0xdc00 || low > 0xdfff) fail("lone surrogate");
    return 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
  }

  hex4(): u32 {
    let value = 0;
    for (let i = 0; i < 4; i++) {
      const digit = find("0123456789abcdefABCDEF", this.next());
      if (digit < 0) fail("bad \\u escape");
      value = (value << 4) | (digit < 16 ? digit : digit - 6);
      this.at++;
    }
    return value;
  }
}

// find is the place of a character in a string, or -1.
function find(s: string, c: u32): i32 {
  for (let i = 0; i < s.length; i++) if (<u32>s.charCodeAt(i) == c) return i;
  return -1;
}

// code is the character code of a string of one character.
function code(c: string): u32 {
  return c.charCodeAt(0);
}

// escaped is b as it stands between the quotes of a JSON string.
function escaped(b: Bytes): Bytes {
  const to = new Bytes();
  for (let i = 0; i < b.length; i++) {
    const c = b.get(i);
    if (c == code('"')) to.text('\\"');
    else if (c == code("\\")) to.text("\\\\");
    else if (c >= 0x20) to.put(c);
    else if (c == code("\b")) to.text("\\b");
    else if (c == code("\f")) to.text("\\f");
    else if (c == code("\n")) to.text("\\n");
    else if (c == code("\r")) to.text("\\r");
    else if (c == code("\t")) to.text("\\t");
    else to.text("\\u00" + (c < 16 ? "0" : "") + c.toString(16));
  }
  return to;
}

const name = escaped(new Request(readAll(0)).name);
write(2, new Bytes().text("greeting ").append(name).text("\n"));
write(1, new Bytes().text('{"greeting":"Hello, ').append(name).text('!"}\n'));
