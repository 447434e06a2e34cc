"""spill.py COMPILER ARGUMENT...: compiles C so that a conservative garbage collector finds all pointers.

In WebAssembly the variables of a function are not in memory, unless their address is taken, and a collector
that scans the stack does not see them. So this compiles in two steps, and changes LLVM's code in between: each
pointer that is still needed after a call is also stored in the frame of the function, where it
stays until the function ends or the pointer is computed anew.

Pointers into the middle of an object are left out: the collector wants one to its beginning, and that is where
the other has been computed from. Calls other than of a file with -c are passed on.
"""

import re
import subprocess
import sys

NAME = r'%(?:[\w.$-]+|"[^"]*")'
LABEL = re.compile(r'^([\w.$-]+|"[^"]*"):')
RESULT = re.compile(rf"^\s+({NAME}) = (.*)")
USE = re.compile(NAME)
TARGET = re.compile(rf"label ({NAME})")
PHI = re.compile(rf"\[ (\S+), ({NAME}) \]")
CALL = re.compile(r"\bcall\b")
HARMLESS = re.compile(r"@(llvm\.|memcpy|memset|memmove|memcmp|strlen|strcmp)")
POINTER = re.compile(r"(load (volatile )?ptr,|phi ptr |freeze ptr |inttoptr |select i1 [^,]+, ptr )")

def is_pointer(value):
    """Tells whether an instruction's result is a pointer that may be one to the beginning of an object."""
    called = CALL.search(value)
    if called and not value.startswith(("phi", "load")):
        kind = re.split(r"[@%]", value[called.end():])[0]
        while re.search(r"\([^()]*\)", kind):
            kind = re.sub(r"\([^()]*\)", "", kind)
        return " asm " not in value and re.search(r"\bptr\b", kind) is not None
    return POINTER.match(value) is not None


class Block:
    def __init__(self, label):
        self.label, self.lines, self.next, self.live = label, [], [], set()


def blocks_of(body):
    """Splits the lines of a function into its blocks."""
    blocks = []  # the names of values are kept, so the first line is the label "entry"
    for line in body:
        label = LABEL.match(line)
        if label:
            blocks.append(Block("%" + label.group(1)))
        blocks[-1].lines.append(line)
    for b in blocks:
        b.next = [t for line in b.lines for t in TARGET.findall(line)]
    return blocks


def live_out(block, by_label):
    """Returns what the blocks behind one need of it."""
    live = set()
    for label in block.next:
        follower = by_label[label]
        live |= follower.live
        for line in follower.lines:
            value = RESULT.match(line)
            if value and value.group(2).startswith("phi "):
                live |= {v for v, source in PHI.findall(line) if source == block.label}
    return live


def spilled(blocks, pointers):
    """Returns the pointers that are needed after a call."""
    by_label, found = {b.label: b for b in blocks}, set()
    changed = True
    while changed:
        changed = False
        for b in reversed(blocks):
            live = live_out(b, by_label) & pointers
            for line in reversed(b.lines):
                value = RESULT.match(line)
                if value:
                    live.discard(value.group(1))
                    if value.group(2).startswith("phi "):
                        continue
                if CALL.search(line) and not HARMLESS.search(line):
                    found |= live
                live |= set(USE.findall(line[value.end(1):] if value else line)) & pointers
            changed |= live != b.live
            b.live = live
    return found


def transformed(head, body):
    """Returns a function's lines with the stores."""
    arguments = set(re.findall(rf"\bptr (?:[\w]+(?:\([^()]*\))? )*({NAME})", head[head.index("("):]))
    pointers = arguments | {m.group(1) for m in map(RESULT.match, body) if m and is_pointer(m.group(2))}
    blocks = blocks_of(body)
    wanted = spilled(blocks, pointers)
    if not wanted:
        return [head] + body
    slot = {v: f"%spill.{i}" for i, v in enumerate(sorted(wanted))}

    def store(v):
        return f"  store volatile ptr {v}, ptr {slot[v]}, align 4\n"

    entry = [f"  {s} = alloca ptr, align 4\n" for s in slot.values()]
    entry += [store(v) for v in slot if v in arguments]
    out = [head]
    for b in blocks:
        out.append(b.lines[0])
        waiting, entry = entry, []
        for line in b.lines[1:]:
            value = RESULT.match(line)
            if not (value and value.group(2).startswith("phi ")):  # these stand together
                out += waiting
                waiting = []
            out.append(line)
            if value and value.group(1) in slot:
                waiting.append(store(value.group(1)))
    return out


def spill(code):
    """Returns LLVM code with the stores."""
    out, head, body = [], None, []
    for line in code.splitlines(keepends=True):
        if line.startswith("define "):
            head, body = line, []
        elif head and line.startswith("}"):
            out += transformed(head, body) + [line]
            head = None
        elif head:
            body.append(line)
        else:
            out.append(line)
    return "".join(out)


def run(*command):
    if (code := subprocess.run(command).returncode) != 0:
        sys.exit(code)


def main(command):
    if "-c" not in command:
        run(*command)
        return
    target = command[command.index("-o") + 1]
    code = target + ".ll"
    run(*[code if a == target else a for a in command if a != "-c"], "-S", "-emit-llvm", "-fno-discard-value-names")
    with open(code) as f:
        text = f.read()
    with open(code, "w") as f:
        f.write(spill(text))
    options = [a for a in command if a.startswith(("-O", "--target", "-mllvm", "-wasm"))]
    run(command[0], *options, "-Wno-everything", "-Xclang", "-disable-llvm-passes", "-c", "-o", target, code)


main(sys.argv[1:])
