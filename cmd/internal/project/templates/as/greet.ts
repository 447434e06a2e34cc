// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
@external("wasi_snapshot_preview1", "fd_read") declare function fd_read(fd: u32, list: usize, n: usize, moved: usize): u16;
@external("wasi_snapshot_preview1", "fd_write") declare function fd_write(fd: u32, list: usize, n: usize, moved: usize): u16;
@external("wasi_snapshot_preview1", "proc_exit") declare function proc_exit(code: u32): void;
const bytes = memory.data(4096), list = memory.data(12); // of one piece: its address, its length, and how much was moved

function write(fd: u32, text: string): void {
  const piece = String.UTF8.encode(text);
  store<usize>(list, changetype<usize>(piece));
  store<usize>(list, piece.byteLength, 4);
  fd_write(fd, list, 1, list + 8);
}
store<usize>(list, bytes);
store<usize>(list, 4096, 4);
fd_read(0, list, 1, list + 8);
const name = String.UTF8.decodeUnsafe(bytes, load<usize>(list, 8)).trim();
if (name == "") write(2, "bad input: want a name\n");
if (name == "") proc_exit(65);
write(2, "greeting " + name + "\n");
write(1, "Hello, " + name + "!\n");
