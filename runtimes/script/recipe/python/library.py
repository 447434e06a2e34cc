"""library.py SOURCE OUT: compiles CPython's standard library in the folder SOURCE to the folder OUT.

It leaves out what cannot work in a sandbox: windows, processes, installers, tests.
"""

import pathlib
import py_compile
import sys

LEFT_OUT = {
    "__pycache__", "_pyrepl", "antigravity.py", "ctypes", "curses", "dbm", "ensurepip", "idlelib", "lib2to3", "multiprocessing",
    "pydoc_data", "site-packages", "sqlite3", "test", "this.py", "tkinter", "turtle.py", "turtledemo", "venv", "webbrowser.py",
    "_aix_support.py", "_android_support.py", "_apple_support.py", "_ios_support.py", "_osx_support.py", "__phello__", "__hello__.py",
}

source, out = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
for file in sorted(source.rglob("*.py")):
    name = file.relative_to(source)
    if name.parts[0] in LEFT_OUT or "__pycache__" in name.parts:
        continue
    py_compile.compile(
        str(file),
        cfile=str(out / name.with_suffix(".pyc")),
        dfile=f"/runtime/lib/{name}",
        doraise=True,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
