# The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
{.compile: "glue.c".}
import std/json

var name = ""
try:
  name = parseJson(stdin.readAll){"name"}.getStr
except CatchableError:
  discard
if name == "":
  stderr.writeLine "bad input: want {\"name\":\"...\"}"
  quit(65)
stderr.writeLine "greeting " & name
echo %*{"greeting": "Hello, " & name & "!"}
