//! What a cache replay costs: reading a trace, one pass for all capacities
//! against a plain LRU of one capacity, and the store of simulated ranks.
//!
//! `cargo bench --bench cache`; with TOKENMILL_SHARED also on public traces.
//! Arms take turns within one process; a figure is the median over the turns.

#[path = "support/mod.rs"]
mod support;

use std::path::PathBuf;
use support::{Quartiles, cpu_seconds, interleave, table};
use tokenmill::factory::Eviction;
use tokenmill::study::{
    CacheQuestion, Distances, Hits, Prompts, StoreReplay, Variant, replay_cache,
};
use tokenmill::workload::{Format, IdsName, NO_NODE, PrefixTree, ReadOptions};

const TURNS: usize = 21;
/// Capacity of the caches of one capacity, blocks.
const CAPACITY: u32 = 5_000;

/// A trace in memory.
struct Source {
    name: &'static str,
    text: Vec<u8>,
}

impl Source {
    fn read(&self) -> PrefixTree {
        let options = ReadOptions::default();
        let prefixes = IdsName::Prefixes;
        PrefixTree::read(Format::Mooncake, &self.text[..], self.name, options, prefixes)
            .expect("a sound trace")
    }
}

/// Sessions of 30 turns that grow by two blocks a turn from a prompt of 20, a
/// hundred at a time, behind 8 blocks that all share.
fn synthetic() -> Source {
    let mut text = String::new();
    let (mut at_ms, mut next) = (0_u64, 8_u64);
    for _ in 0..20 {
        let mut prompts: Vec<Vec<u64>> = vec![(0..8).collect(); 100];
        for turn in 0..30 {
            for prompt in &mut prompts {
                let grown = if turn == 0 { 12 } else { 2 };
                prompt.extend(next..next + grown);
                next += grown;
                at_ms += 100;
                let tokens = prompt.len() * 512 - 100;
                text += &format!(
                    "{{\"timestamp\": {at_ms}, \"input_length\": {tokens}, \"output_length\": 1, \
                     \"hash_ids\": {prompt:?}}}\n"
                );
            }
        }
    }
    Source { name: "synthetic sessions", text: text.into_bytes() }
}

fn sources() -> Vec<Source> {
    let mut sources = vec![synthetic()];
    if let Some(shared) = std::env::var_os("TOKENMILL_SHARED") {
        for (name, file) in [
            ("conversation", "mooncake_conversation_trace.jsonl"),
            ("coding agents", "weka_cc_dev_mooncake512.jsonl"),
        ] {
            let path = PathBuf::from(&shared).join("workloads/traces").join(file);
            sources.push(Source { name, text: std::fs::read(path).expect("a shared trace") });
        }
    }
    sources
}

/// An LRU cache of one capacity: a list through all blocks that are there.
struct Plain {
    newer: Vec<u32>,
    older: Vec<u32>,
    resident: u32,
}

/// Not in the list; also its two ends.
const ABSENT: u32 = u32::MAX;

impl Plain {
    /// Blocks that hit in a cache of `capacity` blocks.
    fn hits(tree: &PrefixTree, capacity: u32) -> u64 {
        // The last entry is the head of the list and closes it to a ring.
        let head = tree.parent.len();
        let mut cache =
            Plain { newer: vec![ABSENT; head + 1], older: vec![ABSENT; head + 1], resident: 0 };
        (cache.newer[head], cache.older[head]) = (head as u32, head as u32);
        let mut hits = 0;
        for request in &tree.requests {
            let (mut node, mut blocks, mut hit) = (request.node, tree.blocks(request.node), 0);
            while node != NO_NODE {
                if cache.touch(node, head as u32) && hit == 0 {
                    hit = blocks;
                }
                blocks -= 1;
                node = tree.parent[node as usize];
            }
            while cache.resident > capacity {
                cache.remove(cache.newer[head]);
            }
            hits += u64::from(hit);
        }
        hits
    }

    /// Makes `node` the most recent; whether it was there.
    fn touch(&mut self, node: u32, head: u32) -> bool {
        let was_there = self.newer[node as usize] != ABSENT;
        if was_there {
            self.remove(node);
        }
        let newest = self.older[head as usize];
        self.newer[newest as usize] = node;
        (self.older[node as usize], self.newer[node as usize]) = (newest, head);
        self.older[head as usize] = node;
        self.resident += 1;
        was_there
    }

    fn remove(&mut self, node: u32) {
        let (older, newer) = (self.older[node as usize], self.newer[node as usize]);
        self.newer[older as usize] = newer;
        self.older[newer as usize] = older;
        self.newer[node as usize] = ABSENT;
        self.resident -= 1;
    }
}

fn question(capacities: Vec<Option<u64>>) -> CacheQuestion {
    CacheQuestion {
        variant: Variant::AllBlocks,
        eviction: Eviction::Lru,
        capacities,
        ttls_s: vec![None],
    }
}

fn measure(source: &Source) -> Vec<Vec<String>> {
    let tree = source.read();
    let prompts = Prompts::new(&tree, Variant::AllBlocks);
    let blocks = prompts.totals().blocks;
    let expected = Plain::hits(&tree, CAPACITY);
    let of = |hits: Hits| assert_eq!(hits.blocks, expected, "{}", source.name);
    let store = StoreReplay::new(&prompts);
    let capacity = Some(u64::from(CAPACITY));
    let every: Vec<_> = (1..=1_000).map(|step| Some(step * 100)).collect();
    let (one, every) = (question(vec![capacity]), question(every));
    let mut arms: Vec<Box<dyn FnMut() -> f64 + '_>> = vec![
        Box::new(|| {
            let (seconds, hits) = cpu_seconds(|| Plain::hits(&tree, CAPACITY));
            assert_eq!(hits, expected);
            seconds
        }),
        Box::new(|| {
            let measure = || Distances::measure(&prompts, &[None]);
            let (seconds, distances) = cpu_seconds(measure);
            of(distances.hits(capacity, 0));
            seconds
        }),
        Box::new(|| cpu_seconds(|| replay_cache(&tree, &one)).0),
        Box::new(|| cpu_seconds(|| replay_cache(&tree, &every)).0),
        Box::new(|| {
            let fresh = [Default::default()];
            let (seconds, hits) = cpu_seconds(|| store.hits(Eviction::Lru, capacity, &fresh));
            of(hits[0]);
            seconds
        }),
        Box::new(|| cpu_seconds(|| source.read()).0),
    ];
    let seconds = interleave(TURNS, &mut arms);
    let names = [
        "plain LRU, one capacity",
        "one pass, all capacities",
        "replay, 1 capacity and curve",
        "replay, 1,000 capacities and curve",
        "store of a rank, one capacity",
        "read the trace",
    ];
    let row = |(name, seconds_of): (&&str, &Vec<f64>)| {
        let speeds: Vec<f64> = seconds_of.iter().map(|s| blocks as f64 / s / 1e6).collect();
        let ratios: Vec<f64> = seconds_of.iter().zip(&seconds[0]).map(|(s, one)| s / one).collect();
        vec![
            source.name.to_owned(),
            (*name).to_owned(),
            Quartiles::of(&speeds).text(1),
            Quartiles::of(&ratios).text(2),
        ]
    };
    names.iter().zip(&seconds).map(row).collect()
}

fn main() {
    let rows: Vec<_> = sources().iter().flat_map(measure).collect();
    table(&["trace", "what", "million blocks per CPU-second", "time over plain LRU"], &rows);
}
