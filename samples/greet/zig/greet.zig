//! greet, in Zig: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
//! stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh, or:
//!
//!     zig build-exe greet.zig -target wasm32-wasi -O ReleaseSmall -fstrip --stack 262144

const std = @import("std");

const max_depth = 100;
const bad_data = 65;

pub fn main(init: std.process.Init) !u8 {
    const arena = init.arena.allocator();
    // Streaming: the default readers and writers seek, which a pipe refuses.
    var in = std.Io.File.stdin().readerStreaming(init.io, &.{});
    var out = std.Io.File.stdout().writerStreaming(init.io, &.{});
    var log = std.Io.File.stderr().writerStreaming(init.io, &.{});

    const body = try in.interface.allocRemaining(arena, .unlimited);
    const name = parseName(arena, body) catch |err| {
        try log.interface.print("bad input: {t}\n", .{err});
        return bad_data;
    };

    var escaped: std.Io.Writer.Allocating = .init(arena);
    try std.json.Stringify.encodeJsonStringChars(name, .{}, &escaped.writer);
    try log.interface.print("greeting {s}\n", .{escaped.written()});
    try out.interface.print("{{\"greeting\":\"Hello, {s}!\"}}\n", .{escaped.written()});
    return 0;
}

/// Returns the string member "name" of the JSON object in body; the last one counts.
fn parseName(arena: std.mem.Allocator, body: []const u8) ![]const u8 {
    var json = std.json.Scanner.initCompleteInput(arena, body);
    if (try json.next() != .object_begin) return error.NotAnObject;
    var name: ?[]const u8 = null;
    while (try nextString(&json, arena)) |key| {
        if (!std.mem.eql(u8, key, "name")) {
            try skipValue(&json);
        } else if (try json.peekNextTokenType() == .string) {
            name = try nextString(&json, arena);
        } else {
            try skipValue(&json);
            name = null;
        }
    }
    if (try json.next() != .end_of_document) return error.MoreThanOneValue;
    return name orelse error.NoStringMemberName;
}

/// Returns the next token if it is a string, decoded, and null if it is not.
fn nextString(json: *std.json.Scanner, arena: std.mem.Allocator) !?[]const u8 {
    return switch (try json.nextAllocMax(arena, .alloc_if_needed, std.math.maxInt(u32))) {
        .string, .allocated_string => |s| s,
        else => null,
    };
}

/// Passes over one value of any kind.
fn skipValue(json: *std.json.Scanner) !void {
    const height = json.stackHeight();
    while (true) {
        switch (try json.next()) {
            .partial_number, .partial_string => continue,
            .partial_string_escaped_1, .partial_string_escaped_2 => continue,
            .partial_string_escaped_3, .partial_string_escaped_4 => continue,
            else => {},
        }
        if (json.stackHeight() > max_depth) return error.NestedTooDeep;
        if (json.stackHeight() == height) return;
    }
}
