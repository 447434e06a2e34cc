// What runs the cases against one client library, and what they have in common. The output is a line of
// JSON for each case: {"case": NAME} if it went well, with an "error" if it did not.
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";

// patience is how long anything may take, in milliseconds.
export const patience = 30_000;

// run runs all cases, one after the other, with a library: see nats.mjs for what that is.
export async function run(lib, cases) {
  const [servers, module] = process.argv.slice(2);
  const probe = await readFile(module);
  const options = { servers, timeout: patience, maxReconnectAttempts: 0 };
  for (const [name, test] of Object.entries(cases)) {
    const t = new Trial(lib, probe, await lib.connect(options), await lib.connect(options));
    let error;
    try {
      await within(2 * patience, test(t));
    } catch (err) {
      error = trace(err);
    }
    try {
      await within(patience, t.end());
    } catch (err) {
      error ??= trace(err);
    }
    console.log(JSON.stringify({ case: name, error }));
  }
}

// trace returns what there is to know of an error.
function trace(err) {
  return err.cause ? `${err.stack}\ncaused by ${err.cause.stack}` : err.stack ?? String(err);
}

// within returns what a promise does, or fails after some milliseconds.
export async function within(ms, promise) {
  let timer;
  const late = new Promise((_, fail) => {
    timer = setTimeout(() => fail(new Error(`nothing within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}

// take returns the next n messages of a subscription or of another iterator.
export async function take(messages, n) {
  const next = messages[Symbol.asyncIterator]();
  const out = [];
  while (out.length < n) {
    const { value, done } = await within(patience, next.next());
    assert(!done, `${out.length} messages and the end, not ${n}`);
    out.push(value);
  }
  return out;
}

// collect returns all that an iterator has.
export async function collect(messages) {
  const out = [];
  for await (const m of messages) out.push(m);
  return out;
}

// Trial is one case's view of the world: two connections, and functions that vanish with it.
class Trial {
  #deployed = new Set();

  constructor(lib, probe, nc, other) {
    Object.assign(this, { lib, probe, nc, other });
  }

  // request sends a body, with headers if there are any, and returns the reply as it comes.
  request(subject, body, header, nc = this.nc) {
    return nc.request(subject, body, { timeout: patience, headers: header && this.headers(header) });
  }

  // headers makes the library's headers of an object.
  headers(header) {
    const out = this.lib.headers();
    for (const [name, value] of Object.entries(header)) out.set(name, value);
    return out;
  }

  // call returns the reply of a request that must succeed.
  async call(...request) {
    const m = await this.request(...request);
    const err = this.lib.ServiceError.toServiceError(m);
    assert.equal(err, null, `${request[0]}: ${err?.code} ${err?.message}`);
    return m;
  }

  // fails returns the reply of a request that must fail with a code, having checked what all errors have.
  async fails(code, ...request) {
    const m = await this.request(...request);
    assert(this.lib.ServiceError.isServiceError(m), `${request[0]} succeeded, with ${m.data.length} bytes`);
    const err = this.lib.ServiceError.toServiceError(m);
    assert.equal(err.code, code, err.message);
    assert.equal(m.headers.get("Nats-Service-Error-Code"), String(code));
    assert.equal(m.headers.get("Nats-Service-Error"), err.message);
    assert.notEqual(err.message, "");
    return m;
  }

  // deploy puts a function into place and returns the answer.
  async deploy(manifest, module = this.probe, header = {}) {
    const m = await this.call("polyvoke.api.deploy", module, { "Fn-Manifest": JSON.stringify(manifest), ...header });
    this.#deployed.add(manifest.name);
    return m.json();
  }

  // api asks a control verb and returns its answer.
  async api(verb, about) {
    const m = await this.call(`polyvoke.api.${verb}`, about && JSON.stringify(about));
    if (verb === "remove") this.#deployed.delete(about.name);
    return m.json();
  }

  // end removes what was deployed and closes the connections.
  async end() {
    try {
      for (const name of this.#deployed) await this.api("remove", { name });
    } finally {
      await Promise.all([this.nc.close(), this.other.close()]);
    }
  }
}
