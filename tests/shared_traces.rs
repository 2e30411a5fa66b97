//! Whole public traces are read without a mistake; needs TOKENMILL_SHARED.

use std::fs::File;
use std::io::BufReader;
use std::path::PathBuf;
use tokenmill::workload::{Format, ReadOptions, Trace, read_trace};

fn read(format: Format, name: &str) -> Option<Trace> {
    let Some(shared) = std::env::var_os("TOKENMILL_SHARED") else {
        eprintln!("skipped: TOKENMILL_SHARED is not set");
        return None;
    };
    let path = PathBuf::from(shared).join("workloads/traces").join(name);
    let file = BufReader::new(File::open(&path).expect("the shared trace is there"));
    Some(read_trace(format, file, name, ReadOptions::default()).expect("no broken line"))
}

#[test]
fn azure_2023_conversations() {
    let Some(trace) = read(Format::Azure, "azure2023_conv.csv") else { return };
    assert_eq!(trace.calls.len(), 19_366);
    assert_eq!((trace.calls[0].prompt, trace.calls[0].output), (374, 44));
    assert_eq!(trace.calls[1].at.ticks(), 43_145_790_000);
    let last = trace.calls.last().unwrap();
    assert_eq!((last.prompt, last.output), (197, 183));
    assert!((3_400.0..3_600.0).contains(&last.at.seconds()));
}

#[test]
fn mooncake_conversations() {
    let Some(trace) = read(Format::Mooncake, "mooncake_conversation_trace.jsonl") else { return };
    assert_eq!((trace.calls.len(), trace.block_tokens), (12_031, 512));
    assert_eq!((trace.calls[0].prompt, trace.calls[0].prefix_len), (6_758, 14));
    let fits =
        |call: &&tokenmill::workload::TraceCall| call.prompt.div_ceil(512) == call.prefix_len;
    assert_eq!(trace.calls.iter().filter(fits).count(), trace.calls.len());
}
