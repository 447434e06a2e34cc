// wordcount, in Rust: UTF-8 text on stdin becomes
//
//	{"lines":N,"words":N,"bytes":N,"top":[["the",12],...]}
//
// on stdout, with the ten most frequent words; text that is not UTF-8 is exit code 65. A word is a
// longest run of letters and digits (char::is_alphanumeric), with apostrophes, ' or ’, between them,
// in lower case. Words of equal count stand in the order of their bytes. A line ends with a newline,
// the last one also without. Build it with ./build.sh, or:
//
//	/usr/bin/rustc --edition 2021 --target wasm32-wasi -O -C strip=symbols wordcount.rs -o wordcount.wasm

use std::cmp::Reverse;
use std::collections::HashMap;
use std::io::{self, Read};
use std::process;

const TOP: usize = 10;
const BAD_DATA: i32 = 65;

fn main() {
    match read_text() {
        Ok(text) => {
            let counts = count(&text);
            let lines = text.lines().count();
            let words: u64 = counts.values().sum();
            eprintln!("counted {} bytes, {} different words", text.len(), counts.len());
            println!(
                "{{\"lines\":{lines},\"words\":{words},\"bytes\":{},\"top\":[{}]}}",
                text.len(),
                top(&counts).join(",")
            );
        }
        Err(reason) => {
            eprintln!("bad input: {reason}");
            process::exit(BAD_DATA);
        }
    }
}

fn read_text() -> Result<String, String> {
    let mut body = Vec::new();
    io::stdin().read_to_end(&mut body).map_err(|e| e.to_string())?;
    String::from_utf8(body).map_err(|e| format!("not UTF-8 at byte {}", e.utf8_error().valid_up_to()))
}

fn count(text: &str) -> HashMap<String, u64> {
    let mut counts: HashMap<String, u64> = HashMap::new();
    let mut lower = String::new();
    for run in text.split(|c: char| !c.is_alphanumeric() && !is_apostrophe(c)) {
        let word = run.trim_matches(is_apostrophe);
        if word.is_empty() {
            continue;
        }
        lower_case(word, &mut lower);
        match counts.get_mut(&lower) {
            Some(n) => *n += 1,
            None => {
                counts.insert(lower.clone(), 1);
            }
        }
    }
    counts
}

fn is_apostrophe(c: char) -> bool {
    c == '\'' || c == '’'
}

/// Sets to to word in lower case, without a new String for every word of ASCII.
fn lower_case(word: &str, to: &mut String) {
    to.clear();
    if word.is_ascii() {
        to.push_str(word);
        to.make_ascii_lowercase();
    } else {
        to.push_str(&word.to_lowercase());
    }
}

/// The most frequent words as JSON pairs; a word holds nothing that JSON escapes.
fn top(counts: &HashMap<String, u64>) -> Vec<String> {
    let mut all: Vec<(&String, &u64)> = counts.iter().collect();
    all.sort_unstable_by_key(|&(word, n)| (Reverse(n), word));
    all.iter().take(TOP).map(|(word, n)| format!("[\"{word}\",{n}]")).collect()
}
