//! The prefix store by eviction policy: `cargo bench --bench cache_store`.
//!
//! Sessions that share a system prompt come back at random, each time with more
//! to say, to a cache that holds a fifth of them; after 30 turns another session
//! takes the place of one. A request is looked up, takes what is there, adds what
//! is not, and lets go of it; then the cache gives up what is too much.
//! `-- POLICY` runs the policies whose name contains POLICY.

mod support;

use std::cell::Cell;
use support::{Quartiles, cpu_seconds, interleave, table};
use tokenmill::catalog::Catalog;
use tokenmill::factory::{Eviction, Parallelism, PrefixStore, PromptTime, StepTime};
use tokenmill::kernel::Time;
use tokenmill::random::{Component, Streams, entity};
use tokenmill::workload::{Author, Content, Strand};

/// Repetitions of each row, and requests in each.
const TURNS: usize = 9;
const REQUESTS: u32 = 200_000;
/// Sessions at a time, turns of each, blocks of a turn and of the shared prompt.
const SESSIONS: usize = 1_000;
const SESSION_TURNS: u32 = 30;
const TURN_BLOCKS: u32 = 40;
const SHARED_BLOCKS: u32 = 200;
/// Blocks of the cache; sessions hold 15.5 turns on average.
const CAPACITY: u32 = 125_000;
const BLOCK_TOKENS: u32 = 16;

/// What a row measured beside its time.
#[derive(Clone, Copy, Default)]
struct Seen {
    hit_share: f64,
    runs: usize,
}

/// Requests to a store, in the order that a stream draws.
fn serve(eviction: Eviction, seen: &Cell<Seen>) -> f64 {
    let mut store = PrefixStore::new(eviction, BLOCK_TOKENS, prompt_time());
    let mut stream = Streams::new(1, 0).stream(Component::Prompt, entity("cache"), 0);
    let mut sessions: Vec<(u64, u32)> = (0..SESSIONS as u64).map(|number| (number, 0)).collect();
    let mut next = SESSIONS as u64;
    let (mut hits, mut blocks_total) = (0, 0);
    let (seconds, ()) = cpu_seconds(|| {
        for request in 0..REQUESTS {
            let (number, turn) = &mut sessions[(stream.unit() * SESSIONS as f64) as usize];
            if *turn == SESSION_TURNS {
                (*number, *turn) = (next, 0);
                next += 1;
            }
            *turn += 1;
            let mut content = Content::new(Strand::new(0, Author::Group, 0));
            let session = Strand::new(0, Author::Session, *number);
            content.turn_off(SHARED_BLOCKS * BLOCK_TOKENS, session);
            let (content, blocks) = (content.stretches(), SHARED_BLOCKS + *turn * TURN_BLOCKS);
            store.expire(Time::from_ticks(request.into()), |_, _, _| {});
            let hit = store.lookup(content, blocks).blocks;
            store.acquire(content, hit);
            store.publish(content, hit, blocks);
            store.release(content, blocks);
            store.evict(store.resident().saturating_sub(CAPACITY), |_, _, _| {});
            hits += u64::from(hit);
            blocks_total += u64::from(blocks);
        }
    });
    seen.set(Seen { hit_share: hits as f64 / blocks_total as f64, runs: store.runs() });
    seconds * 1e9 / f64::from(REQUESTS)
}

fn prompt_time() -> PromptTime {
    let catalog = Catalog::embedded();
    let model = catalog.model("llama-3.1-70b").expect("in the catalog");
    let hardware = catalog.hardware("h100-sxm").expect("in the catalog");
    let split = Parallelism { tensor: 4, data: 1, expert: 1 };
    let precision = "fp8".parse().expect("a precision");
    StepTime::new(&model, &hardware, precision, split, 1.0, 0.0).prompt_time()
}

fn main() {
    let asked: Vec<String> =
        std::env::args().skip(1).filter(|arg| !arg.starts_with("--")).collect();
    let names = Eviction::NAMES.into_iter();
    let wanted = |name: &&str| asked.is_empty() || asked.iter().any(|part| name.contains(part));
    let policies: Vec<Eviction> =
        names.filter(wanted).map(|name| name.parse().expect("its own name")).collect();
    let seen: Vec<Cell<Seen>> = policies.iter().map(|_| Cell::default()).collect();
    let arm = |at: usize| -> Box<dyn FnMut() -> f64 + '_> {
        let (policy, seen) = (policies[at], &seen[at]);
        Box::new(move || serve(policy, seen))
    };
    let ns = interleave(TURNS, &mut (0..policies.len()).map(arm).collect::<Vec<_>>());
    println!("CPU time of one thread; median [quartiles] of {TURNS} interleaved repetitions");
    let cells: Vec<Vec<String>> = (0..policies.len())
        .map(|at| {
            let Seen { hit_share, runs } = seen[at].get();
            vec![
                policies[at].to_string(),
                Quartiles::of(&ns[at]).text(0),
                format!("{hit_share:.3}"),
                runs.to_string(),
            ]
        })
        .collect();
    table(&["policy", "ns a request", "blocks hit", "runs"], &cells);
}
