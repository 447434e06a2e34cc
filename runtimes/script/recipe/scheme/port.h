// port.h is included before each file of Chez Scheme: what WASI has not, and what must not differ between two starts.

#include <fcntl.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>
#include <__typedef_sigset_t.h>

// There are no signals.
typedef struct {
  int nothing;
} siginfo_t;
struct sigaction {
  sigset_t sa_mask;
  int sa_flags;
  void (*sa_handler)(int);
  void (*sa_sigaction)(int, siginfo_t *, void *);
};
#define SA_SIGINFO 0
#define SIG_UNBLOCK 0
#define sigemptyset(set) (*(set) = 0)
#define sigfillset(set) (*(set) = 0)
#define sigaddset(set, signal) ((void)*(set))
#define sigprocmask(how, set, old) ((void)(set))
#define sigaction(signal, action, old) ((void)(signal), (void)(action))

// There are no other programs, and no terminal.
#define WIFEXITED(status) (1)
#define WEXITSTATUS(status) (status)
#define WIFSIGNALED(status) (0)
#define WTERMSIG(status) (0)
#define WNOHANG 0
#define NOFILE 3
#define system(command) (-1)
#define dup(fd) (-1)
#define pipe(fds) (-1)
#define fork() (-1)
#define execl(...) (-1)
#define waitpid(...) (-1)
#define getpid() 1
#define isatty(fd) 0

// getenv is for what scripts ask for, not for where Scheme looks for its boot files.
char *scheme_getenv(const char *name);
#define getenv scheme_getenv

// Files have offsets of 64 bits.
#define lseek64 lseek
#define off64_t off_t

// scheme_left is the call from C that Scheme returns to next, or NULL: whoever is in between returns at once.
extern void *scheme_left;

// scheme_ended ends the process after an error that C has found and Scheme has dealt with. code is the exit code, as Scheme has it.
_Noreturn void scheme_ended(uint64_t code);

// scheme_seeded is set when the script has chosen a seed. scheme_seed returns the seed to go on from: a new one in its first use, and
// in the first one after stdin has been read.
extern int scheme_seeded;
uint32_t scheme_seed(uint32_t seed);
