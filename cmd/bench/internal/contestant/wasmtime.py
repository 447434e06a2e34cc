"""The worker of package worker in Python, for wasmtime: one JSON object a line on stdin, one on stdout."""

import base64
import hashlib
import importlib.metadata
import json
import os
import resource
import shutil
import sys
import tempfile
import time

import wasmtime

folder = "/dev/shm" if os.path.isdir("/dev/shm") else None
work = tempfile.mkdtemp(prefix="bench", dir=folder)
guest = module = linker = None


def engine():
    """An engine that is the fastest one that wasmtime offers: Cranelift, optimizing for speed."""
    config = wasmtime.Config()
    config.strategy = "cranelift"
    config.cranelift_opt_level = "speed"
    config.wasm_exceptions = True
    return wasmtime.Engine(config)


def open_guest(q):
    """Compiles a guest ahead, or loads what was compiled before."""
    global guest, module, linker
    guest = q["guest"]
    guest["want"] = base64.b64decode(guest["want"] or "")
    guest["body"] = base64.b64decode(guest["body"] or "")
    e = engine()
    linker = wasmtime.Linker(e)
    linker.define_wasi()
    with open(guest["wasm"], "rb") as f:
        wasm = f.read()
    name = "wasmtime-%s-%s" % (importlib.metadata.version("wasmtime"), hashlib.sha256(wasm).hexdigest()[:32])
    file = os.path.join(q["cache"], name)
    if not os.path.exists(file):
        with open(file + ".tmp", "wb") as f:
            f.write(wasmtime.Module(e, wasm).serialize())
        os.rename(file + ".tmp", file)
    module = wasmtime.Module.deserialize_file(e, file)
    call()
    return {}


def call():
    """Runs the guest once in an instance of its own."""
    files = [os.path.join(work, n) for n in ("in", "out", "err")]
    with open(files[0], "wb") as f:
        f.write(guest["body"])
    config = wasmtime.WasiConfig()
    config.argv = guest["args"]
    config.env = [e.split("=", 1) for e in guest["env"] or []]
    config.stdin_file, config.stdout_file, config.stderr_file = files
    for d in guest.get("dirs") or []:
        config.preopen_dir(d["host"], d["path"], False)
    store = wasmtime.Store(linker.engine)
    store.set_wasi(config)
    try:
        linker.instantiate(store, module).exports(store)["_start"](store)
    except wasmtime.ExitTrap as e:
        if e.code != 0:
            raise RuntimeError("exit code %d: %s" % (e.code, open(files[2]).read()[:200]))
    finally:
        store.close()
    with open(files[1], "rb") as f:
        reply = f.read()
    if reply != guest["want"]:
        raise RuntimeError("the reply is %r, not %r" % (reply[:60], guest["want"][:60]))


def cpu():
    """Processor time of this process in nanoseconds."""
    u = resource.getrusage(resource.RUSAGE_SELF)
    return int((u.ru_utime + u.ru_stime) * 1e9)


def run_slice(q):
    """Makes calls one after the other. Times are in nanoseconds."""
    calls, latencies = q["slice"]["calls"], []
    every = max(1, calls // 1000)
    spent, begin = cpu(), time.monotonic_ns()
    for i in range(1, calls + 1):
        before = time.monotonic_ns()
        call()
        if i % every == 0:
            latencies.append(time.monotonic_ns() - before)
    wall = time.monotonic_ns() - begin
    return {"sample": {"calls": calls, "cpu": cpu() - spent, "wall": wall, "latencies": latencies}}


ops = {"open": open_guest, "slice": run_slice}
try:
    for line in sys.stdin:
        try:
            q = json.loads(line)
            if q["op"] not in ops:
                raise RuntimeError("the worker in Python knows no " + q["op"])
            answer = ops[q["op"]](q)
        except Exception as e:
            answer = {"error": str(e) or type(e).__name__}
        print(json.dumps(answer), flush=True)
finally:
    shutil.rmtree(work, ignore_errors=True)
