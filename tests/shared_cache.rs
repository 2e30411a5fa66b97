//! The conversation trace replayed with time, through the engine and its cache;
//! needs TOKENMILL_SHARED.

mod common;

use tokenmill::metrics::RunRecord;
use tokenmill::scenario::{Overrides, parse};
use tokenmill::simulation::{Options, run};

/// The trace on one rank with `blocks` KV blocks of `block_tokens` tokens. Steps
/// are fast enough for the queue to stay short.
fn replay(blocks: u32, block_tokens: u32, more: &str) -> Option<RunRecord> {
    let traces = common::shared("workloads/traces")?;
    let text = format!(
        r#"
        name = "conversation"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [pool.engine]
        block_tokens = {block_tokens}
        kv_blocks = {blocks}
        step_scale = 0.05
        step_overhead = "0 ms"
        max_num_seqs = 1024
        [[use_case]]
        name = "chat"
        trace = {{ format = "mooncake", path = "mooncake_conversation_trace.jsonl" }}
        {more}
        "#
    );
    let loaded = parse(&text, "conversation.toml", &traces, &Overrides::default());
    let loaded = loaded.unwrap_or_else(|error| panic!("{error}"));
    let record = run(&loaded.scenario, 0, Options::default());
    assert_eq!((record.cut_off, record.whole.use_cases[0].calls), (None, 12_031));
    Some(record)
}

fn cached(record: &RunRecord) -> (u64, u64) {
    (record.whole.use_cases[0].cached_tokens, record.whole.use_cases[0].prompt_tokens)
}

/// With room for everything, time changes nothing: calls are admitted in order
/// and hit what those before them computed. Full blocks of 512 tokens, of which
/// at least one token is computed: 105,592 blocks, as without time.
#[test]
fn an_endless_cache_hits_as_if_there_were_no_time() {
    let Some(record) = replay(400_000, 512, "") else { return };
    assert_eq!(cached(&record), (105_592 * 512, 144_793_823));
    // Smaller blocks also hit the full ones within the last, partial block.
    let record = replay(12_000_000, 16, "").unwrap();
    let (hits, tokens) = cached(&record);
    assert!(hits > 105_592 * 512, "{hits}");
    // Counting the last block of a prompt whole, as ids do, is 37.3624 %.
    let fraction = hits as f64 / tokens as f64;
    assert!((fraction - 0.373_624).abs() < 0.0005, "{fraction}");
}

/// Hits rise with the memory of the GPU, towards those of an endless cache.
#[test]
fn hits_rise_with_capacity() {
    let mut last = 0.0;
    let mut table = String::new();
    for blocks in [2_000, 5_000, 10_000, 20_000, 30_000, 50_000, 100_000, 400_000] {
        let Some(record) = replay(blocks, 512, "") else { return };
        let (hits, tokens) = cached(&record);
        let fraction = hits as f64 / tokens as f64;
        table += &format!("{blocks} blocks: {fraction:.6}\n");
        assert!(fraction > last - 0.005, "{table}");
        last = fraction;
    }
    println!("{table}");
    assert!((last - 0.373_380).abs() < 5e-7, "{table}");
}
