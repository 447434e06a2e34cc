// glue.c: where the process begins.

void swift_main(void);

int main(void) {
  swift_main();
  return 0;
}
