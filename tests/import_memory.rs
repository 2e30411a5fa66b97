//! Memory of an import does not grow with the trace.

// The trait of global allocators is unsafe to implement; this one only counts.
#![allow(unsafe_code)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::io::{BufRead, BufReader, Read};
use tokenmill::study::import::{LengthLaw, Question, import_calls};
use tokenmill::workload::{Format, ReadOptions};

struct Counting;

thread_local! {
    /// Bytes in use by this thread, and the most of them.
    static BYTES: Cell<(i64, i64)> = const { Cell::new((0, 0)) };
}

fn count(bytes: i64) {
    BYTES.with(|kept| {
        let (now, most) = kept.get();
        kept.set((now + bytes, most.max(now + bytes)));
    });
}

unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size() as i64);
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, block: *mut u8, layout: Layout) {
        count(-(layout.size() as i64));
        unsafe { System.dealloc(block, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

/// Writes Mooncake's lines as they are asked for: ten calls a second, of sessions
/// that each take two turns of three blocks and more.
struct Lines {
    calls: u64,
    next: u64,
    line: Vec<u8>,
    at: usize,
}

impl Read for Lines {
    fn read(&mut self, into: &mut [u8]) -> std::io::Result<usize> {
        if self.at == self.line.len() && self.next < self.calls {
            let (call, turn) = (self.next, self.next % 2);
            let session = call / 2;
            let tokens = 1_600 + 400 * turn + call.wrapping_mul(0x9e37_79b9) % 300;
            let id = |block: u64| session * 8 + block + 1;
            self.line = format!(
                "{{\"timestamp\": {}, \"input_length\": {tokens}, \"output_length\": {}, \
                 \"hash_ids\": [0, {}, {}, {}]}}\n",
                call * 100 + call % 7,
                10 + call % 90,
                id(0),
                id(1),
                id(2)
            )
            .into_bytes();
            (self.next, self.at) = (call + 1, 0);
        }
        let n = into.len().min(self.line.len() - self.at);
        into[..n].copy_from_slice(&self.line[self.at..self.at + n]);
        self.at += n;
        Ok(n)
    }
}

/// The most bytes that an import of so many calls has in use.
fn peak(calls: u64) -> i64 {
    let question = Question {
        name: "x".to_owned(),
        file: "lines".to_owned(),
        format: Format::Mooncake,
        options: ReadOptions::default(),
        lengths: LengthLaw::Empirical,
        ignores_sessions: false,
        start: None,
        time_zone: None,
    };
    let open = || {
        let lines = Lines { calls, next: 0, line: Vec::new(), at: 0 };
        Ok(Box::new(BufReader::new(lines)) as Box<dyn BufRead>)
    };
    let before = BYTES.with(|kept| {
        let (now, _) = kept.get();
        kept.set((now, now));
        now
    });
    let imported = import_calls(&question, open).expect("no broken line");
    assert_eq!(imported.calls, calls);
    assert!(imported.sessions.is_some_and(|fit| (fit.later_fraction - 0.5).abs() < 0.01));
    BYTES.with(Cell::get).1 - before
}

#[test]
fn a_trace_four_times_as_long_takes_no_more_memory() {
    let (short, long) = (peak(100_000), peak(400_000));
    println!("{short} and {long} bytes");
    assert!(long < short + short / 10 && long < 40 << 20, "{short} and {long} bytes");
}

#[test]
#[ignore = "ten million lines take a debug build minutes"]
fn ten_million_lines_take_no_more_memory() {
    let (short, long) = (peak(150_000), peak(10_000_000));
    println!("{short} and {long} bytes");
    assert!(long < short + short / 10, "{short} and {long} bytes");
}
