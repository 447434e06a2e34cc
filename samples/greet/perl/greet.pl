# greet, in Perl: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
# stdout and one log line on stderr; a bad request is exit code 65.

use v5.36;
no warnings 'recursion';

use constant { MAX_DEPTH => 100, BAD_DATA => 65 };

my %ESCAPED = ( b => "\b", f => "\f", n => "\n", r => "\r", t => "\t" );
my %ESCAPE  = reverse( %ESCAPED, '"' => '"', '\\' => '\\' );

my $HEX  = qr/[0-9a-fA-F]/;
my $HIGH = qr/[dD][89abAB]/;
my $LOW  = qr/[dD][c-fC-F]/;

sub bad_input ($reason) {
    print STDERR "bad input: $reason\n";
    exit BAD_DATA;
}

# What follows reads JSON as RFC 8259 has it, from where pos is in $_. (JSON::PP would let half of a surrogate pair
# pass.) Strings stay UTF-8. Values other than strings, arrays and objects are not needed here, so they are undef.

# Passes over a mark, and white space in front of it, if it is there.
sub take ($mark) {
    /\G[ \t\r\n]+/gc;
    substr( $_, pos, 1 ) eq $mark or return 0;
    pos = pos() + 1;
    return 1;
}

sub expect ($mark) {
    take($mark) or bad_input( "not JSON at byte " . pos );
}

sub read_value ($depth) {
    return read_object($depth) if take('{');
    return read_array($depth)  if take('[');
    return read_string()       if take('"');
    /\G(?:true|false|null)/gc or /\G-?(?:0|[1-9][0-9]*)(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?/gc
      or bad_input( "not JSON at byte " . pos );
    return undef;
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
        if    (/\G([^"\\\x00-\x1f]+)/gc)                 { $text .= $1 }
        elsif (m{\G\\(["\\/bfnrt])}gc)                   { $text .= $ESCAPED{$1} // $1 }
        elsif (/\G\\u(?!$HIGH|$LOW)($HEX{4})/gc)         { $text .= utf8_of( hex $1 ) }
        elsif (/\G\\u($HIGH$HEX{2})\\u($LOW$HEX{2})/gc)  { $text .= utf8_of( pair( $1, $2 ) ) }
        else                                             { bad_input( "bad string at byte " . pos ) }
    }
    return $text;
}

# Returns the code point of a surrogate pair.
sub pair ( $high, $low ) {
    return 0x10000 + ( hex($high) - 0xD800 << 10 ) + hex($low) - 0xDC00;
}

sub utf8_of ($code) {
    my $text = chr $code;
    utf8::encode($text);
    return $text;
}

# Tells whether some bytes are UTF-8 as RFC 3629 has it. Perl's own goes beyond Unicode.
sub is_utf8 ($bytes) {
    return utf8::decode($bytes) && $bytes !~ /[\x{D800}-\x{DFFF}]|[^\x{0}-\x{10FFFF}]/;
}

# Reads a request and returns its member "name".
sub read_name ($body) {
    is_utf8($body) or bad_input("not UTF-8");
    local $_ = $body;
    pos = 0;
    my $request = read_value(1);
    /\G[ \t\r\n]*\z/gc      or bad_input("more than one JSON value");
    ref $request eq 'HASH' or bad_input("not a JSON object");
    my $name = $request->{name};
    defined $name && !ref $name or bad_input('no string member "name"');
    return $name;
}

# Returns a string as it stands between the quotes of a JSON string.
sub escaped ($text) {
    return $text =~ s{(["\\\x00-\x1f])}{ $ESCAPE{$1} ? "\\$ESCAPE{$1}" : sprintf '\\u%04x', ord $1 }ger;
}

my $body = do { local $/; <STDIN> };
my $who  = escaped( read_name( $body // '' ) );
print STDERR "greeting $who\n";
print qq({"greeting":"Hello, $who!"}\n);
