// node.js: the words of Node that people type first. It is run once, behind prelude.js, with the functions of surface.c
// and what prelude.js returned; it sets globals, and returns modules by their names. What it does is what Node 20 does.
// Nothing is there that only pretends: nobody could tell a server that never listens from one that does.
(native, tools) => {
  "use strict";

  const { std, os, show, format, pathOf, resolve, begun, soon, clearTimeout, entryName, refuseModule, environ, args } =
    tools;

  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });

  // --- Buffer: bytes that know encodings.

  const BASE64 = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

  function toBase64(bytes, digits = BASE64, pad = "=") {
    let out = "";
    for (let i = 0; i < bytes.length; i += 3) {
      const left = bytes.length - i;
      const n = (bytes[i] << 16) | ((bytes[i + 1] ?? 0) << 8) | (bytes[i + 2] ?? 0);
      out +=
        digits[n >> 18] +
        digits[(n >> 12) & 63] +
        (left > 1 ? digits[(n >> 6) & 63] : pad) +
        (left > 2 ? digits[n & 63] : pad);
    }
    return out;
  }

  function fromBase64(text) {
    const bytes = [];
    let bits = 0,
      n = 0;
    for (const c of text) {
      if (c === "=") break;
      const digit = BASE64.indexOf(c === "-" ? "+" : c === "_" ? "/" : c);
      if (digit < 0) continue;
      n = ((n << 6) | digit) & 0xffffff;
      bits += 6;
      if (bits >= 8) bytes.push((n >> (bits -= 8)) & 0xff);
    }
    return bytes;
  }

  function fromHex(text) {
    const bytes = [];
    for (let i = 0; i + 1 < text.length && /^[\da-f]{2}$/i.test(text.slice(i, i + 2)); i += 2)
      bytes.push(parseInt(text.slice(i, i + 2), 16));
    return bytes;
  }

  const latin1 = (bytes, mask) => Array.from(bytes, (b) => String.fromCharCode(b & mask)).join("");
  const codes = (text) => Array.from({ length: text.length }, (_, i) => text.charCodeAt(i) & 0xff);

  // Each encoding: bytes to text, text to bytes.
  const utf8 = { decode: (b) => native.decode(b, false, true), encode: (s) => new Uint8Array(native.encode(s)) };
  const binary = { decode: (b) => latin1(b, 0xff), encode: codes };
  const encodings = {
    utf8: utf8,
    "utf-8": utf8,
    latin1: binary,
    binary: binary,
    ascii: { decode: (b) => latin1(b, 0x7f), encode: codes },
    hex: { decode: (b) => Array.from(b, (v) => v.toString(16).padStart(2, "0")).join(""), encode: fromHex },
    base64: { decode: (b) => toBase64(b), encode: fromBase64 },
    base64url: { decode: (b) => toBase64(b, BASE64.slice(0, 62) + "-_", ""), encode: fromBase64 },
  };

  function encoding(name) {
    const found = encodings[String(name ?? "utf8").toLowerCase()];
    if (!found) throw coded(new TypeError(`Unknown encoding: ${name}`), "ERR_UNKNOWN_ENCODING");
    return found;
  }

  const coded = (error, code, more) => Object.assign(error, { code }, more);

  class Buffer extends Uint8Array {
    static from(value, second, length) {
      if (typeof value === "string") return Buffer.from(encoding(second).encode(value));
      if (value instanceof ArrayBuffer) return new Buffer(value, second, length);
      const bytes =
        Array.isArray(value) || ArrayBuffer.isView(value) ? value : value?.type === "Buffer" ? value.data : null;
      if (!bytes)
        throw coded(
          new TypeError("Buffer.from takes a string, an array, a buffer or a typed array"),
          "ERR_INVALID_ARG_TYPE",
        );
      const b = new Buffer(bytes.length);
      b.set(bytes);
      return b;
    }
    static alloc(size, fill) {
      const b = new Buffer(size);
      return fill === undefined ? b : b.fill(typeof fill === "string" ? fill.charCodeAt(0) : fill);
    }
    static allocUnsafe(size) {
      return new Buffer(size);
    }
    static isBuffer(value) {
      return value instanceof Buffer;
    }
    static isEncoding(name) {
      return String(name).toLowerCase() in encodings;
    }
    static byteLength(value, name) {
      return typeof value === "string" ? encoding(name).encode(value).length : value.byteLength;
    }
    static concat(list, total) {
      const all = new Buffer(total ?? list.reduce((n, b) => n + b.length, 0));
      let at = 0;
      for (const b of list) {
        const part = b.subarray(0, all.length - at);
        all.set(part, at);
        at += part.length;
      }
      return all;
    }
    static compare(a, b) {
      for (let i = 0; i < a.length && i < b.length; i++) if (a[i] !== b[i]) return a[i] < b[i] ? -1 : 1;
      return Math.sign(a.length - b.length);
    }
    toString(name, from = 0, to = this.length) {
      return encoding(name).decode(this.subarray(from, to));
    }
    toJSON() {
      return { type: "Buffer", data: Array.from(this) };
    }
    equals(other) {
      return Buffer.compare(this, other) === 0;
    }
    compare(other) {
      return Buffer.compare(this, other);
    }
    slice(from, to) {
      return this.subarray(from, to);
    }
    write(text, at = 0) {
      const bytes = utf8.encode(String(text)).subarray(0, this.length - at);
      this.set(bytes, at);
      return bytes.length;
    }
    copy(to, at = 0, from = 0, end = this.length) {
      const part = this.subarray(from, Math.min(end, from + to.length - at));
      to.set(part, at);
      return part.length;
    }
  }

  define("Buffer", Buffer);
  define("btoa", (text) => toBase64(codes(String(text))));
  define("atob", (text) => binary.decode(fromBase64(String(text))));

  // bytesOf is what is written of a value: the bytes of a view, or the text.
  function bytesOf(value, name) {
    if (typeof value === "string") return !name || encoding(name) === utf8 ? value : Buffer.from(value, name);
    if (ArrayBuffer.isView(value)) return new Uint8Array(value.buffer, value.byteOffset, value.byteLength);
    throw coded(
      new TypeError(`what is written must be a string, a Buffer or a typed array, and not ${show(value, [null])}`),
      "ERR_INVALID_ARG_TYPE",
    );
  }

  // --- EventEmitter.

  class EventEmitter {
    #listeners = new Map();
    on(event, call) {
      if (typeof call !== "function") throw new TypeError("a listener must be a function");
      this.#listeners.set(event, [...this.listeners(event), call]);
      return this;
    }
    addListener(event, call) {
      return this.on(event, call);
    }
    once(event, call) {
      const one = (...values) => (this.off(event, one), call.apply(this, values));
      one.listener = call;
      return this.on(event, one);
    }
    off(event, call) {
      const all = this.listeners(event),
        at = all.findLastIndex((l) => l === call || l.listener === call);
      this.#listeners.set(
        event,
        all.filter((_, i) => i !== at),
      );
      return this;
    }
    removeListener(event, call) {
      return this.off(event, call);
    }
    removeAllListeners(event) {
      if (event === undefined) this.#listeners.clear();
      else this.#listeners.delete(event);
      return this;
    }
    listeners(event) {
      return this.#listeners.get(event) ?? [];
    }
    listenerCount(event) {
      return this.listeners(event).length;
    }
    emit(event, ...values) {
      const all = this.listeners(event);
      if (event === "error" && all.length === 0) throw values[0];
      for (const call of all) call.apply(this, values);
      return all.length > 0;
    }
  }
  EventEmitter.EventEmitter = EventEmitter;

  // --- process.stdin. It reads when a script wants data and nothing else is left to do. A read waits for the caller.

  const CHUNK = 64 << 10;

  class Stdin extends EventEmitter {
    fd = 0;
    readable = true;
    readableEnded = false;
    #encoding = null;
    #rest = new Buffer(0); // of a character that is not whole
    #flowing = null;
    #timer = 0;
    #over = false;

    setEncoding(name = "utf8") {
      encoding(name);
      this.#encoding = String(name);
      return this;
    }

    // #next returns the next piece, or null at the end.
    #next() {
      for (;;) {
        if (this.#over) return null;
        const room = new Buffer(CHUNK),
          n = native.in.readSome(room);
        this.#over = n === 0;
        const bytes = room.subarray(0, n);
        if (!this.#encoding) return n > 0 ? Buffer.from(bytes) : null;
        const all = Buffer.concat([this.#rest, bytes]);
        const whole = encoding(this.#encoding) === utf8 && !this.#over ? all.length - begun(all) : this.#even(all);
        this.#rest = Buffer.from(all.subarray(whole));
        if (whole > 0) return all.toString(this.#encoding, 0, whole);
      }
    }

    // #even is how many bytes can be shown: in base64 three at a time.
    #even(all) {
      return !this.#over && /^base64/i.test(this.#encoding) ? all.length - (all.length % 3) : all.length;
    }

    #soon(call) {
      clearTimeout(this.#timer);
      this.#timer = soon(call);
    }

    #end() {
      if (this.readableEnded) return;
      this.readableEnded = true;
      this.readable = false;
      this.emit("end");
      this.emit("close");
    }

    #pump = () => {
      if (!this.#flowing) return;
      const piece = this.#next();
      if (piece === null) return this.#end();
      this.emit("data", piece);
      if (this.#flowing) this.#soon(this.#pump);
    };

    on(event, call) {
      super.on(event, call);
      if (event === "data" && this.#flowing !== false) this.resume();
      if (event === "readable") this.#soon(() => this.#offer());
      return this;
    }

    // #offer says that there is something to read, until the end has been read.
    #offer() {
      if (!this.#over) this.emit("readable");
      if (this.#over) this.#end();
      else if (this.listenerCount("readable") > 0) this.#soon(() => this.#offer());
    }

    read() {
      return this.#next();
    }

    resume() {
      this.#flowing = true;
      this.#soon(this.#pump);
      return this;
    }

    pause() {
      this.#flowing = false;
      return this;
    }

    isPaused() {
      return this.#flowing === false;
    }

    pipe(to) {
      this.on("data", (piece) => to.write(piece));
      this.on("end", () => to.end?.());
      return to;
    }

    async *[Symbol.asyncIterator]() {
      for (let piece; (piece = this.#next()) !== null;) yield piece;
      this.#end();
    }

    async toArray() {
      const all = [];
      for await (const piece of this) all.push(piece);
      return all;
    }

    unref() {
      return this;
    }
    ref() {
      return this;
    }
  }

  class Output extends EventEmitter {
    #to;
    writable = true;
    constructor(fd, to) {
      super();
      this.fd = fd;
      this.#to = to;
    }
    write(value, name, done) {
      const bytes = bytesOf(value, typeof name === "string" ? name : "");
      if (typeof bytes === "string") this.#to.puts(bytes);
      else this.#to.write(bytes);
      const call = typeof name === "function" ? name : done;
      if (call) queueMicrotask(() => call());
      return true;
    }
    end(value, name, done) {
      if (typeof value === "function") [value, done] = [undefined, value];
      if (value !== undefined && value !== null) this.write(value, name, done);
      else if (done) queueMicrotask(() => done());
      return this;
    }
  }

  // --- process.

  let argv,
    env,
    ticks = [];

  // tick runs what was left for now, and reports whether there was anything.
  function tick() {
    const now = ticks;
    ticks = [];
    for (const call of now) call();
    return now.length > 0;
  }

  const begin = { at: undefined };

  function hrtime(since) {
    const now = native.now() * 1e6;
    let s = Math.floor(now / 1e9),
      ns = Math.floor(now % 1e9);
    if (since && (ns -= since[1]) < 0) [s, ns] = [s - 1, ns + 1e9];
    return [since ? s - since[0] : s, ns];
  }
  hrtime.bigint = () => BigInt(Math.floor(native.now() * 1e6));

  class Process extends EventEmitter {
    exitCode = undefined;
    platform = "wasi";
    arch = "wasm32";
    pid = 1;
    title = "quickjs";
    version = "";
    versions = { quickjs: "2025-04-26" };
    release = { name: "quickjs" };
    execArgv = [];
    execPath = "quickjs";
    stdin = new Stdin();
    stdout = new Output(1, native.out);
    stderr = new Output(2, native.err);
    hrtime = hrtime;

    get argv() {
      return (argv ??= ["quickjs", "/script/" + entryName(), ...args().slice(1)]);
    }
    set argv(value) {
      argv = value;
    }
    get argv0() {
      return "quickjs";
    }
    get env() {
      return (env ??= environ());
    }
    set env(value) {
      env = value;
    }

    cwd() {
      return "/script";
    }
    uptime() {
      return (native.now() - (begin.at ??= native.now())) / 1000;
    }
    nextTick(call, ...values) {
      ticks.push(() => call(...values));
    }
    emitWarning(warning) {
      native.log(`Warning: ${warning?.message ?? warning}`);
    }
    exit(code) {
      native.exit(this.finish(code));
    }

    // finish tells listeners that the process ends, and returns the exit code.
    finish(code = this.exitCode ?? 0) {
      this.exitCode = Number(code) | 0;
      if (!this.finished) {
        Object.defineProperty(this, "finished", { value: true });
        this.emit("exit", this.exitCode);
      }
      return Number(this.exitCode) & 0xff;
    }
  }
  Object.defineProperty(Process.prototype, Symbol.toStringTag, { value: "process" });
  const process = new Process();
  define("process", process);
  define("setImmediate", (call, ...values) => soon(() => call(...values)));
  define("clearImmediate", clearTimeout);
  define("global", globalThis);

  // --- fs: stdin, stdout and stderr, the files of the script, which nobody can change, and those of grants.

  const STREAMS = { "/dev/stdin": 0, "/dev/stdout": 1, "/dev/stderr": 2 };

  const STORES = { w: 0, a: 1, wx: 2 }; // as native.store has them
  const ERRNOS = {
    2: ["EACCES", "permission denied"],
    20: ["EEXIST", "file already exists"],
    22: ["EFBIG", "file too large"],
    28: ["EINVAL", "invalid argument"],
    31: ["EISDIR", "illegal operation on a directory"],
    37: ["ENAMETOOLONG", "name too long"],
    44: ["ENOENT", "no such file or directory"],
    51: ["ENOSPC", "no space left on device"],
    54: ["ENOTDIR", "not a directory"],
    55: ["ENOTEMPTY", "directory not empty"],
    63: ["EPERM", "operation not permitted"],
    69: ["EROFS", "read-only file system"],
  };

  const failed = (code, why, call, path) =>
    coded(new Error(`${code}: ${why}, ${call}${path === undefined ? "" : ` '${path}'`}`), code, {
      syscall: call,
      ...(path === undefined ? {} : { path }),
    });

  const nameOf = (path) =>
    ArrayBuffer.isView(path) ? native.decode(path, false, true) : String(path).replace(/^file:\/\//, "");
  const streamOf = (path) => (typeof path === "number" ? path : STREAMS[nameOf(path)]);

  function readFileSync(path, options) {
    const name = typeof options === "string" ? options : options?.encoding;
    const fd = streamOf(path);
    if (fd !== undefined && fd !== 0) throw failed("EBADF", "bad file descriptor", "read");
    const bytes = fd === 0 ? native.in.readAsArrayBuffer() : native.loadBytes(pathOf(nameOf(path)));
    if (!bytes) throw missing(nameOf(path), "open");
    const b = new Buffer(bytes);
    return name && name !== "buffer" ? b.toString(name) : b;
  }

  function missing(path, call) {
    if (native.readdir(pathOf(path))) return failed("EISDIR", "illegal operation on a directory", "read");
    return failed("ENOENT", "no such file or directory", call, path);
  }

  function writeFileSync(path, value, options) {
    const fd = streamOf(path);
    const name = typeof options === "string" ? options : (options?.encoding ?? "");
    if (fd !== undefined) return void output(fd).write(value, name);
    const how = STORES[options?.flag ?? "w"];
    if (how === undefined) throw failed("EINVAL", "invalid argument", "open", nameOf(path));
    done(native.store(pathOf(nameOf(path)), bytesOf(value, name), how), "open", nameOf(path));
  }

  const appendFileSync = (path, value, options) =>
    writeFileSync(path, value, { flag: "a", ...(typeof options === "string" ? { encoding: options } : options) });
  const unlinkSync = (path) => done(native.remove(pathOf(nameOf(path))), "unlink", nameOf(path));

  // done throws what a number of WASI preview1 says.
  function done(errno, call, path) {
    if (errno !== 0) throw failed(...(ERRNOS[errno] ?? ["EIO", "i/o error"]), call, path);
  }

  function output(fd) {
    if (fd === 1) return process.stdout;
    if (fd === 2) return process.stderr;
    throw failed("EBADF", "bad file descriptor", "write");
  }

  function readSync(fd, buffer, offset, length) {
    if (fd !== 0) throw failed("EBADF", "bad file descriptor", "read");
    if (typeof offset === "object" && offset !== null) ({ offset, length } = offset);
    offset ??= 0;
    return native.in.readSome(buffer, offset, length ?? buffer.byteLength - offset);
  }

  function writeSync(fd, value, second, length) {
    const bytes = bytesOf(value, typeof second === "string" ? second : "");
    const part =
      typeof bytes === "string"
        ? utf8.encode(bytes)
        : bytes.subarray(second ?? 0, length === undefined ? undefined : (second ?? 0) + length);
    output(fd).write(part);
    return part.length;
  }

  const existsSync = (path) => {
    const full = pathOf(nameOf(path));
    return streamOf(path) !== undefined || native.loadBytes(full) !== null || native.readdir(full) !== null;
  };

  function readdirSync(path) {
    const names = native.readdir(pathOf(nameOf(path)));
    if (!names) throw failed("ENOENT", "no such file or directory", "scandir", nameOf(path));
    return names.filter((n) => n !== "." && n !== ".." && n !== ".polyvoke").sort();
  }

  const later =
    (call) =>
    async (...values) =>
      call(...values);
  const promises = {
    readFile: later(readFileSync),
    writeFile: later(writeFileSync),
    appendFile: later(appendFileSync),
    unlink: later(unlinkSync),
    readdir: later(readdirSync),
  };

  // called makes a function with a callback of one that returns.
  const called =
    (call) =>
    (...values) => {
      const done = values.pop();
      let error = null,
        result;
      try {
        result = call(...values);
      } catch (e) {
        error = e;
      }
      soon(() => (error ? done(error) : done(null, result)));
    };

  const fs = {
    readFileSync,
    writeFileSync,
    appendFileSync,
    unlinkSync,
    readSync,
    writeSync,
    existsSync,
    readdirSync,
    promises,
    readFile: called(readFileSync),
    writeFile: called(writeFileSync),
    appendFile: called(appendFileSync),
    unlink: called(unlinkSync),
    readdir: called(readdirSync),
  };

  // --- readline: lines of stdin.

  class Interface extends EventEmitter {
    #rest = "";
    #input;
    #output;
    #lines = []; // that came while nobody listened
    #closed = false;
    constructor(options) {
      super();
      this.#input = options.input ?? process.stdin;
      this.#output = options.output;
      this.terminal = false;
    }
    on(event, call) {
      const first = event === "line" && this.listenerCount("line") === 0;
      super.on(event, call);
      if (first) this.#start();
      return this;
    }
    #start() {
      this.#input.setEncoding("utf8");
      this.#input.on("data", (piece) => {
        const lines = (this.#rest + piece).split(/\r?\n/);
        this.#rest = lines.pop();
        for (const line of lines) if (!this.#closed) this.emit("line", line);
      });
      this.#input.on("end", () => {
        if (this.#rest !== "" && !this.#closed) this.emit("line", this.#rest);
        this.close();
      });
    }
    close() {
      if (this.#closed) return;
      this.#closed = true;
      this.#input.pause();
      this.emit("close");
    }
    prompt() {}
    setPrompt() {}
    question(text, options, answer = options) {
      this.#output?.write(text);
      const line = this.#line();
      soon(() => answer(line ?? ""));
    }
    // #line reads one line now.
    #line() {
      this.#input.setEncoding("utf8");
      for (;;) {
        const at = this.#rest.indexOf("\n");
        if (at >= 0) {
          const line = this.#rest.slice(0, at);
          this.#rest = this.#rest.slice(at + 1);
          return line.replace(/\r$/, "");
        }
        const piece = this.#input.read();
        if (piece === null) {
          const line = this.#rest === "" ? null : this.#rest;
          this.#rest = "";
          return line;
        }
        this.#rest += piece;
      }
    }
    async *[Symbol.asyncIterator]() {
      for (let line; !this.#closed && (line = this.#line()) !== null;) yield line;
      this.close();
    }
  }
  const readline = {
    createInterface: (input, to) => new Interface(input instanceof EventEmitter ? { input, output: to } : input),
    Interface,
  };

  const consumers = {
    text: async (stream) => (await consumers.buffer(stream)).toString(),
    json: async (stream) => JSON.parse(await consumers.text(stream)),
    buffer: async (stream) => {
      const all = [];
      for await (const piece of stream) all.push(typeof piece === "string" ? Buffer.from(piece) : piece);
      return Buffer.concat(all);
    },
    arrayBuffer: async (stream) => new Uint8Array(await consumers.buffer(stream)).buffer,
  };

  // --- require: the modules here, and files of the script as CommonJS.

  const modules = {
    fs: fs,
    "fs/promises": promises,
    process: process,
    buffer: { Buffer, atob: globalThis.atob, btoa: globalThis.btoa },
    events: EventEmitter,
    readline: readline,
    "stream/consumers": consumers,
    std: std,
    os: os,
  };

  const QUICKJS = { std, os }; // which Node has not, or in another way

  const loaded = new Map(); // CommonJS modules by their names
  tools.isLoaded = (name) => loaded.has(name);
  let main;

  // candidates are the files that a path means to require.
  const candidates = (name) => [name, name + ".js", name + ".cjs", name + ".json", name + "/index.js"];

  function requireFrom(importer) {
    const require = (specifier) => {
      if (typeof specifier !== "string") throw new TypeError("require takes the name of a module");
      const builtin = specifier.replace(/^node:/, "");
      if (Object.hasOwn(modules, builtin) && !(builtin !== specifier && Object.hasOwn(QUICKJS, builtin)))
        return modules[builtin];
      if (!/^\.{0,2}\//.test(specifier) && specifier !== "." && specifier !== "..")
        throw refuseModule("require", specifier);
      const name = specifier.startsWith("/") ? specifier.replace(/^\/script\//, "") : resolve(importer, specifier);
      const found = candidates(name).find((c) => native.loadBytes(pathOf(c)) !== null);
      if (!found) throw coded(new Error(`cannot require "${specifier}": there is no such file`), "MODULE_NOT_FOUND");
      return load(found);
    };
    require.main = main;
    require.cache = {};
    require.resolve = (specifier) => specifier;
    return require;
  }

  // load runs a CommonJS module, once, and returns its exports. The first is the main module, if it is the entry.
  function load(path) {
    const name = path.replace(/^\/script\//, "");
    if (loaded.has(name)) return loaded.get(name).exports;
    const filename = pathOf(name);
    const module = {
      id: name === entryName() ? "." : filename,
      filename,
      path: filename.replace(/\/[^/]*$/, ""),
      exports: {},
      loaded: false,
      children: [],
      paths: [],
    };
    loaded.set(name, module);
    if (name === entryName()) main = module;
    if (name.endsWith(".json")) {
      module.exports = JSON.parse(native.loadText(filename));
    } else {
      module.require = requireFrom(name);
      native.compile(name).call(module.exports, module.exports, module.require, module, module.filename, module.path);
    }
    module.loaded = true;
    return module.exports;
  }

  const createRequire = (from) => requireFrom(nameOf(from).replace(/^\/script\//, ""));
  modules.module = { createRequire };
  let own; // made when it is first called: it looks at the name of the script
  define(
    "require",
    Object.assign((specifier) => (own ??= requireFrom(entryName()))(specifier), { main: undefined, cache: {} }),
  );

  // --- console: to stdout and to stderr, as in Node.

  let indent = "";
  const counts = new Map(),
    timers = new Map();
  const indented = (text) => (indent ? indent + text.replaceAll("\n", "\n" + indent) : text);
  const log = (...values) => native.print(indented(format(values)));
  const error = (...values) => native.log(indented(format(values)));
  const took = (label) => `${label}: ${(native.now() - timers.get(label)).toFixed(3)}ms`;

  define("console", {
    log,
    info: log,
    debug: log,
    dir: (value) => log(show(value, [])),
    error,
    warn: error,
    trace: (...values) =>
      error("Trace: " + format(values) + "\n" + new Error().stack.replace(/^.*(?:prelude|node)\.js:.*\n?/gm, "")),
    assert: (ok, ...values) =>
      void (ok || error("Assertion failed" + (values.length > 0 ? ": " + format(values) : ""))),
    group: (...values) => {
      if (values.length > 0) log(...values);
      indent += "  ";
    },
    groupEnd: () => void (indent = indent.slice(2)),
    count: (label = "default") => {
      counts.set(label, (counts.get(label) ?? 0) + 1);
      log(`${label}: ${counts.get(label)}`);
    },
    countReset: (label = "default") => void counts.delete(label),
    time: (label = "default") => void timers.set(label, native.now()),
    timeLog: (label = "default", ...values) => timers.has(label) && log(took(label), ...values),
    timeEnd: (label = "default") => {
      if (timers.has(label)) log(took(label));
      timers.delete(label);
    },
  });

  // --- The same for import: each with its parts by their names, and as a whole as the default.

  // late is an object that is filled when it is looked at.
  function late(target, make) {
    const filled = () => (make && (Object.assign(target, make()), (make = null)), target);
    const traps = ["get", "has", "ownKeys", "getOwnPropertyDescriptor", "deleteProperty"].map((trap) => [
      trap,
      (_, key) => Reflect[trap](filled(), key),
    ]);
    return new Proxy(target, {
      ...Object.fromEntries(traps),
      set: (_, key, value) => Reflect.set(filled(), key, value),
    });
  }

  const whole = (value, parts = value) => ({ ...parts, default: value });
  const imports = {
    fs: whole(fs),
    "fs/promises": whole(promises),
    buffer: whole(modules.buffer),
    readline: whole(readline),
    "stream/consumers": whole(consumers),
    events: whole(EventEmitter, { EventEmitter }),
    module: whole(modules.module),
    process: whole(process, {
      stdin: process.stdin,
      stdout: process.stdout,
      stderr: process.stderr,
      platform: process.platform,
      hrtime,
      exit: (code) => process.exit(code),
      cwd: process.cwd,
      nextTick: process.nextTick,
      argv: late([], () => process.argv),
      env: late({}, () => process.env),
    }),
  };
  const all = { std, os, "polyvoke:commonjs": { load } };
  for (const [name, module] of Object.entries(imports)) all[name] = all["node:" + name] = module;

  return { modules: all, tick, finish: () => process.finish() };
};
