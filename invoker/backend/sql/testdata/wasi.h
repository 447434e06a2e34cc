// What SQLite's way to files wants and WASI does not have: modes, users and locks.

#include <fcntl.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#define F_RDLCK 0
#define F_WRLCK 1
#define F_UNLCK 2
#define F_GETLK 5
#define F_SETLK 6

static inline int fchmod(int file, mode_t mode) { return (void)file, (void)mode, 0; }
static inline int fchown(int file, uid_t user, gid_t group) { return (void)file, (void)user, (void)group, 0; }
static inline uid_t geteuid(void) { return 1; }
static inline int getpagesize(void) { return 65536; }
