## quote, in Nim: whatever the request is, it is not read. The reply is a random number and a quote. What std/random seeds itself with is not
## to be had on this target.

{.compile: "../../greet/nim/glue.c".}

proc getentropy(to: pointer, length: csize_t): cint {.importc, header: "<unistd.h>".}

const quotes = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."]

var number: uint64
if getentropy(addr number, csize_t(sizeof(number))) != 0:
  quit(70)
stdout.write $number & " " & quotes[number mod 3] & "\n"
