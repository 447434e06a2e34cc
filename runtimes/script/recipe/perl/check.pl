# check.pl ENTRY: checks the syntax of a script without running it. Modules that it uses are loaded, as Perl needs
# them to read on; nothing else is run.
use strict;
use warnings;

my ($entry) = @ARGV;
my $name = $entry =~ s{^/script/}{}r;

# Declared before anything else, so that the script sees none of the names above or below.
sub main::polyvoke_compile { no strict; no warnings; return eval "package main; return 1;\n#line 1 \"$_[1]\"\n$_[0]" }

open my $in, '<', $entry or die "$name:1: $!\n";
my $source = do { local $/; <$in> };
close $in;

exit 0 if polyvoke_compile( $source, $name );
for my $line ( split /\n/, $@ ) {
    if    ( $line =~ /^(.*?) at (\S+) line (\d+)[.,]?(.*)$/ ) { print STDERR "$2:$3: $1$4\n" }
    elsif ( $line =~ /\S/ )                                    { print STDERR "$line\n" }
}
exit 65;
