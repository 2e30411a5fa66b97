//! A jump over a long prompt whose blocks somebody else has decoded meanwhile.
//!
//! Both calls say the same. The first decodes what the second computes as its
//! prompt, chunk by chunk, and ends when the second is half way: from there on
//! every block of the second is in the cache already, and is given back as soon
//! as it is computed. An engine that jumped to the end of the prompt would take
//! all those blocks before it gave the first of them back, and would evict what
//! others have left in a rank that is nearly full.

use super::super::oracle::Oracle;
use super::{Journal, run_on};
use crate::factory::{Engine, Replica, StepTime};
use crate::kernel::Span;
use crate::metrics::RunRecord;
use crate::scenario::{Arrivals, Overrides, Scenario, parse};
use crate::simulation::Options;
use crate::workload::{Trace, TraceCall};
use std::path::Path;
use std::sync::Arc;

/// Every step takes so long, ms.
const STEP_MS: u64 = 10;
const BLOCK: u32 = 16;
/// What a third party has said and comes back to, blocks.
const OTHERS: u32 = 20;
/// The second prompt, blocks. Two of them are computed in a step.
const PROMPT: u32 = 40;

/// A use case of recorded calls: instant in ms, prompt and output tokens, ids.
type Recorded<'i> = &'i [(u64, u32, u32, &'i [u64])];

/// One rank with room for the prompt and what others have said, and no more.
fn scenario(use_cases: &[Recorded]) -> Scenario {
    let text = format!(
        "name = \"jumps\"\n[[pool]]\nname = \"p\"\nmodel = \"llama-3.1-8b\"\n\
         hardware = \"h100-sxm\"\n[pool.engine]\nkv_blocks = {}\nmax_num_seqs = 4\n\
         max_num_batched_tokens = {}\n[[use_case]]\nname = \"u\"\nprompt_tokens = 1\n\
         output_tokens = 1\narrivals = {{ process = \"closed-loop\", clients = 1, requests = 1 }}\n",
        PROMPT + OTHERS,
        2 * BLOCK,
    );
    let parsed = parse(&text, "jumps.toml", Path::new(""), &Overrides::default());
    let mut scenario = parsed.unwrap_or_else(|error| panic!("{error}")).scenario;
    scenario.pools[0].step_time =
        StepTime { per_step: STEP_MS as f64 * 1e-3, ..StepTime::default() };
    let template = scenario.use_cases.remove(0);
    scenario.use_cases = use_cases
        .iter()
        .enumerate()
        .map(|(at, calls)| {
            let mut use_case = template.clone();
            use_case.name = format!("u{at}");
            let calls = calls.iter().map(|&(at_ms, prompt, output, ids)| {
                let at = Span::from_seconds(at_ms as f64 * 1e-3);
                (TraceCall { at, prompt, output }, ids)
            });
            let trace = Arc::new(Trace::of(BLOCK, calls));
            use_case.arrivals = Arrivals::Trace { trace, time_scale: 1.0 };
            use_case.lengths = crate::scenario::Lengths::Recorded;
            use_case
        })
        .collect();
    scenario
}

/// Calls without ids all say one and the same text.
fn run<E: Engine>(scenario: &Scenario) -> (Journal, RunRecord) {
    let options = Options { warm_up: Span::ZERO, audit: true, ..Options::default() };
    run_on::<E>(scenario, options, Some(1))
}

#[test]
fn blocks_that_somebody_decoded_are_given_back_one_by_one() {
    let ids: Vec<u64> = (0..u64::from(OTHERS) + 1).collect();
    let others = OTHERS * BLOCK;
    // The first call decodes from 1 s on and has filled 20 blocks at 4.2 s, when the
    // second, five steps old, has computed ten.
    let first = (1_000, BLOCK, 20 * BLOCK, &[][..]);
    let second = (4_155, PROMPT * BLOCK, 1, &[][..]);
    let before = (0, others, 1, &ids[..OTHERS as usize]);
    let after = (6_000, others + BLOCK, 1, &ids[..]);
    let scenario = scenario(&[&[first, second], &[before, after]]);
    let (fast_journal, fast) = run::<Replica>(&scenario);
    let (slow_journal, slow) = run::<Oracle>(&scenario);
    assert_eq!(fast_journal, slow_journal);
    assert_eq!(format!("{fast:?}"), format!("{slow:?}"));
    let [shared, others_hit] = [0, 1].map(|at| fast.whole.use_cases[at].cached_tokens);
    assert_eq!(shared, u64::from(BLOCK), "the second hits the first prompt");
    assert_eq!(others_hit, u64::from(others), "nothing was evicted");
    // The rank was as full as it can be without evicting.
    assert_eq!(fast.whole.pools[0].preemptions, 0);
}
