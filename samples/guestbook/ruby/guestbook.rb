# guestbook, in Ruby: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request
# writes nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.

BAD_DATA = 65
FOLDER = "/kv/guests"

request = $stdin.binmode.read.delete_suffix("\n")
unless request.empty?
  found = /\A([A-Za-z0-9_-]{1,64}) ([^\n\0]{1,200})\z/n.match(request)
  unless found
    warn "bad input: want a name of 1 to 64 letters, digits, - and _, and a text of 1 to 200 bytes"
    exit BAD_DATA
  end
  File.binwrite("#{FOLDER}/#{found[1]}", found[2])
end
Dir.children(FOLDER).sort.each { |name| $stdout.write(name, ": ", File.binread("#{FOLDER}/#{name}"), "\n") }
