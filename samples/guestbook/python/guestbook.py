# guestbook, in Python: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request
# writes nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.

import os
import re
import sys
from pathlib import Path

BAD_DATA = 65
FOLDER = Path("/kv/guests")

request = sys.stdin.buffer.read().removesuffix(b"\n")
if request:
    found = re.fullmatch(rb"([A-Za-z0-9_-]{1,64}) ([^\n\0]{1,200})", request)
    if not found:
        print("bad input: want a name of 1 to 64 letters, digits, - and _, and a text of 1 to 200 bytes", file=sys.stderr)
        sys.exit(BAD_DATA)
    (FOLDER / found[1].decode()).write_bytes(found[2])
for name in sorted(os.listdir(FOLDER)):
    sys.stdout.buffer.write(name.encode() + b": " + (FOLDER / name).read_bytes() + b"\n")
