//! spy looks for what another call has left, says what it found, hides its own secret in every place it
//! knows and ends as it was told. ../README.md says what it reads and writes.

use std::cell::RefCell;
use std::collections::hash_map::RandomState;
use std::fmt::Write as _;
use std::fs::File;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, Read, Seek, SeekFrom, Write};
use std::mem::{forget, ManuallyDrop};
use std::os::wasi::io::{AsRawFd, FromRawFd, RawFd};
use std::{alloc, arch::wasm32, env, process, ptr, slice, thread, time};

const PAGE: usize = 65536;
const RUN: usize = 15;
const SECRET: usize = 16;
const RECORD: usize = 32;
const BLOCKS: usize = 5;

#[link(wasm_import_module = "wasi_snapshot_preview1")]
extern "C" {
    fn random_get(buf: *mut u8, len: usize) -> u32;
    fn fd_fdstat_get(fd: RawFd, stat: *mut u8) -> u32;
    fn fd_fdstat_set_flags(fd: RawFd, flags: u32) -> u32;
    fn fd_renumber(from: RawFd, to: RawFd) -> u32;
    fn fd_close(fd: RawFd) -> u32;
}

extern "C" {
    fn atexit(f: extern "C" fn()) -> i32;
    static __data_end: u8; // set by the linker: the stack, then data, then the heap
    static __heap_base: u8;
}

/// Half of the mark, which is computed so that it is nowhere in the module's own data.
static mut HALF: u8 = 0x11;
static mut COUNT: u32 = 41;
static mut VAULT: [u8; 4096] = [0; 4096];
static mut DRAWER: [u8; 4096] = [1; 4096];
static mut KEPT: Vec<Vec<u8>> = Vec::new();

thread_local! {
    static POCKET: RefCell<String> = RefCell::new("empty".to_string());
}

/// A call: what it was told.
struct Spy {
    mark: u8,
    mode: String,
    secret: [u8; SECRET],
}

impl Spy {
    /// 15 marks, the secret, one mark.
    fn record(&self) -> [u8; RECORD] {
        let mut r = [self.mark; RECORD];
        r[RUN..RUN + SECRET].copy_from_slice(&self.secret);
        r
    }

    /// fill fills memory with records.
    fn fill(&self, b: &mut [u8]) {
        let r = self.record();
        for chunk in b.chunks_exact_mut(RECORD) {
            chunk.copy_from_slice(&r);
        }
    }

    /// search returns the first secret of another call in a part of memory. 15 equal bytes in a row hold
    /// a whole word, so looking at words is enough.
    fn search(&self, from: usize, to: usize) -> Option<String> {
        let word = u64::from_ne_bytes([self.mark; 8]);
        let byte = |at: usize| unsafe { (at as *const u8).read_volatile() };
        let mut p = (from + 7) & !7;
        while p + 8 <= to {
            if unsafe { *(p as *const u64) } == word {
                let (mut first, mut last) = (p, p);
                while first > from && byte(first - 1) == self.mark {
                    first -= 1;
                }
                while last < to && byte(last) == self.mark {
                    last += 1;
                }
                if last - first >= RUN && last + SECRET <= to {
                    let other: Vec<u8> = (last..last + SECRET).map(byte).collect();
                    if other != self.secret {
                        return Some(String::from_utf8_lossy(&other).replace(['\n', ' '], "?"));
                    }
                }
                p = last & !7;
            }
            p += 8;
        }
        None
    }

    fn look_at(&self, text: &mut String, place: &str, from: usize, to: usize) {
        if let Some(other) = self.search(from, to) {
            writeln!(text, "found {place} {other}").unwrap();
        }
    }

    /// look_at_memory looks at all there is, and at what is added.
    fn look_at_memory(&self, text: &mut String, pages: usize, allocated: &[u8]) {
        let at = allocated.as_ptr() as usize;
        let (data, heap) = unsafe { (&__data_end as *const u8 as usize, &__heap_base as *const u8 as usize) };
        self.look_at(text, "freed", at, at + allocated.len());
        self.look_at(text, "stack", 8, 1 << 20);
        self.look_at(text, "static", 1 << 20, data);
        self.look_at(text, "heap", heap, pages * PAGE);
        let more = wasm32::memory_grow(0, BLOCKS);
        if more != usize::MAX {
            self.look_at(text, "added", more * PAGE, (more + BLOCKS) * PAGE);
        }
    }

