# greet, in Perl: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
# stdout and one log line on stderr; a bad request is exit code 65.

use v5.36;

use constant { MAX_DEPTH => 100, BAD_DATA => 65 };

my %ESCAPED = ( b => "\b", f => "\f", n => "\n", r => "\r", t => "\t" );
my %ESCAPE  = reverse( %ESCAPED, '"' => '"', '\\' => '\\' );

sub bad_input ($reason) {
    print STDERR "bad input: $reason\n";
    exit BAD_DATA;
}

# What follows reads JSON as RFC 8259 has it, from where pos($_) is in $_. JSON::PP does it as well, but is slow, and
# lets half of a surrogate pair pass.

# Passes over a mark, and white space in front of it, if it is there.
sub take ($mark) { return /\G[ \t\r\n]*\Q$mark\E/gc }

sub expect ($mark) {
    take($mark) or bad_input( "not JSON at character " . pos );
}

sub read_value ($depth) {
    return read_object($depth) if take('{');
    return read_array($depth)  if take('[');
    return read_string()       if take('"');
    return undef if /\G(?:true|false|null)/gc;
    return undef if /\G-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/gc;
    bad_input( "not JSON at character " . pos );
}

sub read_object ($depth) {
    bad_input("nested too deep") if $depth > MAX_DEPTH;
    my %members;
    return \%members if take('}');
    do {
        expect('"');
        my $name = read_string();
        expect(':');
        $members{$name} = read_value( $depth + 1 );
    } while take(',');
    expect('}');
    return \%members;
}

sub read_array ($depth) {
    bad_input("nested too deep") if $depth > MAX_DEPTH;
    my @items;
    return \@items if take(']');
    do { push @items, read_value( $depth + 1 ) } while take(',');
    expect(']');
    return \@items;
}

# Reads what follows the quote that begins a string.
sub read_string () {
    my $text = '';
    until (/\G"/gc) {
        if    (/\G([^"\\\x00-\x1f]+)/gc)                                    { $text .= $1 }
        elsif (m{\G\\(["\\/bfnrt])}gc)                                      { $text .= $ESCAPED{$1} // $1 }
        elsif (/\G\\u(?![dD][89a-fA-F])([0-9a-fA-F]{4})/gc)                 { $text .= chr hex $1 }
        elsif (/\G\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})/gc) {
            $text .= chr( 0x10000 + ( hex($1) - 0xD800 << 10 ) + hex($2) - 0xDC00 );
        }
        else { bad_input( "bad string at character " . pos ) }
    }
    return $text;
}

# Returns a string as it stands between the quotes of a JSON string.
sub escaped ($text) {
    $text =~ s{(["\\\x00-\x1f])}{ $ESCAPE{$1} ? "\\$ESCAPE{$1}" : sprintf '\\u%04x', ord $1 }ge;
    return $text;
}

binmode STDOUT, ':utf8';
binmode STDERR, ':utf8';
binmode STDIN;
local $_ = do { local $/; <STDIN> } // '';
utf8::decode($_) && !/[\x{D800}-\x{DFFF}]|[^\x{0}-\x{10FFFF}]/ or bad_input("not UTF-8");
pos = 0;

my $request = read_value(1);
/\G[ \t\r\n]*\z/gc or bad_input("more than one JSON value");
ref $request eq 'HASH' or bad_input("not a JSON object");
my $name = $request->{name};
