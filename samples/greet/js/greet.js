// greet, in JavaScript: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65.

import * as std from "std";

const MAX_DEPTH = 100;
const BAD_DATA = 65;

// SPECIAL is what ends the plain text in a JSON string. ESCAPE is an escape there; of a character's two halves, both.
const SPECIAL = /["\\]/g;
const ESCAPE =
  /\\(?:["\\/bfnrt]|u(?![dD][89a-fA-F])[0-9a-fA-F]{4}|u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})/y;

class BadInput extends Error {}

// parse reads JSON, strictly as RFC 8259 has it.
function parse(bytes) {
  let text, value;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
    value = JSON.parse(text);
  } catch (error) {
    throw new BadInput("not JSON: " + error.message.replaceAll("\n", " "));
  }
  check(text);
  return value;
}

// check refuses what JSON.parse has let pass: deep nesting, the number "1.", other languages' escapes, half characters.
function check(text) {
  let depth = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text.charCodeAt(i)) {
      case 0x22: // a string
        i = endOfString(text, i + 1);
        break;
      case 0x5b: // [
      case 0x7b: // {
        if (++depth > MAX_DEPTH) throw new BadInput("nested too deep");
        break;
      case 0x5d: // ]
      case 0x7d: // }
        depth--;
        break;
      case 0x2e: // the point of a number
        if (!/[0-9]/.test(text[i + 1])) throw new BadInput("bad number");
    }
  }
}

// endOfString is where the string ends in which i is.
function endOfString(text, i) {
  for (;;) {
    SPECIAL.lastIndex = i;
    SPECIAL.test(text);
    i = SPECIAL.lastIndex - 1;
    if (text[i] === '"') return i;
    ESCAPE.lastIndex = i;
    if (!ESCAPE.test(text)) throw new BadInput("bad escape");
    i = ESCAPE.lastIndex;
  }
}

function nameOf(request) {
  if (typeof request !== "object" || request === null || Array.isArray(request)) throw new BadInput("not a JSON object");
  if (typeof request.name !== "string") throw new BadInput('no string member "name"');
  return request.name;
}

try {
  const name = nameOf(parse(std.in.readAsArrayBuffer()));
  console.error("greeting " + JSON.stringify(name).slice(1, -1));
  print(JSON.stringify({ greeting: `Hello, ${name}!` }));
} catch (error) {
  if (!(error instanceof BadInput)) throw error;
  console.error("bad input: " + error.message);
  std.exit(BAD_DATA);
}
