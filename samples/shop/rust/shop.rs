//! shop, in Rust: "ITEM COUNT" on stdin takes as many of an item out of stock as are wanted, 1 if there is no number,
//! and replies with what is left. Two keys of the bucket shop, files like any others, change together: stock/ITEM and
//! sold/ITEM. A call is a transaction, so with any number of callers nothing is sold twice, and stock never goes
//! below zero. What is not there, or not enough, is exit code 66; a bad order is 65.

use std::io::{self, ErrorKind, Read};
use std::{fs, process};

const FAILED: i32 = 1;
const BAD_DATA: i32 = 65;
const NOT_FOUND: i32 = 66;
const MAX_NAME: usize = 64;
const MAX_COUNT: u64 = 1000;

struct Failure(i32, String);

/// order reads "ITEM COUNT".
fn order(body: &[u8]) -> Result<(String, u64), Failure> {
    let bad = |why: &str| Failure(BAD_DATA, format!("bad input: {}", why));
    let text = std::str::from_utf8(body).map_err(|_| bad("not UTF-8"))?;
    let mut words = text.strip_suffix('\n').unwrap_or(text).split(' ');
    let item = words.next().unwrap_or("");
    let good = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if item.is_empty() || item.len() > MAX_NAME || !item.chars().all(good) {
        return Err(bad("want an item of 1 to 64 letters, digits, - and _"));
    }
    let count = match words.next() {
        None => 1,
        Some(digits) if digits.bytes().all(|b| b.is_ascii_digit()) => digits.parse().unwrap_or(0),
        Some(_) => 0,
    };
    if count < 1 || count > MAX_COUNT || words.next().is_some() {
        return Err(bad("want a number of 1 to 1000 behind the item, or nothing"));
    }
    Ok((item.into(), count))
}

/// number reads the number in a file; None is that there is no such file.
fn number(path: &str) -> Result<Option<u64>, Failure> {
    match fs::read_to_string(path) {
        Ok(text) => match text.trim().parse() {
            Ok(n) => Ok(Some(n)),
            Err(_) => Err(Failure(FAILED, format!("{} is no number", path))),
        },
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(Failure(FAILED, format!("{}: {}", path, e))),
    }
}

fn write(path: &str, n: u64) -> Result<(), Failure> {
    fs::write(path, n.to_string()).map_err(|e| Failure(FAILED, format!("{}: {}", path, e)))
}

fn sell() -> Result<String, Failure> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body).map_err(|e| Failure(FAILED, format!("stdin: {}", e)))?;
    let (item, count) = order(&body)?;
    let (stock, sold) = (format!("/kv/shop/stock/{}", item), format!("/kv/shop/sold/{}", item));
    let left = number(&stock)?.ok_or_else(|| Failure(NOT_FOUND, format!("there is no {}", item)))?;
    if left < count {
        return Err(Failure(NOT_FOUND, format!("{} of {} are left", left, item)));
    }
    write(&stock, left - count)?;
    write(&sold, number(&sold)?.unwrap_or(0) + count)?;
    Ok(format!("{} of {} are left", left - count, item))
}

fn main() {
    match sell() {
        Ok(reply) => println!("{}", reply),
        Err(Failure(code, why)) => {
            eprintln!("{}", why);
            process::exit(code)
        }
    }
}
