// greet, in Rust: a request {"name":"Ada"} on stdin becomes the reply {"greeting":"Hello, Ada!"} on
// stdout and one log line on stderr; a bad request is exit code 65. Build it with ./build.sh, or:
//
//	/usr/bin/rustc --edition 2021 --target wasm32-wasi -O -C strip=symbols greet.rs -o greet.wasm

use std::io::{self, Read};
use std::process;

const MAX_DEPTH: usize = 100;
const BAD_DATA: i32 = 65;

type Result<T> = std::result::Result<T, &'static str>;

/// Reads one JSON object, strictly as RFC 8259 has it, and keeps only the member "name".
struct Request<'a> {
    body: &'a str,
    at: usize,
    name: Option<String>,
}

/// The string member "name" of the JSON object in body; the last one counts.
fn parse_name(body: &str) -> Result<String> {
    let mut r = Request { body, at: 0, name: None };
    if r.peek() != b'{' {
        return Err("not a JSON object");
    }
    r.object(1)?;
    r.peek();
    if r.at != body.len() {
        return Err("more than one JSON value");
    }
    r.name.ok_or("no string member \"name\"")
}

impl<'a> Request<'a> {
    /// The byte at hand, 0 at the end: JSON allows no zero byte.
    fn next(&self) -> u8 {
        self.body.as_bytes().get(self.at).copied().unwrap_or(0)
    }

    /// The next byte behind white space.
    fn peek(&mut self) -> u8 {
        while matches!(self.next(), b' ' | b'\t' | b'\n' | b'\r') {
            self.at += 1;
        }
        self.next()
    }

    /// Passes over the next byte if it is one of these.
    fn accept(&mut self, these: &[u8]) -> bool {
        let found = these.contains(&self.next());
        if found {
            self.at += 1;
        }
        found
    }

    fn take(&mut self, c: u8) -> bool {
        self.peek();
        self.accept(&[c])
    }

    fn expect(&mut self, c: u8) -> Result<()> {
        if self.take(c) {
            Ok(())
        } else {
            Err("not JSON")
        }
    }

    fn value(&mut self, depth: usize) -> Result<()> {
        match self.peek() {
            b'"' => self.string().map(drop),
            b'[' => self.array(depth),
            b'{' => self.object(depth),
            b't' => self.word("true"),
            b'f' => self.word("false"),
            b'n' => self.word("null"),
            _ => self.number(),
        }
    }

    fn array(&mut self, depth: usize) -> Result<()> {
        self.expect(b'[')?;
        if depth > MAX_DEPTH {
            return Err("nested too deep");
        }
        if self.take(b']') {
            return Ok(());
        }
        self.value(depth + 1)?;
        while self.take(b',') {
            self.value(depth + 1)?;
        }
        self.expect(b']')
    }

    fn object(&mut self, depth: usize) -> Result<()> {
        self.expect(b'{')?;
        if depth > MAX_DEPTH {
            return Err("nested too deep");
        }
        if self.take(b'}') {
            return Ok(());
        }
        self.member(depth)?;
        while self.take(b',') {
            self.member(depth)?;
        }
        self.expect(b'}')
    }

    fn member(&mut self, depth: usize) -> Result<()> {
        let wanted = self.string()? == "name" && depth == 1;
        self.expect(b':')?;
        if !wanted {
            return self.value(depth + 1);
        }
        self.name = None;
        if self.peek() == b'"' {
            self.name = Some(self.string()?);
            return Ok(());
        }
        self.value(depth + 1)
    }

    fn word(&mut self, w: &str) -> Result<()> {
        if !self.body[self.at..].starts_with(w) {
            return Err("not JSON");
        }
        self.at += w.len();
        Ok(())
    }

    fn number(&mut self) -> Result<()> {
        self.accept(b"-");
        if !self.accept(b"0") {
            self.digits()?;
        }
        if self.accept(b".") {
            self.digits()?;
        }
        if self.accept(b"eE") {
            self.accept(b"+-");
            self.digits()?;
        }
        Ok(())
    }

    fn digits(&mut self) -> Result<()> {
        if !self.accept(b"0123456789") {
            return Err("bad number");
        }
        while self.accept(b"0123456789") {}
        Ok(())
    }

    fn string(&mut self) -> Result<String> {
        self.expect(b'"')?;
        let mut s = String::new();
        loop {
            let plain = self.at;
            while !matches!(self.next(), b'"' | b'\\' | 0..=0x1f) {
                self.at += 1;
            }
            s.push_str(&self.body[plain..self.at]);
            if self.accept(b"\"") {
                return Ok(s);
            }
            if !self.accept(b"\\") {
                return Err("unfinished string or control character in it");
            }
            s.push(self.escape()?);
        }
    }

    /// Reads what follows a backslash.
    fn escape(&mut self) -> Result<char> {
        let c = self.next();
        self.at += 1;
        match c {
            b'"' | b'\\' | b'/' => Ok(c as char),
            b'b' => Ok('\x08'),
            b'f' => Ok('\x0c'),
            b'n' => Ok('\n'),
            b'r' => Ok('\r'),
            b't' => Ok('\t'),
            b'u' => self.unicode_escape(),
            _ => Err("bad escape"),
        }
    }

    fn unicode_escape(&mut self) -> Result<char> {
        let mut rune = self.hex4()?;
        if (0xd800..0xdc00).contains(&rune) && self.accept(b"\\") && self.accept(b"u") {
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                rune = 0x10000 + ((rune - 0xd800) << 10) + (low - 0xdc00);
            }
        }
        char::from_u32(rune).ok_or("lone surrogate")
    }

    fn hex4(&mut self) -> Result<u32> {
        let mut value = 0;
        for _ in 0..4 {
            let digit = (self.next() as char).to_digit(16).ok_or("bad \\u escape")?;
            value = value << 4 | digit;
            self.at += 1;
        }
        Ok(value)
    }
}

/// s as it stands between the quotes of a JSON string.
fn escaped(s: &str) -> String {
    let mut to = String::with_capacity(s.len());
    for c in s.chars() {
        match c {
            '"' => to.push_str("\\\""),
            '\\' => to.push_str("\\\\"),
            '\x08' => to.push_str("\\b"),
            '\x0c' => to.push_str("\\f"),
            '\n' => to.push_str("\\n"),
            '\r' => to.push_str("\\r"),
            '\t' => to.push_str("\\t"),
            '\0'..='\x1f' => to.push_str(&format!("\\u{:04x}", c as u32)),
            _ => to.push(c),
        }
    }
    to
}

fn greet() -> Result<String> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body).map_err(|_| "stdin cannot be read")?;
    let body = String::from_utf8(body).map_err(|_| "not UTF-8")?;
    Ok(escaped(&parse_name(&body)?))
}

fn main() {
    match greet() {
        Ok(name) => {
            eprintln!("greeting {name}");
            println!("{{\"greeting\":\"Hello, {name}!\"}}");
        }
        Err(reason) => {
            eprintln!("bad input: {reason}");
            // Not ExitCode::from(65): with Rust 1.63 that arrives as exit code 1.
            process::exit(BAD_DATA);
        }
    }
}
