// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
// This is Embedded Swift, which has no Foundation: glue.h has what is used of the C library.
func say(_ fd: Int32, _ text: StaticString) {
  _ = write(fd, text.utf8Start, UInt(text.utf8CodeUnitCount))
}

@_cdecl("swift_main")
func run() {
  var name = [UInt8](repeating: 0, count: 4096)
  var length = name.withUnsafeMutableBufferPointer { read(0, $0.baseAddress!, UInt($0.count)) }
  while length > 0 && name[Int(length) - 1] == 0x0A { length -= 1 }
  if length <= 0 {
    say(2, "bad input: want a name\n")
    exit(65)
  }
  say(2, "greeting somebody\n")
  say(1, "Hello, ")
  _ = name.withUnsafeBufferPointer { write(1, $0.baseAddress!, UInt(length)) }
  say(1, "!\n")
}
