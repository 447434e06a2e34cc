// prelude.js: the JavaScript half of what a script sees. It is run once, before there is a script, with the functions of
// surface.c; it sets the globals and returns the modules "std" and "os" and what host.c calls.
(native) => {
  "use strict";

  // --- Showing values, as console.log of Node 20 does.

  const MOST_LEVELS = 2,
    MOST_ITEMS = 100,
    MOST_BYTES = 50,
    WIDTH = 80,
    NARROW = 72,
    NESTED = 3,
    FEW = 6;

  // quote puts a text in the quotes of which it has none.
  function quote(s) {
    const mark = !s.includes("'") ? "'" : !s.includes('"') ? '"' : !s.includes("`") && !s.includes("${") ? "`" : "'";
    const escape = {
      "\n": "\\n",
      "\t": "\\t",
      "\r": "\\r",
      "\b": "\\b",
      "\f": "\\f",
      "\v": "\\v",
      "\\": "\\\\",
      [mark]: "\\" + mark,
    };
    return (
      mark +
      s.replace(
        /[\0-\x1f\x7f-\x9f\\'"`]/g,
        (c) => escape[c] ?? (/['"`]/.test(c) ? c : "\\x" + c.charCodeAt(0).toString(16).toUpperCase().padStart(2, "0")),
      ) +
      mark
    );
  }

  const keyName = (k) => (typeof k === "symbol" ? `[${String(k)}]` : /^[A-Za-z_$][\w$]*$/.test(k) ? k : quote(k));

  // A view is what is known while a value is shown: the objects that it is in, the ones that were met again, and how deep
  // the last one was.
  const show = (value, seen) => showIn(value, { above: seen ?? [], again: [], deepest: 0, indent: 0, top: !seen });

  function showIn(value, view) {
    switch (typeof value) {
      case "string":
        return view.top ? value : quote(value);
      case "bigint":
        return `${value}n`;
      case "number":
        return Object.is(value, -0) ? "-0" : String(value);
      case "function":
        return showFunction(value, view);
      case "object":
        return value === null ? "null" : showObject({ ...view, top: false }, value, view);
      default:
        return String(value);
    }
  }

  function showFunction(value, view) {
    const source = Function.prototype.toString.call(value);
    if (/^class\b/.test(source)) {
      const base = Object.getPrototypeOf(value)?.name;
      return `[class ${value.name || "(anonymous)"}${base ? " extends " + base : ""}]`;
    }
    const kind = Object.getPrototypeOf(value)?.constructor?.name || "Function";
    const text = `[${kind}${value.name ? ": " + value.name : " (anonymous)"}]`;
    return Object.keys(value).length > 0 ? showObject({ ...view, top: false }, value, view, text) : text;
  }

  // showObject shows what is made of other values. shared is the view of all that are shown with it.
  function showObject(view, value, shared, name = "") {
    if (view.above.includes(value)) {
      if (!shared.again.includes(value)) shared.again.push(value);
      return `[Circular *${shared.again.indexOf(value) + 1}]`;
    }
    const level = view.above.length;
    view.above = [...view.above, value];
    const [before, open, parts, close] = partsOf(value, name);
    let text;
    if (parts.length === 0) text = open ? before + open + close : before;
    else if (level > MOST_LEVELS)
      return `[${before.replace(/\(\d+\) $/, "").trim() || (open === "[" ? "Array" : "Object")}]`;
    else {
      shared.deepest = level;
      const items = parts.map((part) => (typeof part === "string" ? part : part(inside(view, shared))));
      text = wrap(before, open, items, close, {
        indent: view.indent,
        level,
        deepest: shared.deepest,
        list: open === "[" ? value : null,
      });
    }
    const at = shared.again.indexOf(value);
    return at < 0 ? text : `<ref *${at + 1}> ${text}`;
  }

  // inside is the view of what is in a value: it shares what was met again.
  const inside = (view, shared) => ({
    above: view.above,
    indent: view.indent + 2,
    top: false,
    again: shared.again,
    get deepest() {
      return shared.deepest;
    },
    set deepest(n) {
      shared.deepest = n;
    },
  });

  const PLAIN = Symbol("plain");
  const nameOf = (value) => {
    for (let o = value; o; o = Object.getPrototypeOf(o)) {
      const own = Object.getOwnPropertyDescriptor(o, "constructor")?.value;
      if (typeof own === "function" && own.name) return own.name;
    }
    return PLAIN;
  };

  // partsOf is how a value is shown: what stands before it, the bracket that opens, its parts, the one that closes. A
  // part is a text, or a function that makes it of a view.
  function partsOf(value, text) {
    const name = nameOf(value),
      label = name === PLAIN ? "[Object: null prototype]" : name;
    const keys = Reflect.ownKeys(value).filter((k) => Object.prototype.propertyIsEnumerable.call(value, k));
    const listed = Array.isArray(value) || (ArrayBuffer.isView(value) && !(value instanceof DataView));
    const named = (listed ? keys.filter((k) => typeof k === "symbol" || !/^\d+$/.test(k)) : keys).map(
      (k) => (view) => `${keyName(k)}: ${showProperty(value, k, view)}`,
    );
    const flat = (shown) => (named.length > 0 ? [shown + " ", "{", named, "}"] : [shown, "", [], ""]);
    const counted = (size, parts) => [`${label}(${size}) `, "{", parts.concat(named), "}"];
    if (text) return flat(text);
    if (value instanceof Error) return flat(report(value));
    if (value instanceof Date) return flat(isNaN(value) ? "Invalid Date" : value.toISOString());
    if (value instanceof RegExp) return flat(String(value));
    if (value instanceof Promise) return ["Promise ", "{", [], "}"];
    if (label === "Buffer" && listed)
      return [
        showBuffer(value),
        "",
        [],
        "",
      ];
    if (listed) return [label === "Array" ? "" : `${label}(${value.length}) `, "[", itemsOf(value).concat(named), "]"];
    if (value instanceof ArrayBuffer) return [`ArrayBuffer { byteLength: ${value.byteLength} }`, "", [], ""];
    if (value instanceof Map)
      return counted(
        value.size,
        Array.from(
          value,
          ([k, v]) =>
            (view) =>
              `${showIn(k, view)} => ${showIn(v, view)}`,
        ),
      );
    if (value instanceof Set)
      return counted(
        value.size,
        Array.from(value, (v) => (view) => showIn(v, view)),
      );
    if (value instanceof String || value instanceof Number || value instanceof Boolean)
      return [`[${label}: ${showIn(value.valueOf(), { above: [value], again: [] })}]`, "", [], ""];
    const tag = value[Symbol.toStringTag];
    return [
      (name === "Object" ? "" : label + " ") +
        (typeof tag === "string" && tag !== name ? `${name === "Object" ? "Object " : ""}[${tag}] ` : ""),
      "{",
      named,
      "}",
    ];
  }

  function showBuffer(bytes) {
    const more = bytes.length - MOST_BYTES;
    const shown = Array.from(bytes.subarray(0, MOST_BYTES), (b) => " " + b.toString(16).padStart(2, "0")).join("");
    return `<Buffer${shown}${more > 0 ? ` ... ${more} more byte${more > 1 ? "s" : ""}` : ""}>`;
  }

  function itemsOf(list) {
    const items = [];
    for (let i = 0; i < list.length && items.length < MOST_ITEMS; i++) {
      const from = i;
      while (Array.isArray(list) && i < list.length && !(i in list)) i++;
      if (i > from) items.push(`<${i - from} empty item${i - from > 1 ? "s" : ""}>`);
      if (i < list.length && items.length < MOST_ITEMS)
        items.push(
          (
            (v) => (view) =>
              showIn(v, view)
          )(list[i]),
        );
    }
    if (list.length > MOST_ITEMS && items.length === MOST_ITEMS)
      items.push(`... ${list.length - MOST_ITEMS} more item${list.length > MOST_ITEMS + 1 ? "s" : ""}`);
    return items;
  }

  function showProperty(value, key, view) {
    const { get, set } = Object.getOwnPropertyDescriptor(value, key) ?? {};
    if (get || set) return get && set ? "[Getter/Setter]" : get ? "[Getter]" : "[Setter]";
    return showIn(value[key], view);
  }

  // wrap puts the parts of a value on one line, if they are short and not deep, or on several.
  function wrap(before, open, items, close, { indent, level, deepest, list }) {
    const rows = list && items.length > FEW ? columns(items, indent, list) : items;
    if (rows === items && deepest - level < NESTED) {
      const start = items.length + indent + open.length + before.trimEnd().length + 10;
      const length = items.reduce((n, item) => n + item.length, items.length + start);
      if (length + items.length <= WIDTH + items.length && !items.some((item) => item.includes("\n")))
        return `${before}${open} ${items.join(", ")} ${close}`;
    }
    const newline = "\n" + " ".repeat(indent);
    return `${before}${open}${newline}  ${rows.join("," + newline + "  ")}${newline}${close}`;
  }

  // columns puts the items of a long list below one another if they are short, in rows that are together about two and a
  // half times as wide as high. Numbers go to the right.
  function columns(items, indent, list) {
    const more = items.length > MOST_ITEMS ? 1 : 0,
      count = items.length - more;
    const widths = items.slice(0, count).map((item) => item.length + 2);
    const widest = Math.max(...widths),
      total = widths.reduce((a, b) => a + b, 0);
    if (widest * 3 + indent >= WIDTH || (total / widest <= 5 && widest > FEW + 2)) return items;
    const usual = Math.max(widest - 3 - Math.sqrt(widest - total / items.length), 1);
    const across = Math.min(
      Math.round(Math.sqrt(2.5 * usual * count) / usual),
      Math.floor((WIDTH - indent) / widest),
      NESTED * 4,
      15,
    );
    if (across <= 1) return items;
    const room = Array.from({ length: across }, (_, column) =>
      Math.max(...widths.filter((_, i) => i % across === column)),
    );
    const right = Array.from(list).every((v) => typeof v === "number" || typeof v === "bigint");
    const rows = [];
    for (let from = 0; from < count; from += across) {
      const row = items.slice(from, Math.min(from + across, count));
      rows.push(
        row
          .map((item, i) => {
            const last = i === row.length - 1,
              text = last ? item : item + ", ";
            return right ? text.padStart(room[i] - (last ? 2 : 0)) : last ? text : text.padEnd(room[i]);
          })
          .join(""),
      );
    }
    if (more) rows.push(items[count]);
    return rows;
  }

  // format is what console.log makes of its values: a text with %s and others takes those behind it.
  function format(values) {
    let at = 0,
      text = "";
    if (typeof values[0] === "string") {
      at = 1;
      text = values[0].replace(/%[sdifjoOc%]/g, (word) => {
        if (word === "%%") return values.length > 1 ? "%" : word;
        if (at >= values.length) return word;
        const value = values[at++];
        switch (word) {
          case "%s":
            return typeof value === "object" && value !== null && !(value instanceof Error) && !hasOwnText(value)
              ? show(value, [null, null])
              : typeof value === "bigint"
                ? `${value}n`
                : Object.is(value, -0)
                  ? "-0"
                  : String(value);
          case "%d":
            return typeof value === "object" ? "NaN" : typeof value === "bigint" ? `${value}n` : show(Number(value));
          case "%i":
            return typeof value === "object" ? "NaN" : typeof value === "bigint" ? `${value}n` : show(parseInt(value));
          case "%f":
            return typeof value === "symbol" ? "NaN" : show(parseFloat(value));
          case "%j":
            return JSON.stringify(value);
          case "%c":
            return "";
          default:
            return show(value, []);
        }
      });
      if (at === values.length) return text;
      text += " ";
    }
    return (
      text +
      values
        .slice(at)
        .map((v) => (typeof v === "string" ? v : show(v)))
        .join(" ")
    );
  }

  // hasOwnText reports whether a class of a script says how an object of it is a text.
  const hasOwnText = (value) =>
    ![Object.prototype.toString, Array.prototype.toString, Date.prototype.toString].includes(value.toString);

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
    if (line === 1 && column > WRAPPER && (tools.isLoaded(file) || native.isCommonJS(file))) column -= WRAPPER;
    const map = mapOf(file);
    if (!map) return [file, line, column];
    let found,
      source = 0,
      from = 0,
      at = 0;
    map.mappings
      .split(";")
      .slice(0, line)
      .forEach((segments, row) => {
        let generated = 0;
        for (const segment of segments.split(",")) {
          const [columns, sources, lines, at2] = numbers(segment);
          generated += columns ?? 0;
          if (sources === undefined) continue;
          ((source += sources), (from += lines), (at += at2));
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
  const INTERNAL = /^.*\b(?:prelude|node)\.js:.*\n?/gm;
  // Below a CommonJS module is one that we made, which only loads it.
  const LOADER = /^.*\bload \(node\.js:.*\n(?!.*\bnode\.js:).*\n?/gm;
  const CALLER = /^.*\b(?:call|compile) \(native\)\n(?=.*\bnode\.js:)/gm;
  const WRAPPER = "(function (exports, require, module, __filename, __dirname) {".length; // as in modules.c

  const stackOf = (error) =>
    typeof error?.stack === "string"
      ? error.stack
          .replace(CALLER, "")
          .replace(LOADER, "")
          .replace(INTERNAL, "")
          .replace(PLACE, (_, file, line, column) => original(file, +line, +column).join(":"))
      : "";

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
    const name = String(error.name),
      message = String(error.message);
    return message ? `${name}: ${message}` : name;
  }

  // What scripts for Node ask for and do not find, and why.
  const NETWORK = "a function has no network; it reads its request from stdin and writes its reply to stdout";
  const OTHERS = {
    Deno: "",
    Bun: "",
    window: "",
    document: "",
    WebAssembly: "",
    Worker: "",
    URL: "",
    URLSearchParams: "",
    AbortController: "",
    AbortSignal: "",
    Blob: "",
    FormData: "",
    structuredClone: "",
    Intl: "",
    fetch: NETWORK,
    Headers: NETWORK,
    Request: NETWORK,
    Response: NETWORK,
    WebSocket: NETWORK,
    XMLHttpRequest: NETWORK,
  };

  // hint says that this is not Node, where an error comes of that.
  function hint(error) {
    const name = error instanceof ReferenceError && /^'?(\w+)'? is not defined$/.exec(error.message)?.[1];
    if (!name || !Object.hasOwn(OTHERS, name)) return "";
    return ": this is QuickJS and not Node" + (OTHERS[name] && ": " + OTHERS[name]);
  }

  // refuseModule is the error about a module that is not there.
  const refuseModule = (how, specifier) =>
    Object.defineProperty(
      Object.assign(new Error(`cannot ${how} "${specifier}": ${native.why(specifier)}`), { code: "MODULE_NOT_FOUND" }),
      "brief",
      { value: true },
    );

  // report is an error as console.log shows it: title, stack, own properties, cause.
  function report(error, levels = 0) {
    const lines = [title(error) + hint(error)];
    const stack = error?.brief ? "" : stackOf(error).trimEnd();
    if (stack) lines.push(stack);
    if (levels > 5) return lines.join("\n");
    for (const e of Array.isArray(error?.errors) ? error.errors.slice(0, 10) : [])
      lines.push("with: " + report(e, levels + 1));
    if (error?.cause !== undefined) lines.push("caused by: " + report(error.cause, levels + 1));
    return lines.join("\n");
  }

  // describe is what stderr says of an error that nobody caught: FILE:LINE:COLUMN in front, if that is known.
  function describe(error) {
    const where = place(error);
    return (where && where + ": ") + report(error);
  }

  // locate is the one line about an error that a check of the syntax found.
  const locate = (error, entry) =>
    `${place(error) || entry + ":1:1"}: ${error instanceof Error ? error.message : title(error)}`;

  // --- print.

  const define = (name, value) =>
    Object.defineProperty(globalThis, name, { value, writable: true, configurable: true });

  define("print", (...values) => native.print(values.join(" ")));

  let args;
  Object.defineProperty(globalThis, "scriptArgs", {
    get: () => (args ??= native.args()),
    set: (value) => (args = value),
    configurable: true,
  });

  let entry;
  const entryName = () => (entry ??= native.loadText("/script/.polyvoke/entry").split(/[\r\n]/)[0]);

  // --- Timers: host.c asks which one is due when nothing else is left to do.

  let timers = [],
    lastTimer = 0;

  function setTimer(call, delay, values, repeat) {
    if (typeof call !== "function") throw new TypeError("a timer needs a function");
    delay = Math.max(Number(delay) || 0, repeat ? 1 : 0);
    timers.push({ id: ++lastTimer, at: native.now() + delay, call, values, every: repeat ? delay : 0 });
    return lastTimer;
  }

  // soon has something done when nothing else is left to do, without a look at the clock.
  function soon(call) {
    timers.push({ id: ++lastTimer, at: 0, call, values: [], every: 0 });
    return lastTimer;
  }

  const setTimeout = (call, delay, ...values) => setTimer(call, delay, values, false);
  const clearTimeout = (id) => void (timers = timers.filter((t) => t.id !== id));

  function due() {
    if (timers.length === 0) return -1;
    const first = Math.min(...timers.map((t) => t.at));
    return first === 0 ? 0 : Math.max(0, first - native.now());
  }

  // fire runs the timer that is due first. Others have their turn when what it started has come to rest.
  function fire() {
    const first = timers.reduce((a, b) => (b.at < a.at ? b : a));
    const now = first.at === 0 ? 0 : native.now();
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

  define(
    "TextEncoder",
    class TextEncoder {
      get encoding() {
        return "utf-8";
      }
      encode(text = "") {
        return new Uint8Array(native.encode(text));
      }
    },
  );

  // begun is how many bytes at the end belong to a character that is not whole.
  function begun(bytes) {
    for (let back = 1; back <= Math.min(3, bytes.length); back++) {
      const b = bytes[bytes.length - back];
      if ((b & 0xc0) === 0x80) continue;
      return (b >= 0xf0 ? 4 : b >= 0xe0 ? 3 : b >= 0xc0 ? 2 : 1) > back ? back : 0;
    }
    return 0;
  }

  define(
    "TextDecoder",
    class TextDecoder {
      #rest = []; // bytes of a character that is not whole
      #first = true; // so that only the first bytes can be a byte order mark
      constructor(label = "utf-8", { fatal = false, ignoreBOM = false } = {}) {
        if (!/^utf-?8$/i.test(label)) throw new RangeError(`there is no decoder of ${label}, only of utf-8`);
        Object.assign(this, { fatal: Boolean(fatal), ignoreBOM: Boolean(ignoreBOM) });
      }
      get encoding() {
        return "utf-8";
      }
      decode(bytes = new ArrayBuffer(0), { stream = false } = {}) {
        if (stream || this.#rest.length > 0 || !this.#first) {
          const next = ArrayBuffer.isView(bytes)
            ? new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength)
            : new Uint8Array(bytes);
          const all = new Uint8Array([...this.#rest, ...next]);
          const whole = stream ? all.length - begun(all) : all.length;
          this.#rest = Array.from(all.subarray(whole));
          bytes = all.subarray(0, whole);
        }
        const text = native.decode(bytes, this.fatal, this.ignoreBOM || !this.#first);
        this.#first = !stream || (this.#first && bytes.byteLength === 0);
        return text;
      }
    },
  );

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

  const environ = () =>
    Object.fromEntries(native.environ().map((v) => [v.slice(0, v.indexOf("=")), v.slice(v.indexOf("=") + 1)]));

  const std = {
    in: native.in,
    out: native.out,
    err: native.err,
    exit: native.exit,
    gc: native.gc,
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
    now: native.now,
    sleep: native.sleep,
    setTimeout,
    clearTimeout,
    sleepAsync: (delay) => new Promise((done) => setTimeout(done, delay)),
    readdir(path) {
      const names = native.readdir(pathOf(String(path)));
      return names ? [names, 0] : [[], ENOENT];
    },
    platform: "wasi",
    EOL: "\n",
  };

  const tools = {
    std,
    os,
    show,
    format,
    pathOf,
    resolve,
    begun,
    soon,
    clearTimeout,
    entryName,
    refuseModule,
    environ,
    args: () => globalThis.scriptArgs,
  };
  return { tools, describe, locate, due, fire };
};
