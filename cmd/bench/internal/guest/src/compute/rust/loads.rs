// Loads that compute, on the standard library alone. The argument says which one. What is printed is a digest of the
// result, which tells whether it was right.
use std::collections::{BTreeMap, HashMap};
use std::fmt::Write;

struct Random(u64);

impl Random {
    // below returns a number that is the same everywhere: a linear congruence of 64 bits.
    fn below(&mut self, n: u32) -> u32 {
        self.0 = self.0.wrapping_mul(6364136223846793005).wrapping_add(1442695040888963407);
        (self.0 >> 33) as u32 % n
    }
}

fn mix(digest: u64, v: u64) -> u64 {
    (digest ^ v).wrapping_mul(0x100000001b3)
}

fn of_text(text: &str) -> u64 {
    text.bytes().fold(1, |d, b| mix(d, b as u64))
}

// --- JSON: a document is built, read into a tree, changed and written again.

#[derive(Clone, Debug, PartialEq)]
enum Value {
    Null,
    Bool(bool),
    Number(f64),
    Text(String),
    List(Vec<Value>),
    Object(BTreeMap<String, Value>),
}

struct Parser<'a> {
    text: &'a [u8],
    at: usize,
}

type Parsed<T> = Result<T, &'static str>;

impl Parser<'_> {
    fn peek(&mut self) -> u8 {
        while matches!(self.text.get(self.at), Some(b' ' | b'\n' | b'\r' | b'\t')) {
            self.at += 1;
        }
        *self.text.get(self.at).unwrap_or(&0)
    }

    fn take(&mut self, c: u8) -> bool {
        let there = self.peek() == c;
        self.at += there as usize;
        there
    }

    fn word(&mut self, w: &str, v: Value) -> Parsed<Value> {
        if !self.text[self.at..].starts_with(w.as_bytes()) {
            return Err("not JSON");
        }
        self.at += w.len();
        Ok(v)
    }

    fn value(&mut self) -> Parsed<Value> {
        match self.peek() {
            b'n' => self.word("null", Value::Null),
            b't' => self.word("true", Value::Bool(true)),
            b'f' => self.word("false", Value::Bool(false)),
            b'"' => Ok(Value::Text(self.string()?)),
            b'[' => self.list(),
            b'{' => self.object(),
            _ => self.number(),
        }
    }

    fn list(&mut self) -> Parsed<Value> {
        let mut all = Vec::new();
        self.at += 1;
        if self.take(b']') {
            return Ok(Value::List(all));
        }
        loop {
            all.push(self.value()?);
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b']') { Ok(Value::List(all)) } else { Err("an open list") }
    }

    fn object(&mut self) -> Parsed<Value> {
        let mut all = BTreeMap::new();
        self.at += 1;
        if self.take(b'}') {
            return Ok(Value::Object(all));
        }
        loop {
            self.peek();
            let key = self.string()?;
            if !self.take(b':') {
                return Err("no colon");
            }
            all.insert(key, self.value()?);
            if !self.take(b',') {
                break;
            }
        }
        if self.take(b'}') { Ok(Value::Object(all)) } else { Err("an open object") }
    }

    fn number(&mut self) -> Parsed<Value> {
        let from = self.at;
        while matches!(self.text.get(self.at), Some(b'0'..=b'9' | b'-' | b'+' | b'.' | b'e' | b'E')) {
            self.at += 1;
        }
        let digits = std::str::from_utf8(&self.text[from..self.at]).map_err(|_| "not UTF-8")?;
        digits.parse().map(Value::Number).map_err(|_| "bad number")
    }

    fn string(&mut self) -> Parsed<String> {
        let mut out = Vec::new();
        self.at += 1;
        loop {
            let c = *self.text.get(self.at).ok_or("an open string")?;
            self.at += 1;
            match c {
                b'"' => return String::from_utf8(out).map_err(|_| "not UTF-8"),
                b'\\' => {
                    out.push(match *self.text.get(self.at).ok_or("an open string")? {
                        b'n' => b'\n',
                        b't' => b'\t',
                        other => other,
                    });
                    self.at += 1;
                }
                _ => out.push(c),
            }
        }
    }
}

fn quote(out: &mut String, s: &str) {
    out.push('"');
    for c in s.chars() {
        match c {
            '"' | '\\' => {
                out.push('\\');
                out.push(c);
            }
            '\n' => out.push_str("\\n"),
            '\t' => out.push_str("\\t"),
            _ => out.push(c),
        }
    }
    out.push('"');
}

