# polyvoke.pm: loaded before the script, so that its END block is the last one. The interpreter is left without
# being taken down, and what is still buffered would be lost.
package polyvoke;

END {
    my $status   = $?;
    my $selected = select STDOUT;
    $| = 1;
    select STDERR;
    $| = 1;
    select $selected;
    $? = $status;
}

1;
