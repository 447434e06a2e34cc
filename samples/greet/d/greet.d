/// greet, in D: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on stdout
/// and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh.
///
/// This is D as -betterC has it: all of the language but what needs its own runtime, which this target has not.
module greet;

enum maxDepth = 100;
enum badData = 65;

// What is used of the C library; LDC 1.30's core.stdc does not know this target.
extern (C) noreturn exit(int code);
extern (C) void* realloc(void* memory, size_t size);
extern (C) ptrdiff_t read(int fd, void* to, size_t length);
extern (C) ptrdiff_t write(int fd, const void* from, size_t length);

extern (C) int main()
{
    auto request = Request(readAll(0));
    const name = escaped(request.readName());
    writeAll(2, "greeting ", name, "\n");
    writeAll(1, `{"greeting":"Hello, `, name, "!\"}\n");
    return 0;
}

noreturn fail(string reason)
{
    writeAll(2, "bad input: ", reason, "\n");
    exit(badData);
}

/// A row of characters that grows. Nothing is freed: a process lives for one request.
struct Buffer
{
    private char* memory;
    private size_t length, capacity;

    const(char)[] text() const
    {
        return memory[0 .. length];
    }

    /// Makes room for n more characters and returns it.
    char[] room(size_t n)
    {
        if (length + n > capacity)
        {
            capacity = 2 * capacity + n;
            memory = cast(char*) realloc(memory, capacity);
            if (!memory)
                fail("too large for the memory");
        }
        return memory[length .. capacity];
    }

    void opOpAssign(string op : "~")(char c)
    {
        room(1)[0] = c;
        length++;
    }

    void opOpAssign(string op : "~")(const(char)[] s)
    {
        room(s.length)[0 .. s.length] = s;
        length += s.length;
    }

    /// Appends a code point in UTF-8.
    void opOpAssign(string op : "~")(dchar rune)
    {
        void tail(int shift)
        {
            this ~= cast(char)(0x80 | rune >> shift & 0x3F);
        }

        if (rune < 0x80)
        {
            this ~= cast(char) rune;
        }
        else if (rune < 0x800)
        {
            this ~= cast(char)(0xC0 | rune >> 6);
            tail(0);
        }
        else if (rune < 0x10000)
        {
            this ~= cast(char)(0xE0 | rune >> 12);
            tail(6);
            tail(0);
        }
        else
        {
            this ~= cast(char)(0xF0 | rune >> 18);
            tail(12);
            tail(6);
            tail(0);
        }
    }
}

const(char)[] readAll(int fd)
{
    Buffer all;
    for (;;)
    {
        auto room = all.room(65_536);
        const n = read(fd, room.ptr, room.length);
        if (n < 0)
            fail("stdin cannot be read");
        if (n == 0)
            return all.text;
        all.length += n;
    }
}

void writeAll(int fd, const(char)[][] parts...)
{
    Buffer all;
    foreach (part; parts)
        all ~= part;
    for (auto left = all.text; left.length > 0;)
    {
        const n = write(fd, left.ptr, left.length);
        if (n < 0)
            exit(1);
        left = left[n .. $];
    }
}

/// One JSON object, read strictly as RFC 8259 has it; only its member "name" is kept.
struct Request
{
    private const(char)[] rest; // what is not yet read

    const(char)[] readName()
    {
        bool found;
        const(char)[] name;
        if (peek() != '{')
            fail("not a JSON object");
        sequence!('{', '}')(1, {
            peek();
            const key = readString();
            expect(':');
            if (key != "name")
            {
                value(2);
                return;
            }
            found = peek() == '"'; // the last one counts
            if (found)
                name = readString();
            else
                value(2);
        });
        peek();
        if (rest.length)
            fail("more than one JSON value");
        if (!found)
            fail(`no string member "name"`);
        return name;
    }

    /// The character i places ahead, a zero character behind the end: JSON allows none.
    private char ahead(size_t i) const
    {
        return i < rest.length ? rest[i] : '\0';
    }

    /// Passes over white space and returns the character behind it.
    private char peek()
    {
        while (accept(' ') || accept('\t') || accept('\n') || accept('\r'))
        {
        }
        return ahead(0);
    }

    private bool accept(char c)
    {
        if (rest.length == 0 || rest[0] != c)
            return false;
        rest = rest[1 .. $];
        return true;
    }

    private bool take(char c)
    {
        peek();
        return accept(c);
    }

    private void expect(char c)
    {
        if (!take(c))
            fail("not JSON");
    }

