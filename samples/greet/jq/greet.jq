#!/usr/bin/jq -rf
# greet, in jq: a request {"name":"Ada"} becomes the reply {"greeting":"Hello, Ada!"} and one log line; a bad request
# is exit code 65. What is no strict JSON does not get here. The letter r above lets strings be written as they are.

def bad: "bad input: \(.)\n" | halt_error(65);

# Whether a value is nested deeper than n levels.
def deeper(n): if type != "object" and type != "array" then false elif n == 0 then true else any(.[]; deeper(n - 1)) end;

# A string as it stands between the quotes of JSON. jq would escape U+007F too.
def quoted: split("\u007f") | map(tojson[1:-1]) | join("\u007f");

if type != "object" then "not a JSON object" | bad
elif deeper(100) then "nested too deep" | bad
elif .name | type != "string" then "no string member \"name\"" | bad
else
  .name | quoted
  | ("greeting \(.)\n" | stderr | empty),
    "{\"greeting\":\"Hello, \(.)!\"}"
end
