// guestbook, in JavaScript: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty
// request writes nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.

import * as std from "std";
import { readdirSync, readFileSync, writeFileSync } from "fs";

const BAD_DATA = 65;
const FOLDER = "/kv/guests/";

const request = std.in.readAsString().replace(/\n$/, "");
if (request !== "") {
  const [, name, text] = /^([A-Za-z0-9_-]{1,64}) ([^\n\0]+)$/.exec(request) ?? [];
  if (text === undefined || new TextEncoder().encode(text).length > 200) {
    console.error("bad input: want a name of 1 to 64 letters, digits, - and _, and a text of 1 to 200 bytes");
    std.exit(BAD_DATA);
  }
  writeFileSync(FOLDER + name, text);
}
for (const name of readdirSync(FOLDER).sort()) print(`${name}: ${readFileSync(FOLDER + name, "utf8")}`);
