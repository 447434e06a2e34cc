// The request is stdin, the reply stdout, the log stderr. Exit code 65 is bad input: the caller gets 400.
use std::io::Read;

fn main() {
    let mut request = String::new();
    let read = std::io::stdin().read_to_string(&mut request);
    let name = request.trim();
    if read.is_err() || name.is_empty() {
        eprintln!("bad input: want a name");
        std::process::exit(65);
    }
    eprintln!("greeting {name}");
    println!("Hello, {name}!");
}
