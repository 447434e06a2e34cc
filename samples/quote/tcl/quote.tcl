# quote, in Tcl: whatever the request is, it is not read. The reply is a random number and a quote.

set quotes {"Simple is beautiful." "Measure, then cut." "Every call is a new process."}
set number [expr {int(rand() * (1 << 48))}]
puts "$number [lindex $quotes [expr {$number % 3}]]"
