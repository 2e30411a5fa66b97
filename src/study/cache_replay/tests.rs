//! One pass for all capacities, and the cache of simulated ranks, against the
//! definition.

use super::freshness::Freshness;
use super::*;
use crate::workload::{Format, IdsName, PrefixTree, ReadOptions};
use proptest::prelude::*;

const BLOCK_TOKENS: u32 = 4;

/// A recording of requests that come so many ms apart, with these blocks and so
/// many tokens more or less than they hold.
fn tree(requests: &[(u64, Vec<u8>, i64)]) -> PrefixTree {
    let mut at_ms = 0;
    let mut text = String::new();
    for (gap_ms, ids, more) in requests {
        at_ms += gap_ms;
        let tokens = (ids.len() as i64 * i64::from(BLOCK_TOKENS) + more).max(0);
        text += &format!(
            "{{\"timestamp\": {at_ms}, \"input_length\": {tokens}, \"hash_ids\": {ids:?}}}\n"
        );
    }
    let options = ReadOptions { block_tokens: Some(BLOCK_TOKENS), ..ReadOptions::default() };
    let tree = PrefixTree::read(Format::Mooncake, text.as_bytes(), "t", options, IdsName::Blocks);
    tree.expect("well formed")
}

/// Few ids, so that prompts share prefixes and come back.
fn requests() -> impl Strategy<Value = Vec<(u64, Vec<u8>, i64)>> {
    let ids = prop::collection::vec(prop::sample::select(vec![0_u8, 0, 0, 1, 2]), 0..9);
    // As recordings have it, and otherwise.
    let more = prop_oneof![4 => -3_i64..=0, 1 => -9_i64..=9];
    prop::collection::vec((0_u64..4, ids, more), 1..30)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]
    #[test]
    fn one_pass_equals_the_definition_at_every_capacity(requests in requests()) {
        let tree = tree(&requests);
        let ttls = [None, Some(0.0), Some(0.002), Some(0.005)];
        for variant in Variant::ALL {
            let prompts = Prompts::new(&tree, variant);
            let distances = Distances::measure(&prompts, &ttls);
            let most = distances.unique_blocks() + 1;
            let replay = StoreReplay::new(&prompts);
            let fresh: Vec<Freshness> =
                ttls.iter().map(|&ttl| Freshness::new(&prompts, ttl)).collect();
            for capacity in (0..=most).map(Some).chain([None]) {
                let stored = replay.hits(Eviction::Lru, capacity, &fresh);
                for (index, &ttl) in ttls.iter().enumerate() {
                    let expected = reference::hits(&prompts, capacity, ttl);
                    let context = format!("{variant:?} {capacity:?} {ttl:?}");
                    prop_assert_eq!(distances.hits(capacity, index), expected, "{}", &context);
                    prop_assert_eq!(stored[index], expected, "store, {}", &context);
                }
            }
        }
    }
}

#[test]
fn a_prompt_worked_by_hand() {
    // Blocks: a = [0], ab = [0, 1], ac = [0, 2]; the last block holds 2 tokens.
    let tree =
        tree(&[(0, vec![0, 1], -2), (1, vec![0, 2], -2), (1, vec![0, 1], -2), (1, vec![0, 1], -2)]);
    let question = CacheQuestion {
        variant: Variant::AllBlocks,
        eviction: Eviction::Lru,
        capacities: vec![None, Some(2), Some(1)],
        ttls_s: vec![None, Some(0.001)],
    };
    let replay = replay_cache(&tree, &question);
    let hits: Vec<(u64, u64)> =
        replay.answers.iter().map(|answer| (answer.hit_blocks, answer.hit_tokens)).collect();
    // Second: a. Third: a and, unless it was too old or had made way, ab. Last: both.
    let expected = [(5, 16), (4, 14), (4, 14), (4, 14), (3, 12), (3, 12)];
    assert_eq!(hits, expected);
    assert_eq!(replay.answers[1].ttl_s, Some(0.001));
    assert_eq!((replay.answers[0].blocks, replay.answers[0].prompt_tokens), (8, 24));
    assert_eq!((replay.largest, replay.answers[0].unique_blocks), ((2, 1), 3));
    let full = CacheQuestion { variant: Variant::FullBlocks, ..question };
    let replay = replay_cache(&tree, &full);
    let answer = &replay.answers[0];
    assert_eq!((answer.blocks, answer.hit_blocks, answer.hit_tokens), (4, 3, 12));
    assert_eq!(answer.unique_blocks, 1);
}

#[test]
fn nothing_to_replay_is_no_trouble() {
    let tree = tree(&[(0, vec![], 0)]);
    let question = CacheQuestion {
        variant: Variant::AllBlocks,
        eviction: Eviction::Lru,
        capacities: vec![Some(1), None],
        ttls_s: vec![None],
    };
    let replay = replay_cache(&tree, &question);
    assert_eq!((replay.answers[1].hit_blocks, replay.answers[1].hit_tokens_fraction), (0, None));
    assert!(replay.curves[0].points.is_empty());
}

/// The first thousand requests of a public trace; needs TOKENMILL_SHARED.
fn shared_tree(name: &str) -> Option<PrefixTree> {
    let Some(shared) = std::env::var_os("TOKENMILL_SHARED") else {
        eprintln!("skipped: TOKENMILL_SHARED is not set");
        return None;
    };
    let path = std::path::PathBuf::from(shared).join("workloads/traces").join(name);
    let file = std::fs::File::open(path).expect("the shared trace is there");
    let options = ReadOptions { calls_max: Some(1_000), ..ReadOptions::default() };
    let input = std::io::BufReader::new(file);
    Some(PrefixTree::read(Format::Mooncake, input, name, options, IdsName::Prefixes).unwrap())
}

#[test]
fn traces_hit_the_same_by_all_three() {
    for name in ["mooncake_conversation_trace.jsonl", "weka_cc_dev_mooncake512.jsonl"] {
        let Some(tree) = shared_tree(name) else { return };
        let ttls = [None, Some(60.0)];
        for variant in Variant::ALL {
            let prompts = Prompts::new(&tree, variant);
            let distances = Distances::measure(&prompts, &ttls);
            let fresh = ttls.map(|ttl| Freshness::new(&prompts, ttl));
            let replay = StoreReplay::new(&prompts);
            for capacity in [None, Some(5_000), Some(2_000), Some(500), Some(50)] {
                let stored = replay.hits(Eviction::Lru, capacity, &fresh);
                for (index, &ttl) in ttls.iter().enumerate() {
                    let expected = reference::hits(&prompts, capacity, ttl);
                    assert_eq!(distances.hits(capacity, index), expected, "{name} {capacity:?}");
                    assert_eq!(stored[index], expected, "store, {name} {capacity:?}");
                }
            }
        }
    }
}
