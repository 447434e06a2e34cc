// quote, in Swift: whatever the request is, it is not read. The reply is a random number and a quote.

let quotes: [StaticString] = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."]

@_cdecl("swift_main")
func run() {
  var number: UInt64 = 0
  if getentropy(&number, 8) != 0 { exit(70) }
  var reply: [UInt8] = [32]
  for i in 0..<quotes[Int(number % 3)].utf8CodeUnitCount { reply.append(quotes[Int(number % 3)].utf8Start[i]) }
  reply.append(10)
  repeat {
    reply.insert(UInt8(48 + number % 10), at: 0)
    number /= 10
  } while number > 0
  _ = write(1, reply, UInt(reply.count))
}
