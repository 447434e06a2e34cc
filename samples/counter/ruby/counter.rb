# counter, in Ruby: a name on stdin becomes the number of times that it was sent. The number is the key of that name
# in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit code 65.

BAD_DATA = 65

name = $stdin.binmode.read.delete_suffix("\n")
unless name.match?(/\A[A-Za-z0-9_-]{1,64}\z/)
  warn "bad input: want a name of 1 to 64 letters, digits, - and _"
  exit BAD_DATA
end

path = "/kv/counters/#{name}"
begin
  count = Integer(File.read(path).strip, 10)
rescue Errno::ENOENT
  count = 0
rescue ArgumentError
  abort "#{path} is no number"
end
File.write(path, count + 1)
puts count + 1
