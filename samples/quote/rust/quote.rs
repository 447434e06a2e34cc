//! quote, in Rust: whatever the request is, it is not read. The reply is a random number and a quote. The standard library
//! has no random numbers but the keys of its hash tables.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};

const QUOTES: [&str; 3] = ["Simple is beautiful.", "Measure, then cut.", "Every call is a new process."];

fn main() {
    let number = RandomState::new().build_hasher().finish();
    println!("{} {}", number, QUOTES[(number % 3) as usize]);
}
