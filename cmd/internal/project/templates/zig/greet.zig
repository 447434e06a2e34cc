//! The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
const std = @import("std");

pub fn main(init: std.process.Init) !u8 {
    const arena = init.arena.allocator();
    var in = std.Io.File.stdin().readerStreaming(init.io, &.{});
    var out = std.Io.File.stdout().writerStreaming(init.io, &.{});
    var log = std.Io.File.stderr().writerStreaming(init.io, &.{});
    const body = try in.interface.allocRemaining(arena, .unlimited);
    const request = std.json.parseFromSliceLeaky(struct { name: []const u8 }, arena, body, .{}) catch {
        try log.interface.writeAll("bad input: want {\"name\":\"...\"}\n");
        return 65;
    };
    try log.interface.print("greeting {s}\n", .{request.name});
    const greeting = try std.fmt.allocPrint(arena, "Hello, {s}!", .{request.name});
    try out.interface.print("{f}\n", .{std.json.fmt(.{ .greeting = greeting }, .{})});
    return 0;
}
