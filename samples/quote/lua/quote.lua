-- quote, in Lua: whatever the request is, it is not read. The reply is a random number and a quote.

local quotes = { "Simple is beautiful.", "Measure, then cut.", "Every call is a new process." }
local number = math.random(0, math.maxinteger)
print(number, quotes[number % 3 + 1])