    /// look_at_files reads what should be this call's own, and what other calls may have left open.
    fn look_at_files(&self, text: &mut String) {
        for fd in 4..128 {
            let mut f = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) });
            if f.seek(SeekFrom::Start(0)).is_ok() {
                self.look_at_file(text, "descriptors", &mut f);
            }
        }
        self.look_at_file(text, "files", &mut File::open("/request/headers/Secret").unwrap());
    }

    fn look_at_file(&self, text: &mut String, place: &str, f: &mut File) {
        let mut b = [0; 256];
        let n = f.read(&mut b).unwrap_or(0);
        let at = b.as_ptr() as usize;
        self.look_at(text, place, at, at + n);
        opaque(&mut b).fill(0);
    }

    /// hide hides the secret.
    fn hide(&self) {
        let secret = String::from_utf8_lossy(&self.secret).to_string();
        let blocks = (wasm32::memory_size(0) - BLOCKS) * PAGE;
        unsafe {
            COUNT += 1;
            self.fill(&mut VAULT);
            self.fill(&mut DRAWER);
            self.fill(slice::from_raw_parts_mut(blocks as *mut u8, BLOCKS * PAGE));
            let mut b = vec![0; 3000];
            self.fill(&mut b);
            KEPT.push(b);
            atexit(bye);
        }
        let mut b = vec![0; 5000]; // and freed
        self.fill(&mut b);
        drop(opaque(b));
        self.deep(20);
        POCKET.with(|p| *p.borrow_mut() = secret.clone());
        env::set_var("LEAK", &secret);
        self.hide_in_descriptors();
        let mut input = std::io::stdin().lock();
        let _ = input.fill_buf(); // and the buffer is full
        if self.mode != "unread" {
            let _ = input.read_to_end(&mut Vec::new());
        }
        let _ = std::io::stdout().write_all(&self.record()); // in the buffer until the end, or for ever
        say("hidden\n");
    }

    /// deep leaves the secret in frames below the caller's.
    #[inline(never)]
    fn deep(&self, n: usize) {
        let mut frame = [0; 1024];
        self.fill(&mut frame);
        if n > 0 {
            self.deep(n - 1);
        }
        opaque(&mut frame);
    }

    /// hide_in_descriptors leaves files open, here and there, moved and with other flags.
    fn hide_in_descriptors(&self) {
        let mut moved = File::open("/request/id").unwrap();
        moved.seek(SeekFrom::Start(5)).unwrap();
        let away = File::open("/request/headers/Secret").unwrap();
        unsafe {
            fd_renumber(away.as_raw_fd(), 2);
            for fd in 0..4 {
                fd_fdstat_set_flags(fd, 5);
            }
        }
        forget((moved, away, File::open("/request")));
    }

    /// end ends, or not.
    fn end(&self) {
        match self.mode.as_str() {
            "exit" => process::exit(7),
            "trap" => wasm32::unreachable(),
            "panic" => panic!("as told"),
            "loop" => loop {
                opaque(());
            },
            "sleep" => thread::sleep(time::Duration::from_secs(3600)),
            "recurse" => {
                self.recurse(0);
            }
            "hoard" => self.hoard(),
            "flood" => loop {
                raw(1, unsafe { &VAULT });
            },
            "close" => (0..4).for_each(|fd| unsafe {
                fd_close(fd);
            }),
            _ => {}
        }
    }

    /// recurse calls itself until the stack is used up.
    #[inline(never)]
    fn recurse(&self, n: usize) -> usize {
        let mut frame = [0; 4096];
        self.fill(&mut frame);
        let m = if n < usize::MAX { self.recurse(n + 1) } else { 0 };
        m + opaque(&mut frame)[n & 63] as usize
    }

    /// hoard takes memory until there is none.
    fn hoard(&self) {
        let layout = alloc::Layout::from_size_align(PAGE, 8).unwrap();
        loop {
            let p = unsafe { alloc::alloc(layout) };
            if p.is_null() {
                alloc::handle_alloc_error(layout);
            }
            self.fill(unsafe { slice::from_raw_parts_mut(p, PAGE) });
        }
    }
}

extern "C" fn bye() {
    say("bye\n");
}

/// opaque returns what it is given, in a way that the compiler does not see through.
fn opaque<T>(x: T) -> T {
    let y = unsafe { ptr::read_volatile(&x) };
    forget(x);
    y
}

/// raw writes past std's buffer.
fn raw(fd: RawFd, b: &[u8]) {
    let _ = ManuallyDrop::new(unsafe { File::from_raw_fd(fd) }).write_all(b);
}

fn say(s: &str) {
    raw(1, s.as_bytes());
}

fn hex(b: &[u8]) -> String {
    b.iter().map(|x| format!("{x:02x}")).collect()
}

/// state is what can be said in a word each. stack is an address in the frame of main.
fn state(pages: usize, stack: usize) -> String {
    let (count, kept) = unsafe { (COUNT, KEPT.len()) };
    let mut s = format!("state count={count} kept={kept} pages={pages} stack={stack}");
    POCKET.with(|p| write!(s, " pocket={}", p.borrow()).unwrap());
    write!(s, " variable={} open=", env::var("LEAK").unwrap_or_else(|_| "none".to_string())).unwrap();
    for fd in 0..128 {
        let mut stat = [0; 24];
        if unsafe { fd_fdstat_get(fd, stat.as_mut_ptr()) } == 0 {
            write!(s, "{fd}/{},", stat[2]).unwrap();
        }
    }
    let mut f = File::open("/request/id").unwrap();
    writeln!(s, " descriptor={} position={}", f.as_raw_fd(), f.stream_position().unwrap()).unwrap();
    s
}

fn main() {
    let pages = wasm32::memory_size(0);
    let early = (RandomState::new().build_hasher().finish(), RandomState::new().build_hasher().finish());
    let mut header = [0; 32];
    ManuallyDrop::new(unsafe { File::from_raw_fd(0) }).read_exact(&mut header).unwrap();
    let mut allocated = Vec::<u8>::with_capacity(5000);
    unsafe { allocated.set_len(5000) }; // as it comes
    let mut spy = Spy {
        mark: unsafe { (&HALF as *const u8).read_volatile() } ^ 0xa6,
        mode: String::from_utf8_lossy(&header[..16]).trim_end().to_string(),
        secret: [0; SECRET],
    };
    spy.secret.copy_from_slice(&header[16..]);
    let mut drawn = [0; 16];
    unsafe { random_get(drawn.as_mut_ptr(), drawn.len()) };
    let mut text = format!("spy {}\n", String::from_utf8_lossy(&spy.secret));
    writeln!(text, "start {:016x}{:016x}\ncall {}", early.0, early.1, hex(&drawn)).unwrap();
    text += &state(pages, header.as_ptr() as usize);
    spy.look_at_memory(&mut text, pages, &allocated);
    drop(allocated);
    spy.look_at_files(&mut text);
    say(&text);
    spy.hide();
    spy.end();
}
