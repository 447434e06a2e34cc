// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
import * as std from "std";

let request: { name?: unknown } | null = null;
try {
  request = JSON.parse(std.in.readAsString());
} catch {}
if (typeof request?.name !== "string") {
  console.error('bad input: want {"name":"..."}');
  std.exit(65);
}
console.error("greeting " + request.name);
print(JSON.stringify({ greeting: `Hello, ${request.name}!` }));
