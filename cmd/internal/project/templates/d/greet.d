// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
// This is D as -betterC has it, with the C library.
extern (C) ptrdiff_t read(int fd, void* to, size_t length);
extern (C) int dprintf(int fd, const(char)* format, ...);

extern (C) int main()
{
    char[1024] name;
    auto length = read(0, name.ptr, name.length);
    while (length > 0 && name[length - 1] == '\n')
        length--;
    if (length <= 0)
    {
        dprintf(2, "bad input: want a name\n");
        return 65;
    }
    dprintf(2, "greeting %.*s\n", cast(int) length, name.ptr);
    dprintf(1, "Hello, %.*s!\n", cast(int) length, name.ptr);
    return 0;
}
