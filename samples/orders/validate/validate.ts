// validate, in AssemblyScript, the first of the five functions of an order: the request is one JSON object
//
//	{"order":"A-1001","item":"tea","count":3,"country":"DE"}
//
// with these members in any order, and white space anywhere. The reply is the same object in exactly the form
// above, so that the functions behind this one can be simple. A bad order is exit code 65.

const BAD_DATA = 65;
const MAX_BYTES: usize = 4096;
const MAX_WORD = 32;
const MAX_COUNT = 99;

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
const body = memory.data(4096);

function read(): string {
  let length: usize = 0;
  do {
    store<usize>(iov, body + length);
    store<usize>(iov, MAX_BYTES - length, 4);
    if (fd_read(0, iov, 1, iov + 8) != 0) fail("stdin cannot be read");
    length += load<usize>(iov, 8);
    if (length == MAX_BYTES) fail("longer than 4095 bytes");
  } while (load<usize>(iov, 8) != 0);
  return String.UTF8.decodeUnsafe(body, length);
}

function write(fd: u32, s: string): void {
  const bytes = String.UTF8.encode(s);
  store<usize>(iov, changetype<usize>(bytes));
  store<usize>(iov, bytes.byteLength, 4);
  if (fd_write(fd, iov, 1, iov + 8) != 0) unreachable();
}

function fail(reason: string): void {
  write(2, "bad order: " + reason + "\n");
  proc_exit(BAD_DATA);
}

// Order reads an order. A member that is missing is "" or 0.
class Order {
  order: string = "";
  item: string = "";
  count: i32 = 0;
  country: string = "";
  at: i32 = 0;

  constructor(private text: string) {
    this.expect("{");
    do this.member();
    while (this.accept(","));
    this.expect("}");
    this.space();
    if (this.at < text.length) fail("more than one JSON object");
    if (this.order == "" || this.item == "" || this.count == 0 || this.country == "") fail("order, item, count and country are needed");
  }

  member(): void {
    const key = this.word();
    this.expect(":");
    if (key == "order") this.order = this.once(this.order);
    else if (key == "item") this.item = this.once(this.item);
    else if (key == "country") this.country = this.once(this.country);
    else if (key == "count" && this.count == 0) this.count = this.number();
    else fail("unexpected member " + key);
  }

  once(before: string): string {
    if (before != "") fail("a member twice");
    return this.word();
  }

  space(): void {
    while (this.at < this.text.length && " \t\r\n".includes(this.text.charAt(this.at))) this.at++;
  }

  accept(c: string): bool {
    this.space();
    if (this.text.charAt(this.at) != c) return false;
    this.at++;
    return true;
  }

  expect(c: string): void {
    if (!this.accept(c)) fail("a JSON object with " + c + " at byte " + this.at.toString() + " is needed");
  }

  // word reads a string of letters, digits and hyphens: an order needs no others.
  word(): string {
    this.expect('"');
    const start = this.at;
    while (plain(this.text.charCodeAt(this.at))) this.at++;
    const w = this.text.substring(start, this.at);
    if (w.length == 0 || w.length > MAX_WORD || this.text.charAt(this.at) != '"') fail("a word has 1 to 32 letters, digits and hyphens");
    this.at++;
    return w;
  }

  number(): i32 {
    this.space();
    const start = this.at;
    let n = 0;
    while (digit(this.text.charCodeAt(this.at)) && n <= MAX_COUNT) n = 10 * n + this.text.charCodeAt(this.at++) - 48;
    if (n < 1 || n > MAX_COUNT || this.text.charAt(start) == "0") fail("count is a whole number from 1 to 99");
    return n;
  }
}

function digit(c: i32): bool {
  return c >= 48 && c <= 57;
}

// plain is false for the -1 behind the end too.
function plain(c: i32): bool {
  return digit(c) || (c >= 65 && c <= 90) || (c >= 97 && c <= 122) || c == 45;
}

const o = new Order(read());
write(1, `{"order":"${o.order}","item":"${o.item}","count":${o.count},"country":"${o.country}"}\n`);
