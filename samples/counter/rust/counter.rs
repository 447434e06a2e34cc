//! counter, in Rust: a name on stdin becomes the number of times that it was sent. The number is the key of that name
//! in the bucket counters, a file like any other; a call is a transaction, so none is lost. A bad name is exit
//! code 65.

use std::io::{self, ErrorKind, Read};
use std::{fs, process};

const FAILED: i32 = 1;
const BAD_DATA: i32 = 65;
const MAX_NAME: usize = 64;

fn fail(code: i32, why: String) -> ! {
    eprintln!("{}", why);
    process::exit(code)
}

fn main() {
    let mut body = Vec::new();
    if let Err(e) = io::stdin().read_to_end(&mut body) {
        fail(FAILED, format!("stdin: {}", e));
    }
    let name = String::from_utf8_lossy(&body);
    let name = name.strip_suffix('\n').unwrap_or(&name);
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if name.is_empty() || name.len() > MAX_NAME || !name.chars().all(good) {
        fail(BAD_DATA, "bad input: want a name of 1 to 64 letters, digits, - and _".into());
    }

    let path = format!("/kv/counters/{}", name);
    let count: u64 = match fs::read_to_string(&path) {
        Ok(text) => match text.trim().parse() {
            Ok(count) => count,
            Err(_) => fail(FAILED, format!("{} is no number", path)),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => 0,
        Err(e) => fail(FAILED, format!("{}: {}", path, e)),
    };
    if let Err(e) = fs::write(&path, (count + 1).to_string()) {
        fail(FAILED, format!("{}: {}", path, e));
    }
    println!("{}", count + 1);
}
