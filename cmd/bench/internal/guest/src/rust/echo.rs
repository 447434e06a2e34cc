// Copies stdin to stdout.
use std::io::{stdin, stdout, Read, Write};

fn main() {
    let mut body = Vec::new();
    stdin().read_to_end(&mut body).expect("stdin");
    stdout().write_all(&body).expect("stdout");
}
