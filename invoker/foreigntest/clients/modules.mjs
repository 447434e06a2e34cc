// WebAssembly modules by hand: the smallest ones that show what a client can meet.

// leb encodes a number of less than 2^31, unsigned; signed, it has room for the sign.
function leb(n, signed = false) {
  const out = [];
  for (; n > (signed ? 63 : 127); n >>>= 7) out.push((n & 127) | 128);
  return [...out, n];
}

const text = (s) => [...leb(Buffer.byteLength(s)), ...Buffer.from(s)];
const vector = (...items) => [...leb(items.length), ...items.flat()];
const section = (id, content) => [id, ...leb(content.length), ...content];
const constant = (n) => [0x41, ...leb(n, true)];
const call = (n) => [0x10, ...leb(n)];
const module = (...sections) => Uint8Array.from([0, 0x61, 0x73, 0x6d, 1, 0, 0, 0, ...sections.flat()]);

const i32 = 0x7f;
const type = (params, results) => [0x60, ...vector(...params), ...vector(...results)];
const imported = (from, name, type) => [...text(from), ...text(name), 0, type];

// complaint returns a module that writes a text to stderr and exits with a code.
export function complaint(message, code) {
  const wasi = "wasi_snapshot_preview1";
  const address = 16, length = Buffer.byteLength(message);
  const memory = [address, 0, 0, 0, length & 255, length >> 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, ...Buffer.from(message)];
  // fd_write(2, where address and length are, 1, where the count goes); proc_exit(code)
  const start = [0, ...constant(2), ...constant(0), ...constant(1), ...constant(8), ...call(0), 0x1a, ...constant(code), ...call(1), 0x0b];
  return module(
    section(1, vector(type([i32, i32, i32, i32], [i32]), type([i32], []), type([], []))),
    section(2, vector(imported(wasi, "fd_write", 0), imported(wasi, "proc_exit", 1))),
    section(3, vector(2)),
    section(5, vector([0, 1])),
    section(7, vector([...text("memory"), 2, 0], [...text("_start"), 0, 2])),
    section(10, vector([...leb(start.length), ...start])),
    section(11, vector([0, ...constant(0), 0x0b, ...leb(memory.length), ...memory])),
  );
}

// importing returns a module that imports one function without parameters.
export function importing(from, name) {
  return module(section(1, vector(type([], []))), section(2, vector(imported(from, name, 0))));
}

// padded returns a module with a custom section of n bytes at its end: as good as it was, and larger.
export function padded(wasm, n) {
  const name = text("padding");
  return Buffer.concat([wasm, Buffer.from([0, ...leb(name.length + n), ...name]), Buffer.alloc(n)]);
}