fn write_value(out: &mut String, v: &Value) {
    match v {
        Value::Null => out.push_str("null"),
        Value::Bool(b) => out.push_str(if *b { "true" } else { "false" }),
        Value::Number(n) => write!(out, "{}", n).unwrap(),
        Value::Text(s) => quote(out, s),
        Value::List(all) => {
            out.push('[');
            for (i, v) in all.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                write_value(out, v);
            }
            out.push(']');
        }
        Value::Object(all) => {
            out.push('{');
            for (i, (k, v)) in all.iter().enumerate() {
                if i > 0 {
                    out.push(',');
                }
                quote(out, k);
                out.push(':');
                write_value(out, v);
            }
            out.push('}');
        }
    }
}

fn json() -> u64 {
    let mut r = Random(1);
    let mut list = Vec::new();
    for i in 0..12000 {
        let mut o = BTreeMap::new();
        o.insert("id".to_string(), Value::Number(i as f64));
        o.insert("name".to_string(), Value::Text(format!("order \"{}\"\n\u{e9}", i)));
        o.insert("price".to_string(), Value::Number(r.below(100000) as f64 / 100.0));
        o.insert("open".to_string(), if i % 3 == 0 { Value::Null } else { Value::Bool(r.below(2) == 0) });
        o.insert("tags".to_string(), Value::List((0..3).map(|_| Value::Text(format!("t{}", r.below(999)))).collect()));
        list.push(Value::Object(o));
    }
    let mut text = String::new();
    write_value(&mut text, &Value::List(list.clone()));
    let mut digest = of_text(&text);
    for round in 0..3 {
        let mut tree = Parser { text: text.as_bytes(), at: 0 }.value().unwrap();
        assert!(round > 0 || tree == Value::List(list.clone()));
        if let Value::List(all) = &mut tree {
            for v in all {
                if let Value::Object(o) = v {
                    o.insert(format!("round{}", round), Value::Number(round as f64 / 8.0));
                }
            }
        }
        text.clear();
        write_value(&mut text, &tree);
        digest = mix(digest, of_text(&text));
    }
    digest
}

// --- Bodies that attract each other.

#[derive(Clone, Copy)]
struct Body {
    at: [f64; 3],
    speed: [f64; 3],
    mass: f64,
}

fn advance(all: &mut [Body], dt: f64) {
    for i in 0..all.len() {
        for j in i + 1..all.len() {
            let (mut d, mut square) = ([0.0; 3], 0.0);
            for k in 0..3 {
                d[k] = all[i].at[k] - all[j].at[k];
                square += d[k] * d[k];
            }
            let pull = dt / (square * square.sqrt());
            let (a, b) = (all[j].mass * pull, all[i].mass * pull);
            for k in 0..3 {
                all[i].speed[k] -= d[k] * a;
                all[j].speed[k] += d[k] * b;
            }
        }
    }
    for b in all {
        for k in 0..3 {
            b.at[k] += dt * b.speed[k];
        }
    }
}

fn nbody() -> u64 {
    let mut r = Random(2);
    let mut all = [Body { at: [0.0; 3], speed: [0.0; 3], mass: 40.0 }; 6];
    for b in &mut all[1..] {
        for k in 0..3 {
            b.at[k] = r.below(4000) as f64 / 100.0 - 20.0;
            b.speed[k] = r.below(2000) as f64 / 1000.0 - 1.0;
        }
        b.mass = r.below(1000) as f64 / 20000.0;
    }
    let mut digest = 1;
    for step in 0..600000 {
        advance(&mut all, 0.001);
        if step % 1000 == 0 {
            digest = all.iter().fold(digest, |d, b| mix(d, b.at[0].to_bits()));
        }
    }
    digest
}

// --- Words by how often they come, with the library's hash table.

fn wordcount() -> u64 {
    let mut r = Random(3);
    let mut text = String::new();
    while text.len() < 3 << 20 {
        let word = r.below(r.0 as u32 % 5000 + 1);
        write!(text, "{}{} ", ["call", "queue", "stream", "message"][word as usize % 4], word / 7).unwrap();
    }
    let mut counts: HashMap<&str, u32> = HashMap::new();
    for word in text.split_ascii_whitespace() {
        *counts.entry(word).or_default() += 1;
    }
    let mut all: Vec<_> = counts.into_iter().collect();
    all.sort_by(|a, b| b.1.cmp(&a.1).then(a.0.cmp(b.0)));
    all.iter().take(2000).fold(1, |d, (w, n)| mix(mix(d, of_text(w)), *n as u64))
}

fn main() {
    let digest = match std::env::args().nth(1).as_deref() {
        Some("json") => json(),
        Some("nbody") => nbody(),
        Some("wordcount") => wordcount(),
        _ => std::process::exit(64),
    };
    print!("{:016x}", digest);
}
