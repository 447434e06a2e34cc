// todo, in JavaScript: lists of things to do, which all pages that show a list see change. An item is the key LIST/ID
// of the bucket todos. A call is a transaction, so changes at the same moment lose nothing; what is published is sent when
// it is committed. The manifest has the routes.

import * as std from "std";
import { readdirSync, readFileSync, unlinkSync, writeFileSync } from "fs";

const BAD_DATA = 65;
const NO_INPUT = 66;
const MAX_TEXT = 200; // bytes
const MAX_ITEMS = 500; // of a list
const NAME = /^[A-Za-z0-9_-]{1,64}$/;

// about returns a file of /request; what is missing is empty.
const about = (path) => std.loadFile("/request/" + path) ?? "";

// fail says in the log what is wrong, and ends the process: nothing is changed then.
function fail(code, why) {
  console.error(why);
  std.exit(code);
}

// An item has text, done, and n, which counts its changes: whoever hears of two knows which is the later one.
const read = (file) => JSON.parse(readFileSync(file, "utf8"));

function items(folder) {
  let ids = [];
  try {
    ids = readdirSync(folder).sort(); // which is their order in time
  } catch (e) {
    if (e.code !== "ENOENT") throw e; // a list without items is none
  }
  return ids.map((id) => ({ id, ...read(`${folder}/${id}`) }));
}

// newID begins with the time in milliseconds.
function newID() {
  const random = crypto.getRandomValues(new Uint8Array(6));
  return Date.now().toString(16).padStart(12, "0") + Buffer.from(random).toString("hex");
}

// save writes an item, tells all pages, and returns what it tells.
function save(list, id, item) {
  writeFileSync(`/kv/todos/${list}/${id}`, JSON.stringify(item));
  return tell(list, { put: { id, ...item } });
}

function tell(list, change) {
  const text = JSON.stringify(change);
  writeFileSync("/pub/todo." + list, text);
  return text;
}

// wanted reads the body of a request.
function wanted(body) {
  let v;
  try {
    v = JSON.parse(body);
  } catch {
    fail(BAD_DATA, "bad input: the body is no JSON");
  }
  const text = v?.text?.trim?.();
  const long = (s) => new TextEncoder().encode(s).length > MAX_TEXT;
  if (text !== undefined && (text === "" || /[\0-\x1f\x7f]/.test(text) || long(text))) {
    fail(BAD_DATA, `bad input: text must be a line of 1 to ${MAX_TEXT} bytes`);
  }
  return { text, done: v?.done };
}

function add(list, body) {
  const { text } = wanted(body);
  if (text === undefined) fail(BAD_DATA, 'bad input: want {"text": "..."}');
  if (items(`/kv/todos/${list}`).length >= MAX_ITEMS)
    fail(BAD_DATA, `bad input: a list has at most ${MAX_ITEMS} items`);
  return save(list, newID(), { text, done: false, n: 1 });
}

function change(list, id, body) {
  const { text, done } = wanted(body);
  if (text === undefined && typeof done !== "boolean")
    fail(BAD_DATA, 'bad input: want {"done": true}, {"text": "..."} or both');
  const item = found(list, id, () => read(`/kv/todos/${list}/${id}`));
  return save(list, id, { text: text ?? item.text, done: typeof done === "boolean" ? done : item.done, n: item.n + 1 });
}

function remove(list, id) {
  found(list, id, () => unlinkSync(`/kv/todos/${list}/${id}`));
  return tell(list, { gone: id });
}

// found does something with an item that there must be.
function found(list, id, work) {
  try {
    return work();
  } catch (e) {
    if (e.code !== "ENOENT") throw e;
    return fail(NO_INPUT, `there is no item ${id} in ${list}`);
  }
}

const body = std.in.readAsString(); // first, so that the process can be started before the request comes
const list = about("params/list");
const id = about("params/id");
if (!NAME.test(list)) fail(BAD_DATA, "bad input: a list has a name of 1 to 64 letters, digits, - and _");
if (id !== "" && !NAME.test(id)) fail(NO_INPUT, "no item has such an id");

const [method, path] = about("route").split(" ");
const live = about("headers/fn-ws") === "open";
if (live || (method === "GET" && path.endsWith("/items"))) {
  print(JSON.stringify({ items: items(`/kv/todos/${list}`) }));
} else if (method === "GET") {
  std.out.puts(std.loadFile("page.html"));
} else {
  print(method === "POST" ? add(list, body) : method === "PATCH" ? change(list, id, body) : remove(list, id));
}
