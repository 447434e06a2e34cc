// price, in Rust, the second of the five functions of an order: it looks the item up, and adds two members
// to the order, "price" of one and "net" of all, in cents. An item that is not sold is exit code 65.

use std::io::{self, Read};
use std::process;

const BAD_DATA: i32 = 65;

type Result<T> = std::result::Result<T, &'static str>;

/// What is sold, and for how many cents.
const PRICES: [(&str, u32); 4] = [("tea", 450), ("coffee", 899), ("cocoa", 620), ("mug", 1250)];

/// An order is a flat JSON object of plain words and whole numbers, as validate writes it.
struct Order<'a>(Vec<(&'a str, &'a str)>);

impl<'a> Order<'a> {
    /// Plain words have no comma, colon or quote in them, so the members can be cut apart at those.
    fn parse(line: &'a str) -> Option<Self> {
        let members = line.trim_end().strip_prefix('{')?.strip_suffix('}')?;
        let members = members.split(',').map(|m| {
            let (key, value) = m.split_once(':')?;
            Some((word(key)?, word(value).or_else(|| number(value))?))
        });
        members.collect::<Option<Vec<_>>>().map(Order)
    }

    fn get(&self, key: &str) -> Option<&'a str> {
        self.0.iter().find(|(k, _)| *k == key).map(|(_, v)| *v)
    }
}

fn word(s: &str) -> Option<&str> {
    let w = s.strip_prefix('"')?.strip_suffix('"')?;
    w.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'-').then_some(w)
}

fn number(s: &str) -> Option<&str> {
    (!s.is_empty() && s.bytes().all(|c| c.is_ascii_digit())).then_some(s)
}

fn price(line: &str) -> Result<String> {
    let order = Order::parse(line).ok_or("not an order as validate writes it")?;
    let item = order.get("item").ok_or("no item")?;
    let count = order.get("count").and_then(|n| n.parse::<u32>().ok()).ok_or("no count")?;
    let (_, price) = PRICES.iter().find(|(name, _)| *name == item).ok_or("an item that is not sold")?;
    let net = price.checked_mul(count).ok_or("too many")?;
    let open = line.trim_end().trim_end_matches('}');
    Ok(format!("{open},\"price\":{price},\"net\":{net}}}"))
}

fn main() {
    let mut line = String::new();
    let read = io::stdin().read_to_string(&mut line).map_err(|_| "not UTF-8");
    match read.and_then(|_| price(&line)) {
        Ok(priced) => println!("{priced}"),
        Err(reason) => {
            eprintln!("bad order: {reason}");
            process::exit(BAD_DATA);
        }
    }
}
