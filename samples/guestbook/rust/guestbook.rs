//! guestbook, in Rust: "NAME TEXT" on stdin is what a guest writes, a key each of the bucket guests; an empty request
//! writes nothing. The reply lists all guests, "NAME: TEXT" each, by name. A bad request is exit code 65.

use std::io::{self, Read, Write};
use std::{fs, process};

const FOLDER: &str = "/kv/guests";
const BAD_DATA: i32 = 65;

fn bad() -> ! {
    eprintln!("bad input: want a name of 1 to 64 letters, digits, - and _, and a text of 1 to 200 bytes");
    process::exit(BAD_DATA)
}

/// sign writes what a guest writes.
fn sign(request: &[u8]) -> io::Result<()> {
    let blank = request.iter().position(|&b| b == b' ').unwrap_or_else(|| bad());
    let (name, text) = (&request[..blank], &request[blank + 1..]);
    let good = |b: &u8| b.is_ascii_alphanumeric() || *b == b'-' || *b == b'_';
    if name.is_empty() || name.len() > 64 || !name.iter().all(good) {
        bad()
    }
    if text.is_empty() || text.len() > 200 || text.contains(&b'\n') || text.contains(&0) {
        bad()
    }
    fs::write(format!("{}/{}", FOLDER, String::from_utf8_lossy(name)), text)
}

fn run() -> io::Result<()> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body)?;
    let request = body.strip_suffix(b"\n").unwrap_or(&body);
    if !request.is_empty() {
        sign(request)?;
    }
    let mut guests = fs::read_dir(FOLDER)?.collect::<io::Result<Vec<_>>>()?;
    guests.sort_by_key(|guest| guest.file_name());
    let mut out = io::stdout();
    for guest in guests {
        write!(out, "{}: ", guest.file_name().to_string_lossy())?;
        out.write_all(&fs::read(guest.path())?)?;
        writeln!(out)?;
    }
    out.flush()
}

fn main() {
    if let Err(e) = run() {
        eprintln!("{}: {}", FOLDER, e);
        process::exit(1)
    }
}
