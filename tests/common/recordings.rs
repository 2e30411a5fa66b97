//! What tests of recordings share: a rank with room for everything, and what a cache
//! finds without time.

use std::path::Path;
use tokenmill::factory::Eviction;
use tokenmill::metrics::UseCaseRecord;
use tokenmill::scenario::{Loaded, Overrides, parse};
use tokenmill::study::{CacheQuestion, Variant, replay_cache};
use tokenmill::workload::{Format, IdsName, PrefixTree, ReadOptions, open_trace};

/// One rank with blocks of `block_tokens` that serves the use case with the keys
/// `use_case`; `set` changes others, as `--set` does.
pub fn open(
    block_tokens: u32,
    set: &[&str],
    use_case: &str,
    folder: &Path,
) -> Result<Loaded, String> {
    let text = format!(
        r#"
        name = "recordings"
        [[pool]]
        name = "gpu"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        [pool.engine]
        block_tokens = {block_tokens}
        kv_blocks = 12_000_000
        step_scale = 0.05
        step_overhead = "0 ms"
        max_num_seqs = 1024
        [[use_case]]
        {use_case}
        "#
    );
    let set = set.iter().map(|&assignment| assignment.to_owned()).collect();
    let overrides = Overrides { set, ..Overrides::default() };
    let mut loaded =
        parse(&text, "s.toml", folder, &overrides).map_err(|error| error.to_string())?;
    // Agents of models with longer contexts.
    loaded.scenario.pools[0].engine.max_model_len = 2_000_000;
    Ok(loaded)
}

/// Hit and prompt tokens of the whole file in an endless cache of full blocks,
/// and calls, without time.
pub fn timeless(format: Format, path: &Path, session_gap_ticks: u64) -> (u64, u64, u64) {
    let options = ReadOptions { session_gap_ticks, ..ReadOptions::default() };
    let file = open_trace(path).unwrap();
    let tree = PrefixTree::read(format, file, "t", options, IdsName::Prefixes).unwrap();
    let question = CacheQuestion {
        variant: Variant::FullBlocks,
        eviction: Eviction::Lru,
        capacities: vec![None],
        ttls_s: vec![None],
    };
    let answer = &replay_cache(&tree, &question).answers[0];
    (answer.hit_tokens, answer.prompt_tokens, answer.requests)
}

/// The same of what was served.
pub fn figures(served: &UseCaseRecord) -> (u64, u64, u64) {
    (served.cached_tokens, served.prompt_tokens, served.calls)
}
