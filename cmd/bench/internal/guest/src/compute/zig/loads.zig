// Loads that compute, on the standard library alone. The argument says which one. What is printed is a digest of the
// result, which tells whether it was right.
const std = @import("std");

pub fn main(init: std.process.Init) !u8 {
    const allocator = init.arena.allocator();
    var args = try init.minimal.args.iterateAllocator(allocator);
    _ = args.next();
    const what = args.next() orelse return 64;
    var out = std.Io.File.stdout().writerStreaming(init.io, &.{});
    const digest = if (std.mem.eql(u8, what, "sha256"))
        try sha256(allocator)
    else if (std.mem.eql(u8, what, "fannkuch"))
        fannkuch()
    else
        return 64;
    try out.interface.print("{x:0>16}", .{digest});
    return 0;
}

/// Hashes 24 MB.
fn sha256(allocator: std.mem.Allocator) !u64 {
    const text = try allocator.alloc(u8, 1 << 20);
    var seed: u64 = 1;
    for (text) |*c| {
        seed = seed *% 6364136223846793005 +% 1442695040888963407;
        c.* = @truncate(seed >> 33);
    }
    var h = std.crypto.hash.sha2.Sha256.init(.{});
    for (0..24) |_| h.update(text);
    var sum: [32]u8 = undefined;
    h.final(&sum);
    return std.mem.readInt(u64, sum[0..8], .big);
}

/// Turns over the beginning of all permutations of ten numbers, and finds the one that takes most turns.
fn fannkuch() u64 {
    const n = 10;
    var first: [n]usize = undefined;
    var work: [n]usize = undefined;
    var count: [n]usize = @splat(0);
    for (&first, 0..) |*v, i| v.* = i;
    var most: u64 = 0;
    var sum: i64 = 0;
    var even = true;
    var left: usize = n;
    while (true) {
        while (left > 1) : (left -= 1) count[left - 1] = left;
        if (first[0] != 0) {
            work = first;
            var turns: u64 = 0;
            while (work[0] != 0) : (turns += 1) std.mem.reverse(usize, work[0 .. work[0] + 1]);
            most = @max(most, turns);
            sum += if (even) @as(i64, @intCast(turns)) else -@as(i64, @intCast(turns));
        }
        while (true) {
            if (left == n) return most << 32 | @as(u64, @intCast(sum));
            const head = first[0];
            for (0..left) |i| first[i] = first[i + 1];
            first[left] = head;
            count[left] -= 1;
            if (count[left] > 0) break;
            left += 1;
        }
        even = !even;
    }
}
