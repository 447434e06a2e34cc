// port.h: what comes in front of each file of jq.

#include <stdlib.h>
#include <unistd.h>

// jq_environment is the environment: an empty one where the script does not name it, since jq itself always asks.
char **jq_environment(void);

#undef environ
#define environ (jq_environment())
#define getenv(name) NULL // HOME

// jq_seed is the seed of hashes: always the same before stdin is read.
unsigned jq_seed(void);

#define HAVE_ARC4RANDOM 1
#define arc4random jq_seed
