## greet, in Nim: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
## stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh.
##
## std/json is not used: it also reads comments, bytes that are not UTF-8 and lone surrogates.

{.compile: "glue.c".}
import std/[strutils, unicode]

const
  maxDepth = 100
  badData = 65

type
  BadInput = object of CatchableError
  Request = object
    ## One JSON object, read strictly as RFC 8259 has it; only the member "name" is kept.
    body: string
    at: int
    hasName: bool
    name: string

proc fail(reason: string) {.noreturn.} =
  raise newException(BadInput, reason)

proc next(r: Request): char =
  ## The byte at hand, 0 at the end: JSON allows no zero byte.
  if r.at < r.body.len: r.body[r.at] else: '\0'

proc peek(r: var Request): char =
  ## The next byte behind white space.
  while r.next in {' ', '\t', '\n', '\r'}: inc r.at
  r.next

proc accept(r: var Request, these: set[char]): bool =
  ## Passes over the next byte if it is one of these.
  result = r.next in these
  if result: inc r.at

proc take(r: var Request, c: char): bool =
  r.peek == c and r.accept({c})

proc expect(r: var Request, c: char) =
  if not r.take(c): fail("not JSON")

proc word(r: var Request, w: string) =
  if not r.body.continuesWith(w, r.at): fail("not JSON")
  inc r.at, w.len

proc digits(r: var Request) =
  if not r.accept(Digits): fail("bad number")
  while r.accept(Digits): discard

proc number(r: var Request) =
  discard r.accept({'-'})
  if not r.accept({'0'}): r.digits
  if r.accept({'.'}): r.digits
  if r.accept({'e', 'E'}):
    discard r.accept({'+', '-'})
    r.digits

proc hex4(r: var Request): int32 =
  for _ in 1 .. 4:
    let c = r.next
    if not r.accept(HexDigits): fail("bad \\u escape")
    result = result shl 4 or int32(parseHexInt($c))

proc unicodeEscape(r: var Request): Rune =
  let rune = r.hex4
  if rune notin 0xd800'i32 .. 0xdfff'i32: return Rune(rune)
  if rune > 0xdbff or not r.accept({'\\'}) or not r.accept({'u'}): fail("lone surrogate")
  let low = r.hex4
  if low notin 0xdc00'i32 .. 0xdfff'i32: fail("lone surrogate")
  Rune(0x10000 + (rune - 0xd800) shl 10 + (low - 0xdc00))

proc escape(r: var Request): string =
  ## Reads what follows a backslash.
  let c = r.next
  inc r.at
  case c
  of '"', '\\', '/': $c
  of 'b': "\b"
  of 'f': "\f"
  of 'n': "\n"
  of 'r': "\r"
  of 't': "\t"
  of 'u': $r.unicodeEscape
  else: fail("bad escape")

proc byteAt(s: string, i: int): int =
  if i < s.len: ord(s[i]) else: 0

proc utf8Len(s: string, at: int): int =
  ## The length of the UTF-8 sequence at that place, 0 where there is none: overlong forms, surrogates
  ## and everything above U+10FFFF are refused (RFC 3629); unicode.validateUtf8 lets them through.
  let first = s.byteAt(at)
  if first < 0x80: return 1
  if first < 0xc2 or first > 0xf4: return 0
  let low = if first == 0xe0: 0xa0 elif first == 0xf0: 0x90 else: 0x80
  let high = if first == 0xed: 0x9f elif first == 0xf4: 0x8f else: 0xbf
  if s.byteAt(at + 1) notin low .. high: return 0
  result = if first < 0xe0: 2 elif first < 0xf0: 3 else: 4
  for i in at + 2 ..< at + result:
    if (s.byteAt(i) and 0xc0) != 0x80: return 0

proc parseString(r: var Request): string =
  r.expect('"')
  while not r.accept({'"'}):
    if r.next < ' ': fail("unfinished string or control character in it")
    if r.accept({'\\'}):
      result.add r.escape
      continue
    let n = utf8Len(r.body, r.at)
    if n == 0: fail("not UTF-8")
    for i in r.at ..< r.at + n: result.add r.body[i]
    inc r.at, n

proc value(r: var Request, depth: int)

proc list(r: var Request, depth: int) =
  r.expect('[')
  if depth > maxDepth: fail("nested too deep")
  if r.take(']'): return
  while true:
    r.value(depth + 1)
    if not r.take(','): break
  r.expect(']')

proc member(r: var Request, depth: int) =
  let wanted = r.parseString == "name" and depth == 1
  r.expect(':')
  if wanted:
    r.hasName = r.peek == '"' # the last one counts
  if wanted and r.hasName:
    r.name = r.parseString
  else:
    r.value(depth + 1)

proc members(r: var Request, depth: int) =
  r.expect('{')
  if depth > maxDepth: fail("nested too deep")
  if r.take('}'): return
  while true:
    r.member(depth)
    if not r.take(','): break
  r.expect('}')

proc value(r: var Request, depth: int) =
  case r.peek
  of '"': discard r.parseString
  of '[': r.list(depth)
  of '{': r.members(depth)
  of 't': r.word("true")
  of 'f': r.word("false")
  of 'n': r.word("null")
  else: r.number

proc parseName(body: string): string =
  var r = Request(body: body)
  if r.peek != '{': fail("not a JSON object")
  r.members(1)
  discard r.peek
  if r.at != body.len: fail("more than one JSON value")
  if not r.hasName: fail("no string member \"name\"")
  r.name

proc escaped(s: string): string =
  ## s as it stands between the quotes of a JSON string.
  for c in s:
    case c
    of '"', '\\': result.add "\\" & c
    of '\b': result.add "\\b"
    of '\f': result.add "\\f"
    of '\n': result.add "\\n"
    of '\r': result.add "\\r"
    of '\t': result.add "\\t"
    of '\0' .. '\7', '\11', '\14' .. '\31': result.add "\\u" & toHex(ord(c), 4).toLowerAscii
    else: result.add c

try:
  let name = escaped(parseName(stdin.readAll))
  stderr.write "greeting " & name & "\n"
  stdout.write "{\"greeting\":\"Hello, " & name & "!\"}\n"
except BadInput as e:
  stderr.write "bad input: " & e.msg & "\n"
  quit(badData)
