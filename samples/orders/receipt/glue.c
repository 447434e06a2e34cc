/* What Nim's generated C needs and wasi-libc does not have. */

/* There are no threads, so there is nothing to lock; the int result counts, a void stub traps. */
int flockfile(void *file) { (void)file; return 0; }
int funlockfile(void *file) { (void)file; return 0; }

/* Nim's own main has three arguments, which this target refuses: the build has --noMain. */
void NimMain(void);
int main(void) {
  NimMain();
  return 0;
}
