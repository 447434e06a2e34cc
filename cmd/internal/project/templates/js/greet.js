// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
import * as std from "std";

let name;
try {
  name = JSON.parse(std.in.readAsString()).name;
} catch {}
if (typeof name !== "string") {
  console.error('bad input: want {"name":"..."}');
  std.exit(65);
}
console.error("greeting " + name);
print(JSON.stringify({ greeting: `Hello, ${name}!` }));
