# quote, in Perl: whatever the request is, it is not read. The reply is a random number and a quote.

use v5.36;

my @quotes = ( "Simple is beautiful.", "Measure, then cut.", "Every call is a new process." );
my $number = int rand 2**48;
say "$number $quotes[$number % 3]";
