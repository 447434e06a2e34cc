// chat, in JavaScript: each event of a WebSocket is a run of this program. What it writes goes to all in the room, but
// for the welcome: that is for whoever comes. It keeps nothing: names come with each event, and the topic is the room.

import * as std from "std";

const BAD_DATA = 65;
const NOT_PERMITTED = 77;
const MAX_TEXT = 4096;

// load reads a file of /request; what is missing is empty.
const load = (path) => std.loadFile("/request/" + path) ?? "";

// fail says in the log what is wrong. The client learns of the code, and its connection ends.
function fail(code, why) {
  console.error(why);
  std.exit(code);
}

const text = std.in.readAsString(); // first, so that the process can be started before
const name = load("query").split("&").find((part) => part.startsWith("name="))?.slice(5) ?? "";

if (!/^[A-Za-z0-9]{1,24}$/.test(name)) {
  fail(NOT_PERMITTED, "say who you are: ?name=NAME, 1 to 24 letters and digits");
}
switch (load("headers/fn-ws")) {
  case "open":
    std.out.puts(`welcome to ${load("params/room")}, ${name}`);
    break;
  case "close":
    std.out.puts(`${name} has left`);
    break;
  case "text":
    if (new TextEncoder().encode(text).length > MAX_TEXT) fail(BAD_DATA, "a text has at most 4096 bytes");
    if (text !== "") std.out.puts(`${name}: ${text}`);
    break;
  default:
    fail(BAD_DATA, "this chat is for text");
}