    /// Checks a value of any kind and passes over it.
    private void value(int depth)
    {
        switch (peek())
        {
        case '"':
            readString();
            break;
        case '[':
            sequence!('[', ']')(depth, { value(depth + 1); });
            break;
        case '{':
            sequence!('{', '}')(depth, {
                peek();
                readString();
                expect(':');
                value(depth + 1);
            });
            break;
        case 't':
            word("true");
            break;
        case 'f':
            word("false");
            break;
        case 'n':
            word("null");
            break;
        default:
            number();
        }
    }

    /// Reads elements between two brackets, with commas between them.
    private void sequence(char opening, char closing)(int depth, scope void delegate() element)
    {
        expect(opening);
        if (depth > maxDepth)
            fail("nested too deep");
        if (take(closing))
            return;
        do
            element();
        while (take(','));
        expect(closing);
    }

    private void word(string w)
    {
        foreach (c; w)
            if (!accept(c))
                fail("not JSON");
    }

    private void number()
    {
        accept('-');
        if (!accept('0'))
            digits();
        if (accept('.'))
            digits();
        if (accept('e') || accept('E'))
        {
            if (!accept('+'))
                accept('-');
            digits();
        }
    }

    private void digits()
    {
        const before = rest.length;
        while (ahead(0) >= '0' && ahead(0) <= '9')
            rest = rest[1 .. $];
        if (rest.length == before)
            fail("bad number");
    }

    private const(char)[] readString()
    {
        Buffer text;
        expect('"');
        while (!accept('"'))
        {
            if (ahead(0) < 0x20)
                fail("unfinished string or control character in it");
            if (accept('\\'))
            {
                text ~= escape();
                continue;
            }
            const length = utf8Length();
            if (length == 0)
                fail("not UTF-8");
            text ~= rest[0 .. length];
            rest = rest[length .. $];
        }
        return text.text;
    }

    /// The length of the UTF-8 sequence at hand, 0 where there is none: overlong forms, surrogates and
    /// everything above U+10FFFF are refused (RFC 3629).
    private int utf8Length() const
    {
        const first = ahead(0);
        if (first < 0x80)
            return 1;
        if (first < 0xC2 || first > 0xF4)
            return 0;
        const low = first == 0xE0 ? 0xA0 : first == 0xF0 ? 0x90 : 0x80;
        const high = first == 0xED ? 0x9F : first == 0xF4 ? 0x8F : 0xBF;
        if (ahead(1) < low || ahead(1) > high)
            return 0;
        const length = first < 0xE0 ? 2 : first < 0xF0 ? 3 : 4;
        foreach (i; 2 .. length)
            if ((ahead(i) & 0xC0) != 0x80)
                return 0;
        return length;
    }

    /// Reads what follows a backslash.
    private dchar escape()
    {
        static immutable from = `"\/bfnrt`, to = "\"\\/\b\f\n\r\t";
        if (accept('u'))
            return unicodeEscape();
        foreach (i, c; from)
            if (accept(c))
                return to[i];
        fail("bad escape");
    }

    private dchar unicodeEscape()
    {
        const high = hex4();
        if (high < 0xD800 || high > 0xDFFF)
            return high;
        if (high > 0xDBFF || !accept('\\') || !accept('u'))
            fail("lone surrogate");
        const low = hex4();
        if (low < 0xDC00 || low > 0xDFFF)
            fail("lone surrogate");
        return 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00);
    }

    private uint hex4()
    {
        uint value;
        foreach (_; 0 .. 4)
        {
            const c = ahead(0);
            value <<= 4;
            if (c >= '0' && c <= '9')
                value |= c - '0';
            else if ((c | 0x20) >= 'a' && (c | 0x20) <= 'f')
                value |= (c | 0x20) - 'a' + 10;
            else
                fail("bad \\u escape");
            rest = rest[1 .. $];
        }
        return value;
    }
}

/// A text as it stands between the quotes of a JSON string.
const(char)[] escaped(const(char)[] text)
{
    static immutable special = "\"\\\b\f\n\r\t", letter = `"\bfnrt`, hex = "0123456789abcdef";
    Buffer to;
    next: foreach (c; text)
    {
        foreach (i, s; special)
            if (c == s)
            {
                to ~= '\\';
                to ~= letter[i];
                continue next;
            }
        if (c < 0x20)
        {
            to ~= `\u00`;
            to ~= hex[c >> 4];
            to ~= hex[c & 0xF];
        }
        else
            to ~= c;
    }
    return to.text;
}
