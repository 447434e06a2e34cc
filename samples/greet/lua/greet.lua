-- greet, in Lua: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
-- stdout and one log line on stderr; a bad request is exit code 65. Lua has no JSON library, so this
-- program brings a reader that is as strict as RFC 8259.

local MAX_DEPTH <const> = 100
local BAD_DATA <const> = 65

local body -- the request
local at = 1 -- where its next byte is

local function fail(reason)
  io.stderr:write("bad input: ", reason, "\n")
  os.exit(BAD_DATA)
end

-- accept passes over what matches a pattern, which begins with "^", and returns it; nil where nothing does.
local function accept(pattern)
  local found = body:match(pattern, at)
  if found then at = at + #found end
  return found
end

-- peek passes over white space and returns the byte behind it, "" at the end.
local function peek()
  at = body:find("[^ \t\n\r]", at) or #body + 1
  return body:sub(at, at)
end

local function take(byte)
  local there = peek() == byte
  if there then at = at + 1 end
  return there
end

local function expect(byte)
  if not take(byte) then fail("not JSON") end
end

local function hex4()
  local digits = accept("^%x%x%x%x") or fail("bad \\u escape")
  return tonumber(digits, 16)
end

local letters = {['"'] = '"', ["\\"] = "\\", ["/"] = "/", b = "\b", f = "\f", n = "\n", r = "\r", t = "\t"}

-- escape reads what follows a backslash.
local function escape()
  if not accept("^u") then
    return letters[accept("^.")] or fail("bad escape")
  end
  local rune = hex4()
  if rune >= 0xD800 and rune <= 0xDFFF then
    if rune > 0xDBFF or not accept("^\\u") then fail("lone surrogate") end
    local low = hex4()
    if low < 0xDC00 or low > 0xDFFF then fail("lone surrogate") end
    rune = 0x10000 + (rune - 0xD800 << 10) + (low - 0xDC00)
  end
  return utf8.char(rune)
end

-- text reads a string.
local function text()
  expect('"')
  local parts = {}
  repeat
    parts[#parts + 1] = accept('^[^"\\\0-\31]+')
    local escaped = accept("^\\")
    if escaped then parts[#parts + 1] = escape() end
  until not escaped
  if not accept('^"') then fail("unfinished string or control character in it") end
  return table.concat(parts)
end

local function number()
  accept("^-")
  if not (accept("^0") or accept("^%d+")) then fail("not JSON") end
  if accept("^%.") and not accept("^%d+") then fail("bad number") end
  if accept("^[eE]") and not accept("^[+-]?%d+") then fail("bad number") end
end

local value

local function array(depth)
  expect("[")
  if depth > MAX_DEPTH then fail("nested too deep") end
  if take("]") then return end
  repeat value(depth + 1) until not take(",")
  expect("]")
end

-- object reads an object and returns its last member "name", nil if that is no string.
local function object(depth)
  local name
  expect("{")
  if depth > MAX_DEPTH then fail("nested too deep") end
  if take("}") then return end
  repeat
    peek()
    local key = text()
    expect(":")
    local found = value(depth + 1)
    if key == "name" then name = found end
  until not take(",")
  expect("}")
  return name
end

-- value passes over a value of any kind; of a string it returns the text.
function value(depth)
  local first = peek()
  if first == '"' then return text() end
  if first == "[" then
    array(depth)
  elseif first == "{" then
    object(depth)
  elseif not (accept("^true") or accept("^false") or accept("^null")) then
    number()
  end
end

local short = {['"'] = '\\"', ["\\"] = "\\\\", ["\b"] = "\\b", ["\f"] = "\\f", ["\n"] = "\\n", ["\r"] = "\\r", ["\t"] = "\\t"}

-- escaped returns s as it stands between the quotes of a JSON string.
local function escaped(s)
  return (s:gsub('[\0-\31"\\]', function(c) return short[c] or ("\\u%04x"):format(c:byte()) end))
end

body = io.read("a")
if not utf8.len(body) then fail("not UTF-8") end
if peek() ~= "{" then fail("not a JSON object") end
local name = object(1)
peek()
if at <= #body then fail("more than one JSON value") end
if not name then fail('no string member "name"') end

name = escaped(name)
io.stderr:write("greeting ", name, "\n")
io.write('{"greeting":"Hello, ', name, '!"}\n')
