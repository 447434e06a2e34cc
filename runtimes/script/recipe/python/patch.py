"""patch.py SOURCE: changes CPython's module random, in the folder SOURCE.

A generator that the system seeds gets its seed when it is first used, not when it is made. So a script that imports
random still starts the same way every time, and processes may go on from where it has started.
"""

import pathlib
import sys

SEED = """
static int random_seed_urandom(RandomObject *self);
static int random_seed_time_pid(RandomObject *self);

static void
seed_now(RandomObject *self)
{
    self->unseeded = 0;
    if (random_seed_urandom(self) < 0) {
        PyErr_Clear();
        if (random_seed_time_pid(self) < 0) {
            PyErr_Clear();
        }
    }
}
"""

LATER = """
    self->unseeded = arg == NULL || arg == Py_None;
    if (self->unseeded) {
        return 0;
    }

"""

USE = """
    if (self->unseeded) {
        seed_now(self);
    }
"""

# What is put behind a text that occurs once.
ADDITIONS = [
    ("    uint32_t state[N];\n", "    int unseeded;\n"),
    ('#include "clinic/_randommodule.c.h"\n', SEED),
    ("    static const uint32_t mag01[2] = {0x0U, MATRIX_A};\n", USE),
    ("random_seed(RandomObject *self, PyObject *arg)\n{\n", LATER),
    ("    PyObject *element;\n    int i;\n", USE),
    ("    self->index = (int)index;\n", "    self->unseeded = 0;\n"),
]

file = pathlib.Path(sys.argv[1], "Modules/_randommodule.c")
text = file.read_text()
for place, addition in ADDITIONS:
    if text.count(place) != 1:
        sys.exit(f"{file}: {place!r} occurs {text.count(place)} times, not once")
    text = text.replace(place, place + addition)
file.write_text(text)
