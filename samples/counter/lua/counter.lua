-- counter, in Lua: a name on stdin becomes the number of times that it was sent. The number is the key of that name
-- in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit code
-- 65.

local FAILED <const> = 1
local BAD_DATA <const> = 65
local ENOENT <const> = 44 -- of WASI

local function fail(code, why)
  io.stderr:write(why, "\n")
  os.exit(code)
end

local name = io.read("a"):gsub("\n$", "")
if #name > 64 or not name:find("^[A-Za-z0-9_-]+$") then
  fail(BAD_DATA, "bad input: want a name of 1 to 64 letters, digits, - and _")
end

local path = "/kv/counters/" .. name
local count = 0
local file, why, code = io.open(path)
if file then
  count = math.tointeger(file:read("n")) or fail(FAILED, path .. " is no number")
  file:close()
elseif code ~= ENOENT then
  fail(FAILED, why)
end
file = assert(io.open(path, "w"))
assert(file:write(count + 1))
assert(file:close())
print(count + 1)
