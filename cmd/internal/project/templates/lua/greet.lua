-- The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
local name = io.read("a"):match("^%s*(.-)%s*$")
if name == "" then
  io.stderr:write("bad input: want a name\n")
  os.exit(65)
end

io.stderr:write("greeting ", name, "\n")
print("Hello, " .. name .. "!")
