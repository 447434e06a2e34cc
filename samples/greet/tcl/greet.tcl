# greet, in Tcl: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on stdout and one
# log line on stderr; a bad request is exit code 65.

set maxDepth 100

proc fail {reason} {
    puts stderr "bad input: $reason"
    exit 65
}

# Tokens of a request come as pairs: the kind and, of a string, what is between the quotes as it stands there. The
# kinds are { } [ ] , : string literal and, behind the last one, end.
proc tokens {json} {
    set tokens {}
    set string ""
    set inside 0
    foreach piece [split $json \"] {
        if {!$inside} {
            if {$piece in {: ,}} {
                lappend tokens $piece ""
            } else {
                outside $piece tokens
            }
            set inside 1
        } elseif {[string index $piece end] eq "\\" && [string length [string trimright $piece \\]] % 2 != [string length $piece] % 2} {
            append string $piece \" ;# the quote was escaped
        } else {
            lappend tokens string [append string $piece]
            set string ""
            set inside 0
        }
    }
    if {!$inside} { fail "unfinished string" }
    lappend tokens end ""
}

# outside appends what a piece outside strings has.
proc outside {piece tokens} {
    upvar $tokens list
    foreach token [regexp -all -inline {[][{}:,]|[^][{}:, \t\r\n]+} $piece] {
        if {$token ni {\{ \} \[ \] : ,}} {
            if {![regexp {^(true|false|null|-?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][-+]?[0-9]+)?)$} $token]} { fail "not JSON" }
            set token literal
        }
        lappend list $token ""
    }
}

# take returns whether the next token is of a kind, and passes over it then.
proc take {kind} {
    global tokens at
    if {[lindex $tokens $at] ne $kind} { return 0 }
    incr at 2
    return 1
}

proc expect {kind} {
    if {![take $kind]} { fail "not JSON" }
}

# text takes a string and returns it decoded.
proc text {} {
    global tokens at
    expect string
    set raw [lindex $tokens $at-1]
    if {[regexp {[\x01-\x1f]} $raw]} { fail "control character in a string" }
    if {[string first \\ $raw] < 0} { return $raw }
    decode [split $raw \\]
}

# decode joins the parts of a string between its backslashes.
proc decode {parts} {
    set short [dict create \" \" / / b \b f \f n \n r \r t \t]
    set text [lindex $parts 0]
    set high 0
    set literal 0 ;# the part stands behind a backslash that is meant as such
    foreach part [lrange $parts 1 end] {
        if {$literal} {
            append text $part
            set literal 0
            continue
        }
        set first [string index $part 0]
        if {$high && $first ne "u"} { fail "lone surrogate" }
        if {$first eq "u"} {
            if {![regexp {^u([0-9a-fA-F][0-9a-fA-F][0-9a-fA-F][0-9a-fA-F])(.*)$} $part all digits rest]} { fail "bad \\u escape" }
            set code [expr {"0x$digits"}]
            if {$high ? $code < 0xdc00 || $code > 0xdfff : $code >= 0xdc00 && $code <= 0xdfff} { fail "lone surrogate" }
            if {$high} {
                set code [expr {0x10000 + (($high - 0xd800) << 10) + $code - 0xdc00}]
                set high 0
            } elseif {$code >= 0xd800 && $code <= 0xdbff} {
                if {$rest ne ""} { fail "lone surrogate" }
                set high $code
                continue
            }
            append text [format %c $code] $rest
        } elseif {$part eq ""} {
            append text \\
            set literal 1
        } elseif {[dict exists $short $first]} {
            append text [dict get $short $first] [string range $part 1 end]
        } else {
            fail "bad escape"
        }
    }
    if {$high} { fail "lone surrogate" }
    return $text
}

# value passes over a value of any kind.
proc value {depth} {
    global tokens at
    switch -- [lindex $tokens $at] {
        literal { incr at 2 }
        string { text }
        \[ { array $depth }
        \{ { object $depth {} }
        default { fail "not JSON" }
    }
}

proc array {depth} {
    if {$depth > $::maxDepth} { fail "nested too deep" }
    expect \[
    if {[take \]]} return
    value [incr depth]
    while {[take ,]} { value $depth }
    expect \]
}

# object passes over an object and returns the last string member with a wanted name, as a list: an empty one if there is none.
proc object {depth wanted} {
    global tokens at
    if {$depth > $::maxDepth} { fail "nested too deep" }
    set found {}
    expect \{
    if {[take \}]} { return $found }
    incr depth
    while 1 {
        set name [text]
        expect :
        if {$name ne $wanted} {
            value $depth
        } elseif {[lindex $tokens $at] eq "string"} {
            set found [list [text]]
        } else {
            value $depth
            set found {}
        }
        if {![take ,]} break
    }
    expect \}
    return $found
}

# quoted returns text as it stands between the quotes of a JSON string.
proc quoted {text} {
    if {![regexp {[\x01-\x1f"\\]} $text] && [string first \0 $text] < 0} { return $text }
    string map $::escapes $text
}

set escapes [list \" \\\" \\ \\\\ \b \\b \f \\f \n \\n \r \\r \t \\t]
for {set i 0} {$i < 32} {incr i} {
    if {[format %c $i] ni $escapes} { lappend escapes [format %c $i] [format \\u%04x $i] }
}

set body [read stdin]
if {[catch { encoding convertfrom -profile strict utf-8 $body }]} { fail "not UTF-8" }
if {[string first \0 $body] >= 0} { fail "zero byte" }
set tokens [tokens $body]
set at 0
if {[lindex $tokens 0] ne "\{"} { fail "not a JSON object" }
set names [object 1 name]
if {[lindex $tokens $at] ne "end"} { fail "more than one JSON value" }
if {[llength $names] == 0} { fail "no string member \"name\"" }

set who [quoted [lindex $names 0]]
puts stderr "greeting $who"
puts "{\"greeting\":\"Hello, $who!\"}"
