//! pack, in Zig, the fourth of the five functions of an order: it adds the member "boxes", of six items each.
//! What is no order is exit code 65.

const std = @import("std");

const bad_data = 65;
const per_box = 6;

/// An order as tax writes it. Another member, or none of these, is an error.
const Order = struct {
    order: []const u8,
    item: []const u8,
    count: u16,
    country: []const u8,
    price: u32,
    net: u32,
    tax: u32,
    total: u32,
};

pub fn main(init: std.process.Init) !u8 {
    const arena = init.arena.allocator();
    // Streaming: the default readers and writers seek, which a pipe refuses.
    var in = std.Io.File.stdin().readerStreaming(init.io, &.{});
    var out = std.Io.File.stdout().writerStreaming(init.io, &.{});
    var log = std.Io.File.stderr().writerStreaming(init.io, &.{});

    const body = try in.interface.allocRemaining(arena, .unlimited);
    const order = std.json.parseFromSliceLeaky(Order, arena, body, .{}) catch |err| {
        try log.interface.print("bad order: {t}\n", .{err});
        return bad_data;
    };
    var line: std.Io.Writer.Allocating = .init(arena);
    try std.json.Stringify.value(order, .{}, &line.writer);
    const open = line.written()[0 .. line.written().len - 1];
    const boxes = std.math.divCeil(u16, order.count, per_box) catch unreachable;
    try out.interface.print("{s},\"boxes\":{d}}}\n", .{ open, boxes });
    return 0;
}
