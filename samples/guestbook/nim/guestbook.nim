## guestbook, in Nim: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request
## writes nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.

{.compile: "../../greet/nim/glue.c".}
import std/[algorithm, os, strutils]

const
  failed = 1
  badData = 65
  maxName = 64
  maxText = 200
  folder = "/kv/guests"

proc fail(code: int, why: string) =
  stderr.write why & "\n"
  quit(code)

# sign writes what a guest writes.
proc sign(request: string) =
  let blank = request.find(' ')
  let name = if blank < 0: "" else: request[0 ..< blank]
  let text = if blank < 0: "" else: request[blank + 1 .. ^1]
  if name.len notin 1 .. maxName or not name.allCharsInSet(Letters + Digits + {'-', '_'}) or
      text.len notin 1 .. maxText or text.contains({'\n', '\0'}):
    fail(badData, "bad input: want a name of 1 to 64 letters, digits, - and _, and a text of 1 to 200 bytes")
  writeFile(folder / name, text)

var request = stdin.readAll
request.removeSuffix("\n")
try:
  if request.len > 0:
    sign(request)
  var guests: seq[string]
  for kind, name in walkDir(folder, relative = true, checkDir = true):
    guests.add name
  for name in guests.sorted:
    stdout.write name & ": " & readFile(folder / name) & "\n"
except IOError, OSError:
  fail(failed, getCurrentExceptionMsg())
