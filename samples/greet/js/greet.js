// greet, in JavaScript: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65.

import * as std from "std";

const MAX_DEPTH = 100;
const BAD_DATA = 65;

class BadInput extends Error {}

// parse reads JSON as RFC 8259 has it: of the bytes, only UTF-8; of \u escapes, only whole characters; nested MAX_DEPTH
// deep at most. JSON.parse alone lets other things pass.
function parse(bytes) {
  let text, value;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch {
    throw new BadInput("not UTF-8");
  }
  if (depthOf(text) > MAX_DEPTH) throw new BadInput("nested too deep");
  try {
    value = JSON.parse(text);
  } catch {
    throw new BadInput("not JSON");
  }
  if (hasLoneSurrogate(text)) throw new BadInput("lone surrogate");
  return value;
}

// depthOf is how deep arrays and objects are nested. It need not be right for what is not JSON.
function depthOf(text) {
  let depth = 0, deepest = 0;
  for (let i = 0; i < text.length; i++) {
    switch (text[i]) {
      case '"':
        i = endOfString(text, i);
        break;
      case "[":
      case "{":
        deepest = Math.max(deepest, ++depth);
        break;
      case "]":
      case "}":
        depth--;
    }
  }
  return deepest;
}

// endOfString is where the quote is that ends the string which begins at start.
function endOfString(text, start) {
  for (let end = text.indexOf('"', start + 1); end >= 0; end = text.indexOf('"', end + 1)) {
    let backslashes = 0;
    while (text[end - 1 - backslashes] === "\\") backslashes++;
    if (backslashes % 2 === 0) return end;
  }
  return text.length;
}

// hasLoneSurrogate looks for an escape of one half of a character, in text that is JSON.
function hasLoneSurrogate(text) {
  let wantsLow = -1; // where the second half must begin
  for (let i = text.indexOf("\\"); i >= 0; i = text.indexOf("\\", i + 2)) {
    const unit = text[i + 1] === "u" ? parseInt(text.slice(i + 2, i + 6), 16) : 0;
    const isLow = unit >= 0xdc00 && unit <= 0xdfff;
    if (isLow !== (i === wantsLow)) return true;
    if (wantsLow >= 0 && i > wantsLow) return true;
    wantsLow = unit >= 0xd800 && unit <= 0xdbff ? i + 6 : -1;
  }
  return wantsLow >= 0;
}

function nameOf(request) {
  if (typeof request !== "object" || request === null || Array.isArray(request)) throw new BadInput("not a JSON object");
  if (typeof request.name !== "string") throw new BadInput('no string member "name"');
  return request.name;
}

try {
  const name = nameOf(parse(std.in.readAsArrayBuffer()));
  console.log("greeting " + JSON.stringify(name).slice(1, -1));
  print(JSON.stringify({ greeting: `Hello, ${name}!` }));
} catch (error) {
  if (!(error instanceof BadInput)) throw error;
  console.error("bad input: " + error.message);
  std.exit(BAD_DATA);
}
