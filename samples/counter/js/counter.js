// counter, in JavaScript: a name on stdin becomes the number of times that it was sent. The number is the key of that
// name in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit
// code 65.

import * as std from "std";
import { writeFileSync } from "fs";

const FAILED = 1;
const BAD_DATA = 65;

function fail(code, why) {
  console.error(why);
  std.exit(code);
}

const name = std.in.readAsString().replace(/\n$/, "");
if (!/^[A-Za-z0-9_-]{1,64}$/.test(name)) fail(BAD_DATA, "bad input: want a name of 1 to 64 letters, digits, - and _");

const path = "/kv/counters/" + name;
const text = std.loadFile(path) ?? "0"; // what is missing counts from 0
if (!/^[0-9]{1,15}\s*$/.test(text)) fail(FAILED, path + " is no number");
const count = Number(text) + 1;
writeFileSync(path, String(count));
print(count);
