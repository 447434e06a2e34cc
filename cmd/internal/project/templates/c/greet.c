// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
#include <stdio.h>

int main(void) {
  char name[1024] = "";
  size_t length = fread(name, 1, sizeof name - 1, stdin);
  while (length > 0 && name[length - 1] == '\n') name[--length] = 0;
  if (length == 0) {
    fprintf(stderr, "bad input: want a name\n");
    return 65;
  }
  fprintf(stderr, "greeting %s\n", name);
  printf("Hello, %s!\n", name);
  return 0;
}
