// prelude.js: the JavaScript half of what a script sees. It is run once, before there is a script, with the functions of
// surface.c; it sets the globals and returns the modules "std" and "os" and what host.c calls.
(native) => {
  "use strict";

  // --- Showing values, as console.log does.

  const MOST_LEVELS = 3, MOST_ITEMS = 100;

  const quote = (s) => JSON.stringify(s);
  const keyName = (k) => (typeof k === "symbol" ? `[${String(k)}]` : /^[A-Za-z_$][\w$]*$/.test(k) ? k : quote(k));

  function show(value, seen = []) {
    switch (typeof value) {
      case "string": return seen.length > 0 ? quote(value) : value;
      case "bigint": return `${value}n`;
      case "number": return Object.is(value, -0) ? "-0" : String(value);
      case "function": return `[${/^class\b/.test(Function.prototype.toString.call(value)) ? "class" : "Function"}: ${value.name || "(anonymous)"}]`;
      case "object": return value === null ? "null" : showObject(value, seen);
      default: return String(value);
    }
  }

  function showObject(value, seen) {
    if (seen.includes(value)) return "[Circular]";
    if (value instanceof Error) return report(value);
    if (value instanceof Date) return isNaN(value) ? "Invalid Date" : value.toISOString();
    if (value instanceof RegExp) return String(value);
    if (value instanceof Promise) return "Promise {}";
    const name = Object.getPrototypeOf(value)?.constructor?.name ?? "";
    if (seen.length >= MOST_LEVELS) return Array.isArray(value) ? "[Array]" : `[${name || "Object"}]`;
    seen = [...seen, value];
    if (Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView))) {
      const items = Array.from(value.slice(0, MOST_ITEMS), (v) => show(v, seen));
      if (value.length > MOST_ITEMS) items.push(`... ${value.length - MOST_ITEMS} more`);
      return wrap(name === "Array" ? "" : `${name}(${value.length}) `, "[", items, "]");
    }
    if (value instanceof ArrayBuffer) return `ArrayBuffer { byteLength: ${value.byteLength} }`;
    if (value instanceof Map) return wrap(`Map(${value.size}) `, "{", Array.from(value, ([k, v]) => `${show(k, seen)} => ${show(v, seen)}`), "}");
    if (value instanceof Set) return wrap(`Set(${value.size}) `, "{", Array.from(value, (v) => show(v, seen)), "}");
    if (value instanceof String || value instanceof Number || value instanceof Boolean) return `[${name}: ${show(value.valueOf(), seen)}]`;
    const keys = Reflect.ownKeys(value).filter((k) => Object.prototype.propertyIsEnumerable.call(value, k));
    return wrap(name === "Object" ? "" : `${name || "[Object: null prototype]"} `, "{", keys.map((k) => `${keyName(k)}: ${showProperty(value, k, seen)}`), "}");
  }

  function showProperty(value, key, seen) {
    const property = Object.getOwnPropertyDescriptor(value, key);
    return property?.get ? "[Getter]" : show(value[key], seen);
  }

  function wrap(before, open, items, close) {
    if (items.length === 0) return before + open + close;
    const line = items.join(", ");
    if (line.length <= 72 && !line.includes("\n")) return open === "[" ? `${before}[ ${line} ]` : `${before}{ ${line} }`;
    return `${before}${open}\n  ${items.join(",\n").replaceAll("\n", "\n  ")}\n${close}`;
  }

  // --- Places in the source. A file may have a source map beside it (ECMA-426), as compiled TypeScript has.

  const DIGITS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  const maps = new Map();
  const pathOf = (file) => (file.startsWith("/") ? file : "/script/" + file);

  function mapOf(file) {
    if (!maps.has(file)) {
      let map = null;
      try {
        map = JSON.parse(native.loadText(pathOf(file) + ".map"));
        if (map?.version !== 3 || typeof map.mappings !== "string") map = null;
      } catch {}
      maps.set(file, map);
    }
    return maps.get(file);
  }

  // numbers decodes the base 64 VLQ numbers of a segment.
  function numbers(segment) {
    const all = [];
    for (let i = 0, value = 0, shift = 0; i < segment.length; i++) {
      const digit = DIGITS.indexOf(segment[i]);
      value += (digit & 31) << shift;
      shift += 5;
      if (digit & 32) continue;
      all.push(value & 1 ? -(value >> 1) : value >> 1);
      value = shift = 0;
    }
    return all;
  }

  // original maps a place, counted from 1, to where it was written: [file, line, column].
  function original(file, line, column) {
    const map = mapOf(file);
    if (!map) return [file, line, column];
    let found, source = 0, from = 0, at = 0;
    map.mappings.split(";").slice(0, line).forEach((segments, row) => {
      let generated = 0;
      for (const segment of segments.split(",")) {
        const [columns, sources, lines, at2] = numbers(segment);
        generated += columns ?? 0;
        if (sources === undefined) continue;
        source += sources, from += lines, at += at2;
        if (row === line - 1 && (generated <= column - 1 || !found)) found = [map.sources[source], from + 1, at + 1];
      }
    });
    return found ? [resolve(file, found[0]), found[1], found[2]] : [file, line, column];
  }

  // resolve takes a path that is relative to a file.
  function resolve(file, path) {
    const parts = [];
    for (const part of [...file.split("/").slice(0, -1), ...path.split("/")]) {
      if (part === "..") parts.pop();
      else if (part !== ".") parts.push(part);
    }
    return parts.join("/");
  }

  const PLACE = /([^\s()]+):(\d+):(\d+)(?=\)?$)/gm;
  const INTERNAL = /^.*\bprelude\.js:.*\n?/gm;

  const stackOf = (error) =>
    typeof error?.stack === "string" ? error.stack.replace(INTERNAL, "").replace(PLACE, (_, file, line, column) => original(file, +line, +column).join(":")) : "";

  // importPlace is where a file imports what could not be imported.
  function importPlace(error) {
    if (!error?.specifier) return "";
    const lines = (native.loadText(pathOf(error.importer)) ?? "").split("\n");
    for (const q of ['"', "'"]) {
      const row = lines.findIndex((l) => /\b(import|from)\b/.test(l) && l.includes(q + error.specifier + q));
      if (row >= 0) return original(error.importer, row + 1, lines[row].indexOf(q + error.specifier + q) + 1).join(":");
    }
    return error.importer;
  }

  const place = (error) => importPlace(error) || (stackOf(error).match(PLACE)?.[0] ?? "");

  function title(error) {
    if (!(error instanceof Error)) return `uncaught ${show(error, [null])}`;
    const name = String(error.name), message = String(error.message);
    return message ? `${name}: ${message}` : name;
  }

  // report is an error as console.log shows it: title, stack, own properties, cause.
  function report(error, levels = 0) {
    const lines = [title(error)];
    const stack = stackOf(error).trimEnd();
    if (stack) lines.push(stack);
    if (levels > 5) return lines.join("\n");
    for (const e of Array.isArray(error?.errors) ? error.errors.slice(0, 10) : []) lines.push("with: " + report(e, levels + 1));
    if (error?.cause !== undefined) lines.push("caused by: " + report(error.cause, levels + 1));
    return lines.join("\n");
  }

  // describe is what stderr says of an error that nobody caught: FILE:LINE:COLUMN in front, if that is known.
  function describe(error) {
    const where = place(error);
    return (where && where + ": ") + report(error);
  }

  // locate is the one line about an error that a check of the syntax found.
  const locate = (error, entry) => `${place(error) || entry + ":1:1"}: ${error instanceof Error ? error.message : title(error)}`;

  // --- console and print.

  const log = (...values) => native.log(values.map((v) => show(v)).join(" "));
  const define = (name, value) => Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });

  define("console", {
    log, debug: log, info: log, warn: log, error: log,
    trace: (...values) => log(...values, "\n" + stackOf(new Error())),
    assert: (ok, ...values) => ok || log("assertion failed", ...values),
  });
  define("print", (...values) => native.print(values.join(" ")));

  let args;
  Object.defineProperty(globalThis, "scriptArgs", {
    get: () => (args ??= native.args()),
    set: (value) => (args = value),
    configurable: true,
  });

  // --- Timers: host.c asks which one is due when nothing else is left to do.

  let timers = [], lastTimer = 0;

  function setTimer(call, delay, values, repeat) {
    if (typeof call !== "function") throw new TypeError("a timer needs a function");
    delay = Math.max(Number(delay) || 0, repeat ? 1 : 0);
    timers.push({ id: ++lastTimer, at: native.now() + delay, call, values, every: repeat ? delay : 0 });
    return lastTimer;
  }

  const setTimeout = (call, delay, ...values) => setTimer(call, delay, values, false);
  const clearTimeout = (id) => void (timers = timers.filter((t) => t.id !== id));

  const due = () => (timers.length === 0 ? -1 : Math.max(0, Math.min(...timers.map((t) => t.at)) - native.now()));

  // fire runs the timer that is due first. Others have their turn when what it started has come to rest.
  function fire() {
    const now = native.now();
    const first = timers.reduce((a, b) => (b.at < a.at ? b : a));
    if (first.at > now) return;
    if (first.every) first.at = now + first.every;
    else clearTimeout(first.id);
    first.call(...first.values);
  }

  define("setTimeout", setTimeout);
  define("clearTimeout", clearTimeout);
  define("setInterval", (call, delay, ...values) => setTimer(call, delay, values, true));
  define("clearInterval", clearTimeout);
  define("queueMicrotask", (call) => void Promise.resolve().then(() => call()));
  define("performance", { now: native.now });

  // --- Text, random numbers.

  define("TextEncoder", class TextEncoder {
    get encoding() { return "utf-8"; }
    encode(text = "") { return new Uint8Array(native.encode(text)); }
  });

  define("TextDecoder", class TextDecoder {
    constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
      if (!/^utf-?8$/i.test(label)) throw new RangeError(`there is no decoder of ${label}, only of utf-8`);
      Object.assign(this, { fatal: Boolean(fatal), ignoreBOM: Boolean(ignoreBOM) });
    }
    get encoding() { return "utf-8"; }
    decode(bytes = new ArrayBuffer(0), { stream = false } = {}) {
      if (stream) throw new TypeError("this decoder decodes whole texts only");
      return native.decode(bytes, this.fatal, this.ignoreBOM);
    }
  });

  Object.defineProperty(Math, "random", { value: native.random, writable: true, configurable: true });

  define("crypto", {
    getRandomValues(array) {
      native.fillRandom(array);
      return array;
    },
    randomUUID() {
      const bytes = this.getRandomValues(new Uint8Array(16));
      bytes[6] = (bytes[6] & 0x0f) | 0x40;
      bytes[8] = (bytes[8] & 0x3f) | 0x80;
      const hex = Array.from(bytes, (b) => b.toString(16).padStart(2, "0")).join("");
      return hex.replace(/(.{8})(.{4})(.{4})(.{4})(.{12})/, "$1-$2-$3-$4-$5");
    },
  });

  // --- The modules.

  const environ = () => Object.fromEntries(native.environ().map((v) => [v.slice(0, v.indexOf("=")), v.slice(v.indexOf("=") + 1)]));

  const std = {
    in: native.in, out: native.out, err: native.err, exit: native.exit, gc: native.gc,
    puts: native.out.puts,
    getenv: (name) => environ()[name],
    getenviron: environ,
    loadFile(path, { binary = false } = {}) {
      if (!binary) return native.loadText(pathOf(String(path)));
      const bytes = native.loadBytes(pathOf(String(path)));
      return bytes && new Uint8Array(bytes);
    },
  };

  const ENOENT = 2;
  const os = {
    now: native.now, sleep: native.sleep, setTimeout, clearTimeout,
    sleepAsync: (delay) => new Promise((done) => setTimeout(done, delay)),
    readdir(path) {
      const names = native.readdir(pathOf(String(path)));
      return names ? [names, 0] : [[], ENOENT];
    },
    platform: "wasi",
  };

  return { std, os, describe, locate, due, fire };
};
