// The cases: what any NATS client can do with functions. Each gets a Trial (harness.mjs), and nothing of
// polyvoke's own; what it says on the wire is in protocol/README.md.
import assert from "node:assert/strict";
import { createHash, randomUUID } from "node:crypto";

import { collect, patience, take } from "./harness.mjs";
import { complaint, importing, padded } from "./modules.mjs";

const digest = (bytes) => "sha256:" + createHash("sha256").update(bytes).digest("hex");
const noise = (n) => Uint8Array.from({ length: n }, (_, i) => (i * 7) % 253);

export const cases = {
  deploy,
  call,
  headers,
  errors,
  timeouts,
  refusals,
  nobody,
  discovery,
  figures,
  routes,
  logs,
  "claimed reply": claimedReply,
  "claimed request": claimedRequest,
  "claimed module": claimedModule,
  control,
  jobs,
  "dead letters": deadLetters,
};

// deploy: whoever deploys, and anybody else, can call as soon as the answer has come.
async function deploy(t) {
  for (let i = 0; i < 20; i++) {
    const name = `new-${i}`;
    const { function: made, created, warnings } = await t.deploy({ name });
    const [first, second] = await Promise.all([
      t.call(`fn.${name}`, "x"),
      t.call(`fn.${name}`, "y", undefined, t.other),
    ]);
    assert.equal(first.string() + second.string(), "xy");
    assert.deepEqual([made.name, made.version, made.size, made.digest], [name, 1, t.probe.length, digest(t.probe)]);
    assert.deepEqual([created, warnings], [true, undefined]);
  }
  assert.equal((await t.deploy({ name: "new-0" })).created, false);
  for (let i = 2; i < 20; i++) {
    const changed = await t.deploy({ name: "new-0", args: ["env"], env: { GREETING: `Grüße ${i}, 世界` } });
    assert.equal((await t.call("fn.new-0")).string(), `GREETING=Grüße ${i}, 世界\0`);
    assert.deepEqual([changed.created, changed.function.version], [true, i]);
  }
  assert.equal((await t.call("fn.new-0@1", "the first")).string(), "the first");
}

// call: the body is the reply, byte for byte, and there is nothing else in it.
async function call(t) {
  await t.deploy({ name: "plain" });
  for (const n of [0, 1, 1000, 100_000]) {
    const m = await t.call("fn.plain", noise(n));
    assert.deepEqual(Buffer.from(m.data), Buffer.from(noise(n)));
    assert.equal(m.headers, undefined);
  }
  assert.equal((await t.call("fn.plain.args.a.b")).string(), "plain\0args\0a\0b\0");
  const many = await Promise.all(Array.from({ length: 50 }, (_, i) => t.call("fn.plain", `${i}`)));
  many.forEach((m, i) => assert.equal(m.string(), `${i}`));
}

// headers: they reach the process, and their names may be written in any case.
async function headers(t) {
  await t.deploy({ name: "headed" });
  await t.deploy({ name: "shown", args: ["cat", "/request/headers/x-order"] });
  assert.equal((await t.call("fn.shown", "", { "X-Order": "7 & 8" })).string(), "7 & 8");
  for (const [id, report] of [["fn-id", "fn-report"], ["Fn-Id", "Fn-Report"], ["FN-ID", "FN-REPORT"]]) {
    const wire = t.other.subscribe("fn.headed", { max: 1 }); // it takes no call away: it is in no queue group
    await t.other.flush();
    const m = await t.call("fn.headed", "x", { [id]: "order-7", [report]: "1" });
    const [sent] = await take(wire, 1);
    assert.deepEqual([...sent.headers.keys()].sort(), [id, report].sort()); // the library left the case alone
    assert.equal(m.string(), "x");
    assert.equal(m.headers.get("Fn-Id"), "order-7");
    assert.equal(m.headers.get("Fn-Function"), "headed@1");
    assert.equal(m.headers.get("Fn-Exit"), "0");
    assert.equal(m.headers.get("Fn-Start"), "reset");
    assert.match(m.headers.get("Fn-Duration"), /^[0-9.]+(ns|µs|ms|s)$/);
    assert(Number(m.headers.get("Fn-Memory")) >= 65536);
  }
  const dry = await t.call("fn.headed.loop", "x", { "fn-dry-run": "1", "fn-id": "8" });
  assert.deepEqual([dry.data.length, dry.headers.get("Fn-Id")], [0, "8"]);
}

