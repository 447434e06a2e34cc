//! counter, in Zig: a name on stdin becomes the number of times that it was sent. The number is the key of that name
//! in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit
//! code 65.

const std = @import("std");

const failed = 1;
const bad_data = 65;
const max_name = 64;

pub fn main(init: std.process.Init) !u8 {
    const arena = init.arena.allocator();
    // Streaming: the default readers and writers seek, which a pipe refuses.
    var in = std.Io.File.stdin().readerStreaming(init.io, &.{});
    var out = std.Io.File.stdout().writerStreaming(init.io, &.{});
    var log = std.Io.File.stderr().writerStreaming(init.io, &.{});

    const body = try in.interface.allocRemaining(arena, .unlimited);
    const name = if (std.mem.endsWith(u8, body, "\n")) body[0 .. body.len - 1] else body;
    if (!isName(name)) {
        try log.interface.writeAll("bad input: want a name of 1 to 64 letters, digits, - and _\n");
        return bad_data;
    }

    // Zig's own paths begin at the first folder that WASI opens; others are found by their names.
    const counters = openFolder(init, "/kv/counters") orelse {
        try log.interface.writeAll("/kv/counters is not granted\n");
        return failed;
    };
    const text = counters.readFileAlloc(init.io, name, arena, .limited(64)) catch |err| switch (err) {
        error.FileNotFound => "0",
        else => return err,
    };
    const count = std.fmt.parseInt(u64, std.mem.trim(u8, text, " \r\n"), 10) catch {
        try log.interface.print("/kv/counters/{s} is no number\n", .{name});
        return failed;
    };
    const next = try std.fmt.allocPrint(arena, "{d}", .{count + 1});
    try counters.writeFile(init.io, .{ .sub_path = name, .data = next });
    try out.interface.print("{s}\n", .{next});
    return 0;
}

fn openFolder(init: std.process.Init, path: []const u8) ?std.Io.Dir {
    const folder = init.preopens.get(path) orelse return null;
    return switch (folder) {
        .dir => |dir| dir,
        .file => null,
    };
}

fn isName(name: []const u8) bool {
    if (name.len < 1 or name.len > max_name) return false;
    for (name) |c| if (!std.ascii.isAlphanumeric(c) and c != '-' and c != '_') return false;
    return true;
}
