# The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
require "json"

begin
  name = JSON.parse($stdin.read).fetch("name")
rescue JSON::ParserError, KeyError, NoMethodError
  warn 'bad input: want {"name":"..."}'
  exit 65
end

warn "greeting #{name}"
puts JSON.generate(greeting: "Hello, #{name}!")
