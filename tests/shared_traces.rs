//! Whole public traces are read without a mistake; needs TOKENMILL_SHARED.

mod common;

use std::sync::Arc;
use tokenmill::workload::{Format, ReadOptions, Trace, TraceCall, open_trace, read_trace};

fn read(format: Format, name: &str, options: ReadOptions) -> Option<Arc<Trace>> {
    let path = common::shared(&format!("workloads/traces/{name}"))?;
    let mut file = open_trace(&path).expect("the shared trace is there");
    assert_eq!(Format::detect(&mut file).unwrap(), Some(format));
    Some(read_trace(format, file, name, options).expect("no broken line"))
}

#[test]
fn azure_2023_conversations() {
    let options = ReadOptions::default();
    let Some(trace) = read(Format::Azure, "azure2023_conv.csv", options) else { return };
    let calls: Vec<TraceCall> = trace.cursor().collect();
    assert_eq!((calls.len(), trace.calls), (19_366, 19_366));
    assert_eq!((calls[0].prompt, calls[0].output), (374, 44));
    assert_eq!(calls[1].at.ticks(), 43_145_790_000);
    let last = calls.last().unwrap();
    assert_eq!((last.prompt, last.output), (197, 183));
    assert!((3_400.0..3_600.0).contains(&last.at.seconds()));
}

#[test]
fn mooncake_conversations() {
    let name = "mooncake_conversation_trace.jsonl";
    let Some(trace) = read(Format::Mooncake, name, ReadOptions::default()) else { return };
    assert_eq!((trace.calls, trace.block_tokens, trace.nodes), (12_031, 512, 182_790));
    assert_eq!((trace.too_few_ids, trace.too_many_ids, trace.contradiction), (0, 0, None));
    let mut cursor = trace.cursor();
    assert_eq!(cursor.next().map(|call| call.prompt), Some(6_758));
    assert_eq!(cursor.ids(), 14);
    while let Some(call) = cursor.next() {
        assert_eq!(call.prompt.div_ceil(512), cursor.ids());
    }
}

/// Sessions start one after the other, and their calls come in order of time.
#[test]
fn weka_sessions() {
    let options = ReadOptions { session_gap_ticks: 750_000_000_000, ..ReadOptions::default() };
    let Some(trace) = read(Format::Weka, "weka_cc_dev_sessions.jsonl", options) else { return };
    assert_eq!((trace.calls, trace.block_tokens, trace.contradiction), (4_260, 64, None));
    assert_eq!((trace.too_few_ids, trace.too_many_ids), (0, 0));
    let mut cursor = trace.cursor();
    let (mut ids, mut repeated, mut last) = (0, 0, 0);
    while let Some(call) = cursor.next() {
        assert!(call.at.ticks() >= last);
        last = call.at.ticks();
        ids += u64::from(cursor.ids());
        repeated += u64::from(cursor.repeated() / 64);
    }
    // What `cache` finds without bound: 7,154,385 blocks, the new ones once.
    assert_eq!((ids, ids - repeated), (7_154_385, u64::from(trace.nodes)));
}
