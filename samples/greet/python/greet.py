"""greet, in Python: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
stdout and one log line on stderr; a bad request is exit code 65."""

import json
import sys

MAX_DEPTH = 100
BAD_DATA = 65


class BadInput(Exception):
    """What is wrong with a request."""


class Members(list):
    """The members of a JSON object, as pairs: all of them, where a dict has the last of each name."""


def refuse(constant):
    raise BadInput(f"{constant} is not JSON")


def parse(body):
    """Read JSON as RFC 8259 has it, where the module json is too kind."""
    # A number may have more digits than int takes.
    value = json.loads(body.decode(), object_pairs_hook=Members, parse_int=float, parse_constant=refuse)
    check(value, 1)
    return value


def check(value, depth):
    """Refuse what is nested too deep, and strings that are not Unicode."""
    if isinstance(value, str):
        value.encode()  # half of a surrogate pair cannot be encoded
    elif isinstance(value, tuple):  # a member: its name and its value
        for part in value:
            check(part, depth)
    elif isinstance(value, list):
        if depth > MAX_DEPTH:
            raise BadInput("nested too deep")
        for item in value:
            check(item, depth + 1)


def read_name(body):
    """Return the member "name" of a request."""
    try:
        request = parse(body)
    except (UnicodeError, json.JSONDecodeError) as e:
        raise BadInput(e) from e
    except RecursionError as e:
        raise BadInput("nested too deep") from e
    if not isinstance(request, Members):
        raise BadInput("not a JSON object")
    name = dict(request).get("name")
    if not isinstance(name, str):
        raise BadInput('no string member "name"')
    return name


def main():
    try:
        name = read_name(sys.stdin.buffer.read())
    except BadInput as e:
        print("bad input:", e, file=sys.stderr)
        return BAD_DATA
    who = json.dumps(name, ensure_ascii=False)[1:-1]
    print("greeting", who, file=sys.stderr)
    print(f'{{"greeting":"Hello, {who}!"}}')
    return 0


if __name__ == "__main__":
    sys.exit(main())
