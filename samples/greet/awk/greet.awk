# greet, in AWK: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on stdout and one log
# line on stderr; a bad request is exit code 65.
#
# Quotes separate the records: one is outside strings, the next is a string, and so on. Nothing is collected but the
# name, so long requests take little memory.

BEGIN {
    RS = "\""
    MAX_DEPTH = 100
    state = "value" # what may come next: value, value or ], name, name or }, colon, comma or end

    # A string between its quotes: UTF-8 (RFC 3629) without control characters, escapes, and surrogates in pairs only.
    t = "[\200-\277]"
    plain = "[ !#-\\[\\]-\177]|[\302-\337]" t "|\340[\240-\277]" t "|[\341-\354\356\357]" t t "|\355[\200-\237]" t \
        "|\360[\220-\277]" t t "|[\361-\363]" t t t "|\364[\200-\217]" t t
    h = "[0-9a-fA-F]"
    escape = "\\\\[\"\\\\/bfnrt]|\\\\u([0-9a-cefA-CEF]" h "|[dD][0-7])" h h \
        "|\\\\u[dD][89abAB]" h h "\\\\u[dD][c-fC-F]" h h
    STRING = "^(" plain "|" escape ")*$"
    LITERAL = "^(true|false|null|-?(0|[1-9][0-9]*)(\\.[0-9]+)?([eE][-+]?[0-9]+)?)$"
    NAME = "^(n|\\\\u006[eE])(a|\\\\u0061)(m|\\\\u006[dD])(e|\\\\u0065)$"

    for (i = 0; i < 256; i++) hex[sprintf("%02x", i)] = i
    for (i = 0; i < 32; i++) quoted[i] = sprintf("\\u%04x", i)
    quoted[8] = "\\b"; quoted[9] = "\\t"; quoted[10] = "\\n"; quoted[12] = "\\f"; quoted[13] = "\\r"
    quoted[34] = "\\\""; quoted[92] = "\\\\"
}

!inside {
    outside($0)
    inside = 1
    next
}

match($0, /\\+$/) && RLENGTH % 2 { # the quote behind it was escaped
    text = text $0 "\""
    next
}

{
    string(text $0)
    text = ""
    inside = 0
}

END {
    if (failed) exit
    if (state != "end") fail("not JSON")
    if (!found) fail("no string member \"name\"")
    n = split(name, part, "\\")
    write("greeting ", "", "/dev/stderr")
    write("{\"greeting\":\"Hello, ", "!\"}", "/dev/stdout")
}

function fail(reason) {
    print "bad input: " reason > "/dev/stderr"
    failed = 1
    exit 65
}

# outside takes what is between two strings, some of it at a time.
function outside(s, i, slice, rest, token, n, k) {
    if (s ~ /[^][{}:, \t\r\n0-9a-zA-Z.+-]/) fail("not JSON")
    for (i = 1; i <= length(s); i += 32768) {
        slice = rest substr(s, i, 32768)
        rest = ""
        if (match(slice, /[^][{}:, \t\r\n]+$/)) { # it may go on in the next slice
            rest = substr(slice, RSTART)
            slice = substr(slice, 1, RSTART - 1)
        }
        gsub(/[][{}:,]/, " & ", slice)
        n = split(slice, token, /[ \t\r\n]+/)
        for (k = 1; k <= n; k++) if (token[k] != "") take(token[k])
    }
    if (rest != "") take(rest)
}

# take takes a token that is no string.
function take(t) {
    if (t == "{" || t == "[") {
        begin()
        if (depth == 0 && t == "[") fail("not a JSON object")
        if (++depth > MAX_DEPTH) fail("nested too deep")
        open[depth] = t
        state = t == "{" ? "name}" : "value]"
    } else if (t == "}" || t == "]") {
        if (depth == 0 || open[depth] != (t == "}" ? "{" : "[")) fail("not JSON")
        if (state != "comma" && state != "name}" && state != "value]") fail("not JSON")
        depth--
        done()
    } else if (t == "," && state == "comma") {
        state = open[depth] == "{" ? "name" : "value"
    } else if (t == ":" && state == "colon") {
        state = "value"
    } else {
        if (t !~ LITERAL) fail("not JSON")
        begin()
        done()
    }
}

# begin is where a value begins, done where one ends.
function begin() {
    if (state != "value" && state != "value]") fail("not JSON")
}

function done() {
    if (depth == 1 && named) found = 0
    state = depth ? "comma" : "end"
}

# string takes what is between two quotes: the name of a member, or a value.
function string(s) {
    if (s !~ STRING) fail("not UTF-8, or a bad escape or control character in a string")
    if (state == "name" || state == "name}") {
        if (depth == 1) named = s ~ NAME
        state = "colon"
        return
    }
    begin()
    if (depth == 0) fail("not a JSON object")
    done()
    if (depth == 1 && named) {
        found = 1
        name = s
    }
}

# write writes the parts of the name between two texts. Each part but the first follows a backslash.
function write(before, after, to, i) {
    printf "%s%s", before, part[1] > to
    for (i = 2; i <= n; i++) {
        if (part[i] == "") printf "\\\\%s", part[++i] > to # an escaped backslash
        else if (part[i] !~ /^u/) printf "%s%s", short(substr(part[i], 1, 1)), substr(part[i], 2) > to
        else i = unicode(i, to)
    }
    print after > to
}

function short(c) {
    return c == "/" ? c : "\\" c
}

# unicode writes part i, \uXXXX and what follows, and the second one of a pair. It returns the last one written.
function unicode(i, to, code) {
    code = unit(part[i])
    if (code >= 55296 && code < 56320) code = 65536 + (code - 55296) * 1024 + unit(part[++i]) - 56320
    printf "%s%s", code in quoted ? quoted[code] : utf8(code), substr(part[i], 6) > to
    return i
}

# unit returns the number that uXXXX is.
function unit(s) {
    s = tolower(s)
    return hex[substr(s, 2, 2)] * 256 + hex[substr(s, 4, 2)]
}

function utf8(code) {
    if (code < 128) return sprintf("%c", code)
    if (code < 2048) return sprintf("%c%c", 192 + int(code / 64), 128 + code % 64)
    if (code < 65536) return sprintf("%c%c%c", 224 + int(code / 4096), 128 + int(code / 64) % 64, 128 + code % 64)
    return sprintf("%c%c%c%c", 240 + int(code / 262144), 128 + int(code / 4096) % 64, 128 + int(code / 64) % 64, 128 + code % 64)
}
