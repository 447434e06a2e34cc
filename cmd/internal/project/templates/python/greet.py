"""The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400."""

import json
import sys

try:
    name = json.load(sys.stdin)["name"]
except (ValueError, KeyError, TypeError):
    print('bad input: want {"name":"..."}', file=sys.stderr)
    sys.exit(65)

print("greeting", name, file=sys.stderr)
print(json.dumps({"greeting": f"Hello, {name}!"}))
