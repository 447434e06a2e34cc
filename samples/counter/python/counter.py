# counter, in Python: a name on stdin becomes the number of times that it was sent. The number is the key of that name
# in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit code 65.

import re
import sys

BAD_DATA = 65

body = sys.stdin.buffer.read()
name = body[:-1] if body.endswith(b"\n") else body
if len(name) > 64 or b"\n" in name or not re.match(rb"^[A-Za-z0-9_\-]+$", name):
    sys.stderr.write("bad input: want a name of 1 to 64 letters, digits, - and _\n")
    sys.exit(BAD_DATA)

path = "/kv/counters/" + name.decode()
try:
    with open(path) as file:
        count = int(file.read())
except FileNotFoundError:  # counts from 0
    count = 0
except ValueError:
    sys.exit(path + " is no number")
with open(path, "w") as file:
    file.write(str(count + 1))
print(count + 1)
