//! guestbook, in Zig: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request
//! writes nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.

const std = @import("std");

const failed = 1;
const bad_data = 65;
const max_name = 64;
const max_text = 200;

pub fn main(init: std.process.Init) !u8 {
    const arena = init.arena.allocator();
    // Streaming: the default readers and writers seek, which a pipe refuses.
    var in = std.Io.File.stdin().readerStreaming(init.io, &.{});
    var buffer: [4096]u8 = undefined;
    var out = std.Io.File.stdout().writerStreaming(init.io, &buffer);
    var log = std.Io.File.stderr().writerStreaming(init.io, &.{});

    const body = try in.interface.allocRemaining(arena, .unlimited);
    const request = if (std.mem.endsWith(u8, body, "\n")) body[0 .. body.len - 1] else body;
    const guests = openFolder(init, "/kv/guests") orelse {
        try log.interface.writeAll("/kv/guests is not granted\n");
        return failed;
    };
    if (request.len > 0) {
        const blank = std.mem.indexOfScalar(u8, request, ' ') orelse 0;
        const text = request[@min(blank + 1, request.len)..];
        if (!isName(request[0..blank]) or !isText(text)) {
            try log.interface.writeAll("bad input: want a name of 1 to 64 letters, digits, - and _, " ++
                "and a text of 1 to 200 bytes\n");
            return bad_data;
        }
        try guests.writeFile(init.io, .{ .sub_path = request[0..blank], .data = text });
    }

    var names: std.ArrayList([]const u8) = .empty;
    var all = guests.iterate();
    while (try all.next(init.io)) |guest| try names.append(arena, try arena.dupe(u8, guest.name));
    std.mem.sort([]const u8, names.items, {}, before);
    for (names.items) |name| {
        try out.interface.print("{s}: {s}\n", .{ name, try guests.readFileAlloc(init.io, name, arena, .unlimited) });
    }
    try out.interface.flush();
    return 0;
}

// openFolder finds a folder of a grant: Zig's own paths begin at the first folder that WASI opens.
fn openFolder(init: std.process.Init, path: []const u8) ?std.Io.Dir {
    const folder = init.preopens.get(path) orelse return null;
    return switch (folder) {
        .dir => |dir| dir,
        .file => null,
    };
}

fn before(_: void, a: []const u8, b: []const u8) bool {
    return std.mem.lessThan(u8, a, b);
}

fn isName(name: []const u8) bool {
    if (name.len < 1 or name.len > max_name) return false;
    for (name) |c| if (!std.ascii.isAlphanumeric(c) and c != '-' and c != '_') return false;
    return true;
}

fn isText(text: []const u8) bool {
    return text.len >= 1 and text.len <= max_text and std.mem.indexOfAny(u8, text, "\n\x00") == null;
}
