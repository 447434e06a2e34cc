// The worker of package worker in JavaScript: one JSON object a line on stdin, one on stdout.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import readline from 'node:readline';
import { WASI } from 'node:wasi';

const folder = fs.existsSync('/dev/shm') ? '/dev/shm' : os.tmpdir();
const dir = fs.mkdtempSync(path.join(folder, 'bench'));
process.on('exit', () => fs.rmSync(dir, { recursive: true, force: true }));

let guest, module;

// open compiles a guest.
function open(q) {
  guest = q.guest;
  guest.body = Buffer.from(guest.body ?? '', 'base64');
  guest.want = Buffer.from(guest.want ?? '', 'base64');
  module = new WebAssembly.Module(fs.readFileSync(guest.wasm));
  call();
  return {};
}

// call runs the guest once in an instance of its own.
function call() {
  const input = path.join(dir, 'in'), output = path.join(dir, 'out');
  fs.writeFileSync(input, guest.body);
  const stdin = fs.openSync(input, 'r'), stdout = fs.openSync(output, 'w');
  try {
    const env = Object.fromEntries((guest.env ?? []).map((e) => [e.slice(0, e.indexOf('=')), e.slice(e.indexOf('=') + 1)]));
    const preopens = Object.fromEntries((guest.dirs ?? []).map((d) => [d.path, d.host]));
    const wasi = new WASI({ version: 'preview1', args: guest.args, env, preopens, stdin, stdout, returnOnExit: true });
    const { memory, _start } = new WebAssembly.Instance(module, { wasi_snapshot_preview1: wasi.wasiImport }).exports;
    const code = wasi.start({ exports: { memory, _start } }); // it refuses commands that export _initialize too
    if (code) throw new Error(`exit code ${code}`);
  } finally {
    fs.closeSync(stdin);
    fs.closeSync(stdout);
  }
  const reply = fs.readFileSync(output);
  if (!reply.equals(guest.want)) throw new Error(`the reply is ${JSON.stringify(reply.toString().slice(0, 60))}`);
}

// slice makes calls one after the other. Times are in nanoseconds.
function slice(q) {
  const { calls } = q.slice;
  const every = Math.max(1, Math.floor(calls / 1000)), latencies = [];
  const cpu = process.cpuUsage(), begin = process.hrtime.bigint();
  for (let i = 1; i <= calls; i++) {
    const before = process.hrtime.bigint();
    call();
    if (i % every === 0) latencies.push(Number(process.hrtime.bigint() - before));
  }
  const wall = Number(process.hrtime.bigint() - begin), spent = process.cpuUsage(cpu);
  return { sample: { calls, cpu: (spent.user + spent.system) * 1000, wall, latencies } };
}

const ops = { open, slice };
for await (const line of readline.createInterface({ input: process.stdin })) {
  let answer;
  try {
    const q = JSON.parse(line);
    if (!ops[q.op]) throw new Error(`the worker in JavaScript knows no ${q.op}`);
    answer = ops[q.op](q);
  } catch (e) {
    answer = { error: String(e.message ?? e) };
  }
  fs.writeSync(1, JSON.stringify(answer) + '\n');
}
