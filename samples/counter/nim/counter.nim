## counter, in Nim: a name on stdin becomes the number of times that it was sent. The number is the key of that name
## in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit code
## 65.

{.compile: "../../greet/nim/glue.c".}
import std/strutils

const
  failed = 1
  badData = 65
  maxName = 64

proc fail(code: int, why: string) =
  stderr.write why & "\n"
  quit(code)

var name = stdin.readAll
name.removeSuffix("\n")
if name.len notin 1 .. maxName or not name.allCharsInSet(Letters + Digits + {'-', '_'}):
  fail(badData, "bad input: want a name of 1 to 64 letters, digits, - and _")

let path = "/kv/counters/" & name
var count = 0'i64
var file: File
if file.open(path): # what is missing counts from 0
  let text = file.readAll
  file.close
  try:
    count = text.strip.parseBiggestInt
  except ValueError:
    fail(failed, path & " is no number")
try:
  path.writeFile($(count + 1))
except IOError as e:
  fail(failed, e.msg)
stdout.write $(count + 1) & "\n"
