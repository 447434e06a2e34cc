/// quote, in D: whatever the request is, it is not read. The reply is a random number and a quote.
module quote;

extern (C) int getentropy(void* to, size_t length);
extern (C) int printf(const(char)* format, ...);

extern (C) int main()
{
    ulong number;
    if (getentropy(&number, number.sizeof) != 0)
        return 70;
    immutable(char)*[3] quotes = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."];
    printf("%llu %s\n", number, quotes[number % 3]);
    return 0;
}
