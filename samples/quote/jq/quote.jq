#!/usr/bin/jq -nrf
# quote, in jq: whatever the request is, it is not read. The reply is a number that is another one in each call, the time, as there are no
# random ones, and a quote.

["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."] as $quotes |
(now * 1000000 | floor) as $number |
"\($number) \($quotes[$number % 3])"
