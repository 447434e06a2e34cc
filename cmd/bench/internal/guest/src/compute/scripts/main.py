# A log is made, taken apart by regular expressions, grouped, written and read as JSON, sorted and rendered; then a small
# interpreter runs a program. What is printed is a digest of all that.
import hashlib
import html
import json
import re
from collections import Counter, defaultdict
from dataclasses import dataclass

seed = 1


def below(n):
    global seed
    seed = (seed * 1103515245 + 12345) & 0x7FFFFFFF
    return (seed >> 8) % n


methods = ["GET", "PUT", "POST", "DELETE"]
log = "\n".join(
    f'10.0.{below(4)}.{below(250)} - [{i}] "{methods[below(4)]} /fn/{"abcdefgh"[below(8)]}{below(40)}?q={below(9)}" '
    f"{[200, 200, 200, 404, 500][below(5)]} {below(90000)}"
    for i in range(12000)
)


@dataclass(frozen=True)
class Request:
    ip: str
    at: int
    method: str
    path: str
    query: int
    status: int
    bytes: int

    @property
    def failed(self):
        return self.status >= 400


pattern = re.compile(r'^([\d.]+) - \[(\d+)\] "(\w+) ([^?"]+)\?q=(\d)" (\d+) (\d+)$', re.M)
requests = [
    Request(ip, int(at), method, path, int(query), int(status), int(size))
    for ip, at, method, path, query, status, size in pattern.findall(log)
]
groups = defaultdict(list)
for r in requests:
    groups[r.path].append(r)
rows = [
    {"path": p, "count": len(g), "bytes": sum(r.bytes for r in g), "failed": sum(r.failed for r in g), "ips": Counter(r.ip for r in g)}
    for p, g in groups.items()
]
rows.sort(key=lambda r: (-r["count"], r["path"]))
digest = hashlib.sha256()
document = json.dumps(rows, sort_keys=True)
digest.update(document.encode())
back = json.loads(document)
digest.update(
    "\n".join(f'<tr><td>{html.escape(r["path"])}</td><td>{r["count"]}</td><td>{html.escape("<&>".join(sorted(r["ips"])))}</td></tr>' for r in back).encode()
)


def parse(text):
    tokens = re.findall(r"[()]|[^\s()]+", text)
    at = 0

    def read():
        nonlocal at
        t = tokens[at]
        at += 1
        if t != "(":
            return int(t) if t.lstrip("-").isdigit() else t
        out = []
        while tokens[at] != ")":
            out.append(read())
        at += 1
        return out

    return read()


class Env(dict):
    def __init__(self, names=(), args=(), outer=None):
        super().__init__(zip(names, args))
        self.outer = outer

    def find(self, name):
        return self[name] if name in self else self.outer.find(name)


def evaluate(x, env):
    if isinstance(x, int):
        return x
    if isinstance(x, str):
        return env.find(x)
    if x[0] == "if":
        return evaluate(x[2] if evaluate(x[1], env) else x[3], env)
    if x[0] == "define":
        env[x[1]] = evaluate(x[2], env)
        return None
    if x[0] == "lambda":
        return lambda *args: evaluate(x[2], Env(x[1], args, env))
    f, *args = [evaluate(y, env) for y in x]
    return f(*args)


env = Env(["+", "-", "*", "%", "<"], [lambda a, b: a + b, lambda a, b: a - b, lambda a, b: a * b, lambda a, b: a % b, lambda a, b: a < b])
evaluate(parse("(define fib (lambda (n) (if (< n 2) n (+ (fib (- n 1)) (fib (- n 2))))))"), env)
evaluate(parse("(define loop (lambda (n sum) (if (< n 1) sum (loop (- n 1) (% (+ (* sum 31) n) 10007)))))"), env)
digest.update(str(evaluate(parse("(+ (fib 18) (loop 100 1))"), env)).encode())
print(digest.hexdigest()[:16])
