-- A log is made, taken apart by patterns, grouped, sorted, written and read as JSON; then bodies move and a queue of queens
-- is placed. What is printed is a digest of all that.
local seed = 1
local function below(n)
  seed = (seed * 1103515245 + 12345) & 0x7fffffff
  return (seed >> 8) % n
end
local digest = 1
local function mix(text)
  for i = 1, #text do digest = ((digest ~ text:byte(i)) * 16777619) & 0xffffffff end
end

local methods = { "GET", "PUT", "POST", "DELETE" }
local lines = {}
for i = 1, 15000 do
  lines[i] = string.format('10.0.%d.%d [%d] "%s /fn/%s%d?q=%d" %d %d', below(4), below(250), i, methods[below(4) + 1],
    string.char(97 + below(8)), below(40), below(9), ({ 200, 200, 200, 404, 500 })[below(5) + 1], below(90000))
end
local log = table.concat(lines, "\n")

local Group = {}
Group.__index = Group
function Group.new(path) return setmetatable({ path = path, count = 0, bytes = 0, failed = 0, ips = {} }, Group) end
function Group:add(ip, status, bytes)
  self.count, self.bytes = self.count + 1, self.bytes + bytes
  if status >= 400 then self.failed = self.failed + 1 end
  self.ips[ip] = (self.ips[ip] or 0) + 1
end

local groups, rows = {}, {}
for line in log:gmatch("[^\n]+") do
  local ip, _, _, path, _, status, bytes = line:match('^([%d.]+) %[(%d+)%] "(%u+) ([^?"]+)%?q=(%d)" (%d+) (%d+)$')
  local g = groups[path]
  if not g then
    g = Group.new(path)
    groups[path] = g
    rows[#rows + 1] = g
  end
  g:add(ip, tonumber(status), tonumber(bytes))
end
table.sort(rows, function(a, b) return a.count > b.count or a.count == b.count and a.path < b.path end)

local encode
local function quote(s) return '"' .. s:gsub('[%c"\\]', function(c) return string.format("\\u%04x", c:byte()) end) .. '"' end
function encode(v, out)
  if type(v) == "string" then
    out[#out + 1] = quote(v)
  elseif type(v) ~= "table" then
    out[#out + 1] = tostring(v)
  elseif #v > 0 then
    for i, x in ipairs(v) do
      out[#out + 1] = i == 1 and "[" or ","
      encode(x, out)
    end
    out[#out + 1] = "]"
  else
    local keys = {}
    for k in pairs(v) do keys[#keys + 1] = k end
    table.sort(keys)
    for i, k in ipairs(keys) do
      out[#out + 1] = (i == 1 and "{" or ",") .. quote(k) .. ":"
      encode(v[k], out)
    end
    out[#out + 1] = #keys == 0 and "{}" or "}"
  end
  return out
end

local function decode(text, at)
  at = text:find("%S", at)
  local c = text:sub(at, at)
  if c == '"' then
    local to = text:find('"', at + 1, true)
    return text:sub(at + 1, to - 1), to + 1
  elseif c == "[" or c == "{" then
    local v, close = {}, c == "[" and "]" or "}"
    at = at + 1
    while text:sub(at, at) ~= close do
      local key, item
      if c == "{" then
        key, at = decode(text, at)
        at = at + 1
      else
        key = #v + 1
      end
      item, at = decode(text, at)
      v[key] = item
      if text:sub(at, at) == "," then at = at + 1 end
    end
    return v, at + 1
  end
  local number = text:match("^-?[%d.]+", at)
  return math.tointeger(tonumber(number)) or tonumber(number), at + #number
end
local document = table.concat(encode(rows, {}))
mix(document)
local back = decode(document, 1)
mix(table.concat(encode(back, {})))

local bodies = {}
for i = 1, 5 do
  bodies[i] = { x = below(4000) / 100, y = below(4000) / 100, z = below(4000) / 100, vx = 0, vy = 0, vz = 0, mass = below(100) / 10 }
end
for _ = 1, 12000 do
  for i = 1, #bodies do
    local a = bodies[i]
    for j = i + 1, #bodies do
      local b = bodies[j]
      local dx, dy, dz = a.x - b.x, a.y - b.y, a.z - b.z
      local square = dx * dx + dy * dy + dz * dz + 0.01
      local pull = 0.001 / (square * math.sqrt(square))
      a.vx, a.vy, a.vz = a.vx - dx * b.mass * pull, a.vy - dy * b.mass * pull, a.vz - dz * b.mass * pull
      b.vx, b.vy, b.vz = b.vx + dx * a.mass * pull, b.vy + dy * a.mass * pull, b.vz + dz * a.mass * pull
    end
  end
  for _, b in ipairs(bodies) do b.x, b.y, b.z = b.x + 0.001 * b.vx, b.y + 0.001 * b.vy, b.z + 0.001 * b.vz end
end
for _, b in ipairs(bodies) do mix(string.format("%.6f %.6f %.6f", b.x, b.y, b.z)) end

local function queens(row, n, columns, up, down)
  if row > n then return 1 end
  local found = 0
  for c = 1, n do
    if not columns[c] and not up[row + c] and not down[row - c + n] then
      columns[c], up[row + c], down[row - c + n] = true, true, true
      found = found + queens(row + 1, n, columns, up, down)
      columns[c], up[row + c], down[row - c + n] = nil, nil, nil
    end
  end
  return found
end
mix(tostring(queens(1, 7, {}, {}, {})))
print(string.format("%x", digest))
