// What the loads in AssemblyScript share: how to write, and numbers that are the same everywhere.

// @ts-ignore: decorator
@external("wasi_snapshot_preview1", "fd_write")
declare function fd_write(fd: u32, iovs: usize, iovsLen: usize, nwritten: usize): u16;

const iov = memory.data(12); // address, length, and the number of bytes written
const digits = memory.data(16);

/** Writes a digest in 16 hexadecimal digits. */
export function print(digest: u64): void {
  for (let i = 0; i < 16; i++) {
    const d = <u8>((digest >> (60 - 4 * i)) & 15);
    store<u8>(digits + i, d < 10 ? 48 + d : 87 + d);
  }
  store<usize>(iov, digits);
  store<usize>(iov, 16, 4);
  if (fd_write(1, iov, 1, iov + 8) != 0) unreachable();
}

/** Adds a number to a digest. */
export function mix(digest: u64, v: u64): u64 {
  return (digest ^ v) * 0x100000001b3;
}

/** A linear congruence of 64 bits. */
export class Random {
  constructor(private seed: u64) {}

  below(n: u32): u32 {
    this.seed = this.seed * 6364136223846793005 + 1442695040888963407;
    return <u32>(this.seed >> 33) % n;
  }
}
