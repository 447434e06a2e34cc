// quote, in AssemblyScript: whatever the request is, it is not read. The reply is a random number and a quote.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, iovs: usize, iovsLen: usize, nwritten: usize): u16;
// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "random_get")
declare function random_get(to: usize, length: usize): u16;

const QUOTES = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."];
const place = memory.data(16);

random_get(place, 8);
const number = load<u64>(place);
const reply = String.UTF8.encode(number.toString() + " " + QUOTES[<i32>(number % 3)] + "\n");
store<usize>(place, changetype<usize>(reply));
store<usize>(place + 4, reply.byteLength);
fd_write(1, place, 1, place + 8);
