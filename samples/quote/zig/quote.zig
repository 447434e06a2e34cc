//! quote, in Zig: whatever the request is, it is not read. The reply is a random number and a quote.

const std = @import("std");

const quotes = [_][]const u8{ "Simple is beautiful.", "Measure, then cut.", "Every call is a new process." };

pub fn main(init: std.process.Init) !void {
    var number: u64 = undefined;
    init.io.random(std.mem.asBytes(&number));
    var out = std.Io.File.stdout().writerStreaming(init.io, &.{});
    try out.interface.print("{d} {s}\n", .{ number, quotes[@intCast(number % 3)] });
}
