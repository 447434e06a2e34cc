"""The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400."""

import json
import sys

try:
    name = json.loads(sys.stdin.read())["name"]
except (ValueError, KeyError, TypeError):
    sys.stderr.write('bad input: want {"name":"..."}\n')
    sys.exit(65)

sys.stderr.write("greeting " + name + "\n")
print(json.dumps({"greeting": "Hello, " + name + "!"}))
