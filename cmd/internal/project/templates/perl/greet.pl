# The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
use v5.36;

chomp( my $name = <STDIN> // '' );
if ( $name eq '' ) {
    print STDERR "bad input: want a name\n";
    exit 65;
}

print STDERR "greeting $name\n";
say "Hello, $name!";