// errors: a code for programs, a message for people, and the end of stderr.
async function errors(t) {
  await t.deploy({ name: "picky" }, complaint("line 3: no customer\n", 65));
  const picky = await t.fails(400, "fn.picky", "order", { "fn-id": "order-7" });
  assert.equal(picky.string(), "line 3: no customer\n");
  assert.equal(picky.headers.get("Fn-Exit"), "65");
  assert.equal(picky.headers.get("Fn-Id"), "order-7");

  await t.deploy({ name: "probe", limits: { input: "1KiB", timeout: "30s" } });
  for (const [exit, code] of [[1, 500], [64, 400], [65, 400], [66, 404], [69, 503], [75, 503], [77, 403], [255, 500]]) {
    const m = await t.fails(code, `fn.probe.exit.${exit}`);
    assert.equal(m.headers.get("Fn-Exit"), String(exit));
    assert.equal(m.string(), m.headers.get("Nats-Service-Error") + "\n"); // stderr is empty
    assert.match(m.headers.get("Fn-Id"), /^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  }
  const trap = await t.fails(500, "fn.probe.trap");
  assert.match(trap.string(), /unreachable/);
  assert.equal(trap.headers.has("Fn-Exit"), false);

  assert.equal((await t.call("fn.probe", noise(1024))).data.length, 1024);
  assert.match((await t.fails(413, "fn.probe", noise(1025))).string(), /limits\.input/);
  assert.match((await t.fails(400, "fn.probe", "", { "fn-timeout": "soon" })).string(), /Fn-Timeout/);
}

// timeouts: the function's own, and the caller's if it is shorter.
async function timeouts(t) {
  await t.deploy({ name: "slow", limits: { timeout: "200ms" } });
  await t.deploy({ name: "patient", limits: { timeout: "30s" } });
  assert.match((await t.fails(504, "fn.slow.loop")).string(), /within 200ms/);
  assert.match((await t.fails(504, "fn.patient.sleep.25000", "", { "fn-timeout": "100ms" })).string(), /within 100ms/);
  const noisy = await t.fails(504, "fn.slow.stubborn-stderr");
  assert.equal(noisy.string(), "x".repeat(4096));
  assert.equal(noisy.headers.has("Fn-Exit"), false);
}

// refusals: a module that cannot run is refused before it is called, and its author learns why.
async function refusals(t) {
  const name = "refused";
  for (const [module, manifest, why] of [
    [importing("env", "nope"), { name }, /"nope" from "env"/],
    ["this is no module", { name }, /not a wasm module/],
    [t.probe.subarray(0, t.probe.length / 2), { name }, /./],
    [t.probe, { name: "re.fused" }, /re\.fused/],
    [t.probe, { name, timeot: "3s" }, /timeot/],
    [t.probe, { name, limits: { timeout: "-3s" } }, /longer than zero/],
  ]) {
    const m = await t.fails(422, "polyvoke.api.deploy", module, { "fn-manifest": JSON.stringify(manifest) });
    assert.match(m.string(), why);
  }
  assert.match((await t.fails(400, "polyvoke.api.deploy", t.probe)).string(), /Fn-Manifest/);
  assert.deepEqual((await t.api("list")).functions, []);
  await t.deploy({ name });
  assert.equal((await t.call("fn.refused", "not any more")).string(), "not any more");
}

// nobody: the server itself answers for a function, or a version, that does not exist, and at once.
async function nobody(t) {
  await t.deploy({ name: "somebody" });
  for (const subject of ["fn.nobody", "fn.somebody@2"]) {
    const began = performance.now();
    await assert.rejects(t.request(subject, "x"), (err) => t.lib.isNoResponders(err));
    const inbox = `answer.${randomUUID()}`;
    const answers = t.nc.subscribe(inbox, { max: 1 });
    t.nc.publish(subject, "x", { reply: inbox });
    const [m] = await take(answers, 1);
    assert.deepEqual([m.headers.code, m.data.length], [503, 0]);
    assert(performance.now() - began < patience / 10);
  }
}

// discovery: one request on $SRV, a stream of answers, one for each function and one for the control verbs.
async function discovery(t) {
  await t.deploy({ name: "alpha", language: "C" });
  await t.deploy({ name: "beta", trigger: [{ subject: "letters.*" }] });
  const names = ["alpha", "beta", "polyvoke"];
  const sorted = (answers) => answers.map((a) => a.name).sort();

  const all = t.lib.services(t.nc, t.lib.silence(1500, patience)); // ends when no more come
  const [pings, infos, stats] = await Promise.all([all.ping(), all.info(), all.stats()].map(async (p) => collect(await p)));
  for (const [answers, kind] of [[pings, "ping"], [infos, "info"], [stats, "stats"]]) {
    assert.deepEqual(sorted(answers), names);
    for (const a of answers) assert.equal(a.type, `io.nats.micro.v1.${kind}_response`);
  }
  for (const verb of ["PING", "INFO", "STATS"]) {
    const inbox = `answers.${randomUUID()}`;
    const answers = t.nc.subscribe(inbox, { max: names.length });
    t.nc.publish(`$SRV.${verb}`, "", { reply: inbox });
    assert.deepEqual(sorted((await take(answers, names.length)).map((m) => m.json())), names);
    const many = await t.nc.requestMany(`$SRV.${verb}`, "", t.lib.answers(names.length, patience));
    assert.deepEqual(sorted((await collect(many)).map((m) => m.json())), names);
  }

  const one = t.lib.services(t.nc, t.lib.answers(1, patience));
  const [alpha] = await collect(await one.info("alpha"));
  assert.deepEqual(alpha.endpoints.map((e) => [e.subject, e.queue_group]), [["fn.alpha", "q"]]);
  assert.deepEqual([alpha.version, alpha.metadata.language, alpha.metadata.digest], ["1.0.0", "C", digest(t.probe)]);
  const [beta] = await collect(await one.info("beta"));
  assert.deepEqual(beta.endpoints.map((e) => [e.subject, e.queue_group]), [["fn.beta", "q"], ["letters.*", "fn-beta"]]);
  assert.deepEqual(await collect(await one.ping("alpha", alpha.id)), pings.filter((p) => p.name === "alpha"));
  const few = t.lib.services(t.nc, t.lib.silence(300, 300));
  for (const verb of ["ping", "info", "stats"]) {
    assert.deepEqual(await nobodyOr(t, async () => collect(await few[verb]("gamma"))), []);
    assert.deepEqual(await nobodyOr(t, async () => collect(await few[verb]("alpha", beta.id))), []);
  }
}

// nobodyOr returns the answers that f gets; that there is nobody to answer counts as none.
async function nobodyOr(t, f) {
  try {
    return await f();
  } catch (err) {
    if (!t.lib.isNoResponders(err)) throw err;
    return [];
  }
}

// atRest returns the figures of a function when none of its calls is in flight any more: a call is counted before its
// answer, but leaves after it.
async function atRest(t, name) {
  const services = t.lib.services(t.nc, t.lib.answers(1, patience));
  for (;;) {
    const [s] = await collect(await services.stats(name));
    if (s.endpoints[0].data.in_flight === 0) return s;
  }
}

// figures: each answered call is counted before its answer, with the time that it took.
async function figures(t) {
  await t.deploy({ name: "counted", trigger: [{ subject: "count.*" }] });
  const calls = Array.from({ length: 30 }, (_, i) => (i % 3 === 0 ? t.fails(400, "fn.counted.exit.65") : t.call("fn.counted", "x")));
  await Promise.all([...calls, t.call("fn.counted.sleep.50"), t.call("count.echo", "x")]);
  const s = await atRest(t, "counted");
  const [direct, routed] = s.endpoints;
  assert.deepEqual([direct.num_requests, direct.num_errors, routed.num_requests, routed.num_errors], [31, 10, 1, 0]);
  assert.match(direct.last_error, /^400:.*exit code 65/);
  assert(direct.processing_time >= 50e6, "a call slept for 50 ms");
  assert.equal(direct.average_processing_time, Math.floor(direct.processing_time / 31));
  assert(Date.parse(s.started) <= Date.now());
  const { requests, errors, in_flight, waiting, p50, p99, version, start } = direct.data;
  assert.deepEqual([requests, errors, in_flight, waiting, version, start], [31, 10, 0, 0, 1, "reset"]);
  assert(0 < p50 && p50 <= p99 && p99 >= 47e6, `p50 ${p50}, p99 ${p99}`);
  assert.deepEqual((await t.api("info", { name: "counted" })).stats, direct.data);
}

// routes: subjects of the author's own, whose wildcards become arguments.
async function routes(t) {
  const { warnings } = await t.deploy({ name: "routed", trigger: [{ subject: "shop.*.orders.>" }] });
  assert.equal(warnings, undefined);
  assert.equal((await t.call("shop.args.orders.eu.created")).string(), "routed\0args\0eu\0created\0");
  assert.equal((await t.call("shop.echo.orders.x", "body")).string(), "body");
  await t.fails(400, "shop.exit.orders.65");
  await assert.rejects(t.request("shop.echo.orders"), (err) => t.lib.isNoResponders(err));

  const log = t.nc.subscribe("log.routed", { max: 1 });
  t.nc.publish("shop.lines.orders.1", "nobody waits for an answer");
  assert.equal((await take(log, 1))[0].string(), "e");

  const again = await t.deploy({ name: "rival", trigger: [{ subject: "shop.>" }] });
  assert.equal(again.warnings.length, 1);
  assert.match(again.warnings[0], /shop\.> of rival overlaps shop\.\*\.orders\.> of routed/);
}

// logs: whoever subscribes reads along.
async function logs(t) {
  const log = t.other.subscribe("log.>", { max: 4 });
  await t.other.flush();
  await t.deploy({ name: "talker" });
  await t.call("fn.talker.lines.3", "", { "fn-id": "order-7" });
  await t.fails(500, "fn.talker.trap", "", { "fn-id": "order-8" });
  const lines = await take(log, 4);
  for (const [i, m] of lines.entries()) {
    const own = i < 3;
    assert.deepEqual([m.subject, m.headers.get("Fn-Function")], ["log.talker", "talker@1"]);
    assert.deepEqual([m.headers.get("Fn-Id"), m.headers.get("Fn-Platform")], own ? ["order-7", ""] : ["order-8", "1"]);
    assert.match(m.string(), own ? /^e$/ : /unreachable/);
  }
}

// bodies opens the bucket of bodies, which the invoker has made.
const bodies = (t) => t.lib.objects(t.nc, "fn_bodies");

// redeem fetches the body that a reply's claim stands for, checks it, and deletes it.
async function redeem(t, m) {
  assert.equal(m.data.length, 0);
  const store = await bodies(t);
  const name = m.headers.get("Fn-Body-Object");
  const body = await store.getBlob(name);
  assert.equal(m.headers.get("Fn-Body-Size"), String(body.length));
  assert.equal(m.headers.get("Fn-Body-Digest"), digest(body));
  await store.delete(name);
  return body;
}

// put stores a body and returns its claim as headers.
async function put(t, body) {
  const name = randomUUID();
  const info = await (await bodies(t)).putBlob({ name }, body);
  assert.equal(info.size, body.length);
  return { "fn-body-object": name, "fn-body-size": String(body.length), "fn-body-digest": digest(body) };
}

// claimedReply: a reply over max_payload is in the object store.
async function claimedReply(t) {
  await t.deploy({ name: "big", limits: { timeout: "30s" } });
  const n = t.nc.info.max_payload + 1;
  const m = await t.call(`fn.big.drip.${n}`, "", { "fn-id": "order-7", "fn-report": "1" });
  assert.equal(m.headers.get("Fn-Id"), "order-7");
  assert.equal(m.headers.get("Fn-Exit"), "0");
  const body = await redeem(t, m);
  assert(Buffer.from(body).equals(Buffer.from(Uint8Array.from({ length: n }, (_, i) => i % 251))));
}

// claimedRequest: a client can send what does not fit.
async function claimedRequest(t) {
  await t.deploy({ name: "big", limits: { timeout: "30s", input: "4MiB" } });
  const body = noise(3 << 20);
  await assert.rejects(async () => t.request("fn.big", body), "the library sent more than max_payload");
  const claim = await put(t, body);
  const reply = await redeem(t, await t.call("fn.big", "", claim));
  assert(Buffer.from(reply).equals(Buffer.from(body)));

  const small = await put(t, noise(10));
  assert.deepEqual(Buffer.from((await t.call("fn.big", "", small)).data), Buffer.from(noise(10)));
  assert.match((await t.fails(400, "fn.big", "", { ...small, "fn-body-digest": digest("another") })).string(), /claim/);
  await (await bodies(t)).delete(small["fn-body-object"]);
  await t.fails(404, "fn.big", "", small);
  await t.fails(413, "fn.big", "", await put(t, noise((4 << 20) + 1)));
}

// claimedModule: so can who deploys.
async function claimedModule(t) {
  const module = padded(t.probe, 2 << 20);
  const { function: made } = await t.deploy({ name: "fat" }, "", await put(t, module));
  assert.deepEqual([made.size, made.digest], [module.length, digest(module)]);
  assert.equal((await t.call("fn.fat", "x")).string(), "x");
}

// control: list, info and remove.
async function control(t) {
  assert.deepEqual(await t.api("list"), { functions: [] });
  await t.deploy({ name: "b" });
  await t.deploy({ name: "a" });
  await t.deploy({ name: "a", limits: { queue: 1 } });
  await t.call("fn.a", "x");
  const { functions } = await t.api("list");
  assert.deepEqual(functions.map((f) => [f.name, f.version]), [["a", 2], ["b", 1]]);
  const about = await t.api("info", { name: "a" });
  assert.deepEqual(about.function, functions[0]);
  assert.deepEqual(about.versions.map((f) => f.version), [1, 2]);
  assert.equal(about.versions[1].limits.queue, 1);
  assert.equal(about.stats.requests, 1);
  assert(Math.abs(Date.parse(about.function.created) - Date.now()) < 10 * patience);
  assert.deepEqual(await t.api("remove", { name: "a" }), { removed: "a", versions: 2 });
  await assert.rejects(t.request("fn.a", "x"), (err) => t.lib.isNoResponders(err));
  for (const verb of ["info", "remove"]) {
    await t.fails(404, `polyvoke.api.${verb}`, '{"name":"a"}');
    await t.fails(400, `polyvoke.api.${verb}`, "nonsense");
  }
  assert.deepEqual((await t.api("list")).functions.map((f) => f.name), ["b"]);
}

// jobs: a job is published on JetStream like any message; the PubAck is its receipt, and its place is its name.
async function jobs(t) {
  await t.deploy({ name: "worker", job: {} });
  const { created } = await t.api("job-open", { name: "worker" });
  const js = t.lib.jetstream(t.nc);
  const ack = await js.publish("job.worker.args.one", "x");
  assert.deepEqual([ack.stream, ack.duplicate ?? false], ["FN_JOB_worker", false]);
  const id = `_${ack.seq}-${Date.parse(created).toString(36)}`;
  const done = await t.call("polyvoke.api.job-result", JSON.stringify({ job: `worker.${id}` }), { "Fn-Timeout": "20s" });
  assert.equal(done.string(), "worker\0args\0one\0");
  assert.deepEqual(["Fn-State", "Fn-Id", "Fn-Exit"].map((h) => done.headers.get(h)), ["done", id, "0"]);

  const named = () => js.publish("job.worker", "hello", { msgID: "order-7", headers: t.headers({ "Fn-Id": "order-7" }) });
  assert.equal((await named()).duplicate ?? false, false);
  assert.equal((await named()).duplicate, true);
  const about = JSON.stringify({ job: "worker.order-7" });
  assert.equal((await t.call("polyvoke.api.job-result", about, { "Fn-Timeout": "20s" })).string(), "hello");
  await t.fails(409, "polyvoke.api.job-cancel", about);
  await t.fails(404, "polyvoke.api.job", JSON.stringify({ job: "worker.nothing" }));
  await t.fails(404, "polyvoke.api.job-open", JSON.stringify({ name: "nobody" }));
  await assert.rejects(js.publish("job.nobody", "x", { timeout: patience }));

  await t.api("pause", { name: "worker" });
  const waits = JSON.stringify({ job: "worker.late" });
  await js.publish("job.worker", "x", { headers: t.headers({ "Fn-Id": "late" }) });
  assert.match((await t.fails(504, "polyvoke.api.job-result", waits)).string(), /polyvoke resume worker/);
  assert.equal((await t.api("job", { job: "worker.late" })).state, "queued");
  assert.equal((await t.api("job-cancel", { job: "worker.late" })).state, "cancelled");
  await t.fails(409, "polyvoke.api.job-result", waits);
  await t.api("resume", { name: "worker" });
  const { jobs: all } = await t.api("jobs", { function: "worker" });
  assert.deepEqual(all.map((j) => `${j.job} ${j.state}`),
    ["worker.late cancelled", "worker.order-7 done", `worker.${id} done`]);
}

// deadLetters: what fails for good tells its story, and can be given back under its id.
async function deadLetters(t) {
  await t.deploy({ name: "sorry", job: { attempts: 2, backoff: "1ms" } }, complaint("no luck\n", 75));
  await t.api("job-open", { name: "sorry" });
  await t.lib.jetstream(t.nc).publish("job.sorry", "order", { headers: t.headers({ "Fn-Id": "order-8" }) });
  const about = { job: "sorry.order-8" };
  const dead = await t.fails(503, "polyvoke.api.job-result", JSON.stringify(about), { "Fn-Timeout": "20s" });
  assert.deepEqual(["Fn-State", "Fn-Reason", "Fn-Exit"].map((h) => dead.headers.get(h)), ["dead", "attempts", "75"]);
  const { jobs: letters } = await t.api("dead", { function: "sorry" });
  assert.deepEqual(letters.map((j) => j.job), ["sorry.order-8"]);
  const letter = await t.api("dead-show", about);
  assert.deepEqual(letter.story.map((a) => [a.number, a.exit, a.stderr]), [[1, 75, "no luck\n"], [2, 75, "no luck\n"]]);
  assert.equal(Buffer.from(letter.body, "base64").toString(), "order");

  await t.deploy({ name: "sorry", job: {} });
  assert.equal((await t.api("dead-redrive", about)).done, 1);
  const again = await t.call("polyvoke.api.job-result", JSON.stringify(about), { "Fn-Timeout": "20s" });
  assert.equal(again.string(), "order");
  await t.fails(404, "polyvoke.api.dead-redrive", JSON.stringify(about));
}
