// chat, in Rust: each event of a WebSocket is a run of this program. What it writes goes to all in the room, but for the
// welcome: that is for whoever comes. It keeps nothing: names come with each event, and the topic is the room.

use std::io::{self, Read, Write};
use std::{fs, process};

const BAD_DATA: i32 = 65;
const NOT_PERMITTED: i32 = 77;
const MAX_NAME: usize = 24;
const MAX_TEXT: usize = 4096;

// load reads a file of /request; what is missing is empty.
fn load(path: &str) -> String {
    fs::read_to_string(format!("/request/{path}")).unwrap_or_default()
}

// fail says in the log what is wrong. The client learns of the code, and its connection ends.
fn fail(code: i32, why: &str) -> ! {
    eprintln!("{why}");
    process::exit(code)
}

// name finds name=NAME in the query. A name has letters and digits only, so nothing in it is escaped.
fn name(query: &str) -> Option<&str> {
    let value = query.split('&').find_map(|part| part.strip_prefix("name="))?;
    let good = (1..=MAX_NAME).contains(&value.len()) && value.bytes().all(|b| b.is_ascii_alphanumeric());
    good.then_some(value)
}

fn main() -> io::Result<()> {
    let mut text = Vec::new(); // first, so that the process can be started before
    io::stdin().read_to_end(&mut text)?;
    let query = load("query");
    let who = name(&query)
        .unwrap_or_else(|| fail(NOT_PERMITTED, "say who you are: ?name=NAME, 1 to 24 letters and digits"));
    let mut out = io::stdout();
    match load("headers/fn-ws").as_str() {
        "open" => write!(out, "welcome to {}, {who}", load("params/room"))?,
        "close" => write!(out, "{who} has left")?,
        "text" if text.len() > MAX_TEXT => fail(BAD_DATA, "a text has at most 4096 bytes"),
        "text" if text.is_empty() => {}
        "text" => out.write_all(&[who.as_bytes(), b": ", &text].concat())?,
        _ => fail(BAD_DATA, "this chat is for text"),
    }
    out.flush()
}
