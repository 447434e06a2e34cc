"""tokens, in Python: send the words of a request back one by one, each 20 ms after the one before, as a language model
would. With the argument "events" they are server-sent events."""

import sys
import time

PAUSE = 0.02


def main():
    form = "data: {}\n\n" if "events" in sys.argv[1:] else "{} "
    for word in sys.stdin.read().split():
        sys.stdout.write(form.format(word))
        sys.stdout.flush()  # what stays in the buffer is not sent
        time.sleep(PAUSE)


if __name__ == "__main__":
    main()
