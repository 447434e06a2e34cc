# The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
set name [string trim [read stdin]]
if {$name eq ""} {
    puts stderr "bad input: want a name"
    exit 65
}

puts stderr "greeting $name"
puts "Hello, $name!"
