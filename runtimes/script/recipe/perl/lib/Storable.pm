# Storable.pm: what other modules need of the module of this name, which the npm build of Perl does not have.
package Storable;

use strict;
use warnings;
use Exporter 'import';

our @EXPORT_OK = ('dclone');
our $VERSION   = '3.37';

# Returns a deep copy of a value. An object is copied as what it is made of.
sub dclone {
    my ( $value, $seen ) = ( @_, {} );
    my $type = ref $value or return $value;
    return $seen->{$value} if $seen->{$value};
    my $class = "$value" =~ /=/ ? $type : undef;
    my $copy;
    if ( UNIVERSAL::isa( $value, 'HASH' ) ) {
        $seen->{$value} = $copy = {};
        %$copy = map { $_ => dclone( $value->{$_}, $seen ) } keys %$value;
    }
    elsif ( UNIVERSAL::isa( $value, 'ARRAY' ) ) {
        $seen->{$value} = $copy = [];
        @$copy = map { dclone( $_, $seen ) } @$value;
    }
    elsif ( UNIVERSAL::isa( $value, 'SCALAR' ) || UNIVERSAL::isa( $value, 'REF' ) ) {
        my $inner = dclone( $$value, $seen );
        $seen->{$value} = $copy = \$inner;
    }
    else {
        die "cannot copy a $type";
    }
    return $class ? bless $copy, $class : $copy;
}

1;
