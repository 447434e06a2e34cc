# quote, in Python: whatever the request is, it is not read. The reply is a random number and a quote.

import random

QUOTES = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."]
number = random.getrandbits(60)
print(number, QUOTES[number % 3])
