# quote, in AWK: whatever the request is, it is not read. The reply is a random number and a quote.

BEGIN {
    quotes[0] = "Simple is beautiful."
    quotes[1] = "Measure, then cut."
    quotes[2] = "Every call is a new process."
    srand()
    number = int(rand() * 2 ^ 31)
    print number, quotes[number % 3]
}
