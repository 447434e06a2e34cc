// A log is made, taken apart by regular expressions, grouped, written and read as JSON, sorted and rendered; then a small
// interpreter runs a program. What is printed is a digest of all that.
let seed = 1;
const below = (n) => {
  seed = (Math.imul(seed, 1103515245) + 12345) & 0x7fffffff;
  return (seed >> 8) % n;
};
let digest = 1;
const mix = (text) => {
  for (let i = 0; i < text.length; i++) digest = Math.imul(digest ^ text.charCodeAt(i), 16777619) >>> 0;
};

const methods = ["GET", "PUT", "POST", "DELETE"];
const log = Array.from({ length: 6000 }, (_, i) =>
  `10.0.${below(4)}.${below(250)} - [${i}] "${methods[below(4)]} /fn/${"abcdefgh"[below(8)]}${below(40)}?q=${below(9)}" ` +
  `${[200, 200, 200, 404, 500][below(5)]} ${below(90000)}`).join("\n");

class Request {
  constructor(groups) {
    Object.assign(this, groups);
    this.bytes = Number(this.bytes);
    this.status = Number(this.status);
  }
  get failed() {
    return this.status >= 400;
  }
}

const pattern = /^(?<ip>[\d.]+) - \[(?<at>\d+)\] "(?<method>\w+) (?<path>[^?"]+)\?q=(?<query>\d)" (?<status>\d+) (?<bytes>\d+)$/gm;
const requests = [...log.matchAll(pattern)].map((m) => new Request(m.groups));
const groups = new Map();
for (const r of requests) {
  const g = groups.get(r.path) ?? { path: r.path, count: 0, bytes: 0, failed: 0, ips: new Set() };
  g.count++;
  g.bytes += r.bytes;
  g.failed += r.failed ? 1 : 0;
  g.ips.add(r.ip);
  groups.set(r.path, g);
}
const rows = [...groups.values()].map(({ ips, ...g }) => ({ ...g, ips: [...ips].sort() }));
rows.sort((a, b) => b.count - a.count || (a.path < b.path ? -1 : 1));
const document = JSON.stringify({ rows, total: requests.length });
mix(document);
const back = JSON.parse(document);
const escape = (s) => String(s).replace(/[&<>]/g, (c) => ({ "&": "&amp;", "<": "&lt;", ">": "&gt;" })[c]);
mix(back.rows.map((r) => `<tr><td>${escape(r.path)}</td><td>${r.count}</td><td>${r.bytes}</td><td>${escape(r.ips.join("<&>"))}</td></tr>`).join("\n"));

// parse turns an expression of LISP into a tree.
function parse(text) {
  const tokens = text.match(/[()]|[^\s()]+/g);
  let at = 0;
  const read = () => {
    const t = tokens[at++];
    if (t !== "(") return /^-?\d+$/.test(t) ? Number(t) : t;
    const list = [];
    while (tokens[at] !== ")") list.push(read());
    at++;
    return list;
  };
  return read();
}

const builtin = new Map(Object.entries({
  "+": (a, b) => a + b, "-": (a, b) => a - b, "*": (a, b) => a * b, "%": (a, b) => a % b, "<": (a, b) => a < b,
}));

// evaluate runs a tree in an environment.
function evaluate(x, env) {
  if (typeof x === "number") return x;
  if (typeof x === "string") {
    for (let e = env; e; e = e.outer) if (e.names.has(x)) return e.names.get(x);
    throw new Error("no " + x);
  }
  const [head, ...rest] = x;
  switch (head) {
    case "if":
      return evaluate(evaluate(rest[0], env) ? rest[1] : rest[2], env);
    case "define":
      return env.names.set(rest[0], evaluate(rest[1], env));
    case "lambda":
      return (...args) => evaluate(rest[1], { outer: env, names: new Map(rest[0].map((n, i) => [n, args[i]])) });
  }
  const f = evaluate(head, env);
  return f(...rest.map((r) => evaluate(r, env)));
}
const env = { names: builtin };
evaluate(parse("(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))"), env);
evaluate(parse("(define loop (lambda (n sum) (if (< n 1) sum (loop (- n 1) (% (+ (* sum 31) n) 10007)))))"), env);
mix(String(evaluate(parse("(+ (fib 17) (loop 100 1))"), env)));
console.log(digest.toString(16));
