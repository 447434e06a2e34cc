# quote, in Ruby: whatever the request is, it is not read. The reply is a random number and a quote.

QUOTES = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."]
number = rand(2**60)
puts "#{number} #{QUOTES[number % 3]}"
