// A program that is built for threads. It cannot start one, waits in vain to be notified, and says so. To build it anew with Zig 0.17.1:
//
//   zig build-exe threads.zig -target wasm32-freestanding -fno-entry -rdynamic -mcpu generic+atomics+bulk_memory -fno-single-threaded \
//     --shared-memory --import-memory --export-memory --max-memory=67108864 --initial-memory=2097152 -OReleaseSmall -fstrip -femit-bin=threads.wasm
pub const panic = @import("std").debug.no_panic;
var counter: u32 = 40;
var text = "counter is now 00: spawn +0, wait 0\n".*;
extern "wasi_snapshot_preview1" fn fd_write(fd: i32, iov: *const [2]u32, n: u32, nw: *u32) i32;
extern "wasi" fn @"thread-spawn"(arg: u32) i32;
export fn wasi_thread_start(tid: i32, arg: u32) void {
    _ = tid;
    _ = @atomicRmw(u32, &counter, .Add, arg, .seq_cst);
}
export fn _start() void {
    _ = @atomicRmw(u32, &counter, .Add, 2, .seq_cst);
    const s = @"thread-spawn"(1);
    const w = asm volatile ("local.get %[p]\n local.get %[e]\n i64.const 1000000\n memory.atomic.wait32 0\n local.set %[r]"
        : [r] "=r" (-> i32),
        : [p] "r" (&counter),
          [e] "r" (@as(u32, 42)),
    );
    const c = @atomicLoad(u32, &counter, .seq_cst);
    text[15] = @intCast('0' + c / 10);
    text[16] = @intCast('0' + c % 10);
    if (s < 0) text[25] = '-';
    text[26] = @intCast('0' + @abs(s));
    text[34] = @intCast('0' + w);
    var nw: u32 = 0;
    const iov = [2]u32{ @intFromPtr(&text), text.len };
    _ = fd_write(1, &iov, 1, &nw);
}
