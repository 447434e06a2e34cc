"""How a script begins and ends; host.c calls load and end."""

import atexit
import builtins
import os
import site
import sys

import _polyvoke_host

SCRIPT = "/script"
DATA, SOFTWARE = 65, 70


def load():
    """Return the code of the script; or, if only the syntax is to be checked, check it and leave."""
    with open(SCRIPT + "/.polyvoke/entry", encoding="utf-8") as f:
        entry = f.read().rstrip("\n")
    if os.path.exists(SCRIPT + "/.polyvoke/check"):
        sys.exit(check(entry))
    site.setquit()
    path = f"{SCRIPT}/{entry}"
    sys.path[:0] = [os.path.dirname(path), *vendored(os.path.dirname(path))]
    del sys.argv
    sys.__getattr__ = lambda name: arguments(name, path)
    main = sys.modules["__main__"]
    main.__file__ = path
    main.__builtins__ = builtins
    main.__loader__ = None
    return compiled(path)


def installed(folder):
    """List the folders in a folder that tell about packages that pip has installed there."""
    return [f"{folder}/{name}" for name in os.listdir(folder) if name.endswith(".dist-info")]


def vendored(folder):
    """List the folders in a folder into which pip has installed packages, sorted."""
    return [f.path for f in sorted(os.scandir(folder), key=lambda f: f.name) if f.is_dir() and installed(f.path)]


def owned(folder):
    """Return the paths of the files of the packages that are installed in a folder."""
    paths = set()
    for info in installed(folder):
        try:
            with open(info + "/RECORD", encoding="utf-8") as f:
                paths.update(os.path.normpath(f"{folder}/{line.split(",")[0]}") for line in f)
        except (OSError, UnicodeDecodeError):
            pass
    return paths


def compiled(path):
    with open(path, "rb") as f:
        source = f.read()
    return compile(source, path, "exec", dont_inherit=True)


def arguments(name, path):
    """Stand in for sys.argv until it is asked for: before that, a process is the same whatever its arguments are."""
    if name != "argv":
        raise AttributeError(f"module 'sys' has no attribute {name!r}", name=name, obj=sys)
    sys.argv = [path, *_polyvoke_host.arguments()[1:]]
    return sys.argv


def check(entry):
    """Compile the entry and then the other files. Return the exit code."""
    status = 0
    for name in dict.fromkeys([entry, *sources()]):
        try:
            compiled(f"{SCRIPT}/{name}")
        except SyntaxError as e:
            print(f"{name}:{e.lineno or 1}:{e.offset or 1}: {e.msg}", file=sys.stderr)
            status = DATA
        except (ValueError, RecursionError, MemoryError) as e:
            print(f"{name}:1:1: {e or type(e).__name__}", file=sys.stderr)
            status = DATA
    return status


def sources():
    """List the names of all Python files, sorted, but for installed packages: some have files for other Pythons."""
    found, packages = [], set()
    for folder in [SCRIPT, *vendored(SCRIPT)]:
        packages |= owned(folder)
    for folder, folders, files in os.walk(SCRIPT):
        folders[:] = [f for f in folders if not f.startswith(".")]
        paths = [os.path.join(folder, f) for f in files if f.endswith(".py")]
        found += [os.path.relpath(p, SCRIPT) for p in paths if p not in packages]
    return sorted(found)


def end(error):
    """Report what ended the script, do what was left for the end, and return the exit code."""
    flush(sys.stdout)
    status = 0
    if isinstance(error, SystemExit):
        status = exit_code(error.code)
    elif error is not None:
        sys.excepthook(type(error), error, error.__traceback__)
        status = SOFTWARE
    atexit._run_exitfuncs()
    if not flush(sys.stdout):
        status = status or SOFTWARE
    flush(sys.stderr)
    return status


def exit_code(code):
    if code is None:
        return 0
    if isinstance(code, int):
        return code & 0xFF
    print(code, file=sys.stderr)
    return 1


def flush(stream):
    """Flush stdout or stderr, which the script may have closed or replaced."""
    try:
        if stream is not None and not stream.closed:
            stream.flush()
        return True
    except (OSError, ValueError, AttributeError) as e:
        print(f"python: stdout: {e}", file=sys.__stderr__)
        return False
