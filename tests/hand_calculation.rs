//! Deterministic decode against arithmetic by hand, equal to the tick.
//!
//! Step-time coefficients are whole numbers of ticks, so that a step's duration
//! is a sum of small products that a reader can redo on paper. Each call is a
//! use case of its own, so that its latencies can be read off exactly.

mod common;

use common::{load, simulate};
use std::sync::Arc;
use tokenmill::factory::{Parallelism, StepTime};
use tokenmill::kernel::{Span, TICKS_PER_SECOND};
use tokenmill::metrics::{LatencyRecord, RunRecord};
use tokenmill::random::Distribution;
use tokenmill::scenario::{Arrivals, Lengths, Scenario, Thinking, ThinkingAmount, Thinks, UseCase};
use tokenmill::workload::{Trace, TraceCall};

/// Ticks of each step: 5 ms.
const PER_STEP: u64 = 50_000_000;
/// Ticks of each token computed.
const PER_TOKEN: u64 = 2_000;
/// Ticks of each sequence in the batch.
const PER_SEQUENCE: u64 = 30_000;
/// Ticks of each token that a decode attends.
const PER_CONTEXT: u64 = 40;
/// Ticks of each (query, key) pair of a prompt chunk.
const PER_PAIR: u64 = 2;
/// Ticks of each token before a prompt chunk.
const PER_PREFIX: u64 = 10;

/// Ticks of one rank's step: decodes by the tokens they attend, prompt chunks
/// by the tokens computed before and in the step.
fn step(decodes: &[u64], chunks: &[(u64, u64)]) -> u64 {
    let of_decode = |attended: &u64| PER_TOKEN + PER_SEQUENCE + PER_CONTEXT * attended;
    let of_chunk = |&(before, tokens): &(u64, u64)| {
        let pairs = tokens * before + tokens * (tokens + 1) / 2;
        PER_TOKEN * tokens + PER_SEQUENCE + PER_PAIR * pairs + PER_PREFIX * before
    };
    PER_STEP + decodes.iter().map(of_decode).sum::<u64>() + chunks.iter().map(of_chunk).sum::<u64>()
}

/// Ticks of the decode steps `from..=to` of sequences that attend these many
/// tokens in step 0.
fn decoding(attended: &[u64], from: u64, to: u64) -> u64 {
    let in_step = |k: u64| attended.iter().map(|attended| attended + k).collect::<Vec<u64>>();
    (from..=to).map(|k| step(&in_step(k), &[])).sum()
}

fn whole_ticks() -> StepTime {
    let seconds = |ticks: u64| ticks as f64 / TICKS_PER_SECOND as f64;
    StepTime {
        per_step: seconds(PER_STEP),
        per_token: seconds(PER_TOKEN),
        per_sequence: seconds(PER_SEQUENCE),
        per_decode_context: seconds(PER_CONTEXT),
        per_pair: seconds(PER_PAIR),
        per_prefix: seconds(PER_PREFIX),
        ..StepTime::default()
    }
}

/// A call: when it arrives (ticks), its prompt and output tokens.
#[derive(Clone, Copy)]
struct Asked {
    at: u64,
    prompt: u32,
    output: u32,
}

const fn asked(at: u64, prompt: u32, output: u32) -> Asked {
    Asked { at, prompt, output }
}

/// One replica with these engine settings, the step times above, and one use
/// case a call.
fn factory(engine: &str, calls: &[Asked]) -> Scenario {
    let text = format!(
        r#"
        name = "hand"
        [[pool]]
        name = "pool"
        model = "llama-3.1-8b"
        hardware = "h100-sxm"
        engine = {{ {engine} }}
        [[use_case]]
        name = "call"
        arrivals = {{ process = "closed-loop", clients = 1, requests = 1 }}
        prompt_tokens = 1
        output_tokens = 1
        "#
    );
    let mut scenario = load(&text).scenario;
    scenario.pools[0].step_time = whole_ticks();
    let template = scenario.use_cases.remove(0);
    let use_cases = calls.iter().enumerate().map(|(number, &call)| UseCase {
        name: format!("call-{number}"),
        arrivals: Arrivals::Trace { trace: recording(call), time_scale: 1.0 },
        lengths: Lengths::Recorded,
        ..template.clone()
    });
    scenario.use_cases = use_cases.collect();
    scenario
}

fn recording(call: Asked) -> Arc<Trace> {
    let Asked { at, prompt, output } = call;
    let call = TraceCall { at: Span::from_ticks(at), prompt, output };
    Arc::new(Trace::of(0, [(call, &[][..])]))
}

fn ticks(seconds: f64) -> u64 {
    (seconds * TICKS_PER_SECOND as f64).round() as u64
}

/// The only value of a latency.
fn only(latency: &LatencyRecord) -> u64 {
    assert_eq!(latency.count, 1);
    ticks(latency.mean)
}

/// Queue wait, TTFT and E2E of call `number`, in ticks.
fn seen(record: &RunRecord, number: usize) -> [u64; 3] {
    let use_case = &record.whole.use_cases[number];
    [&use_case.queue, &use_case.ttft, &use_case.e2e].map(only)
}

/// Blocks in use at the fullest moment.
fn peak_blocks(record: &RunRecord, scenario: &Scenario) -> u64 {
    (record.whole.pools[0].kv_use_peak * f64::from(scenario.pools[0].kv.blocks)).round() as u64
}

#[test]
fn one_call_alone() {
    let scenario = factory("", &[asked(0, 1_000, 250)]);
    let record = simulate(&scenario);
    let ttft = step(&[], &[(0, 1_000)]);
    // In its k-th decode step it attends the prompt, and k tokens of output.
    let decode = decoding(&[1_000], 1, 249);
    assert_eq!(seen(&record, 0), [0, ttft, ttft + decode]);
    assert_eq!(only(&record.whole.use_cases[0].tpot), (decode as f64 / 249.0).round() as u64);
    // The last token is never fed back: 1000 + 249 tokens in blocks of 16.
    assert_eq!(peak_blocks(&record, &scenario), 79);
    let pool = &record.whole.pools[0];
    assert_eq!((pool.input_tokens, pool.output_tokens), (1_000, 250));
    assert_eq!([pool.busy_s, record.whole.window_s, record.end_s].map(ticks), [ttft + decode; 3]);
    // Four events, the end of arrivals and the samples of the timeline, not 250.
    assert!(record.events - record.timeline.len() as u64 <= 5, "{} events", record.events);
}

/// With decodes at half, a step without prompts takes half, the weights included; the
/// step in which the second call's prompt comes half of what the first adds to it.
#[test]
fn decodes_at_half_the_time() {
    let scenario = |calls: &[Asked]| {
        let mut scenario = factory("", calls);
        scenario.pools[0].step_time = whole_ticks().with_decode_scale(0.5);
        scenario
    };
    let first = asked(0, 1_000, 250);
    let record = simulate(&scenario(&[first]));
    let ttft = step(&[], &[(0, 1_000)]);
    assert_eq!(seen(&record, 0), [0, ttft, ttft + decoding(&[1_000], 1, 249) / 2]);
    // It comes while the first of these steps is under way.
    let second = asked(ttft + 1, 600, 100);
    let record = simulate(&scenario(&[first, second]));
    let one = decoding(&[1_000], 1, 1) / 2;
    let prompt = step(&[], &[(0, 600)]);
    let mixed = prompt + (step(&[1_002], &[(0, 600)]) - prompt) / 2;
    let both = decoding(&[1_002, 600], 1, 99) / 2;
    let rest = decoding(&[1_101], 1, 148) / 2;
    assert_eq!(seen(&record, 0), [0, ttft, ttft + one + mixed + both + rest]);
    assert_eq!(seen(&record, 1), [one - 1, one - 1 + mixed, one - 1 + mixed + both]);
}

/// The answer begins with the token after thinking; a call that thinks and one that
/// does not take the same steps.
#[test]
fn thinking_comes_before_the_answer() {
    for answer in [1, 150] {
        let mut scenario = factory("", &[asked(0, 1_000, answer)]);
        let amount = ThinkingAmount::Tokens(Distribution::constant(100.0).unwrap());
        let when = Thinks::Often { probability: 1.0 };
        scenario.use_cases[0].thinking =
            Some(Thinking { when, amount, budget: None, is_kept: false });
        let record = simulate(&scenario);
        let ttft = step(&[], &[(0, 1_000)]);
        let decode = decoding(&[1_000], 1, u64::from(99 + answer));
        assert_eq!(seen(&record, 0), [0, ttft, ttft + decode]);
        let use_case = &record.whole.use_cases[0];
        let thinking = use_case.thinking.as_ref().unwrap();
        let thought = decoding(&[1_000], 1, 100);
        assert_eq!(only(&thinking.visible_ttft), ttft + thought);
        assert_eq!((thinking.calls, thinking.tokens, thinking.cut), (1, 100, 0));
        assert_eq!(use_case.output_tokens, u64::from(100 + answer));
        // One event more than without thinking, unless the answer is one token.
        let events = record.events - record.timeline.len() as u64;
        assert!(events <= 6, "{events} events");
    }
}

/// A preempted call thinks on: what it had thought is computed anew, and the
/// answer comes after as many thinking tokens.
#[test]
fn thinking_survives_a_preemption() {
    let thinking = |tokens: f64| {
        // 62 + 63 blocks of 16 tokens for two calls, and 100 for both.
        let mut scenario =
            factory("kv_blocks = 100, reserve_full_prompt = false", &[asked(0, 600, 40); 2]);
        for use_case in &mut scenario.use_cases {
            let amount = ThinkingAmount::Tokens(Distribution::constant(tokens).unwrap());
            let when = Thinks::Often { probability: 1.0 };
            use_case.thinking = Some(Thinking { when, amount, budget: Some(360), is_kept: false });
        }
        simulate(&scenario)
    };
    let record = thinking(1_000.0);
    let [first, second] = [0, 1].map(|at| &record.whole.use_cases[at]);
    assert_eq!((first.preemptions, second.preemptions), (0, 1));
    for use_case in [first, second] {
        let thinking = use_case.thinking.as_ref().unwrap();
        assert_eq!((thinking.calls, thinking.tokens, thinking.cut), (1, 360, 1));
        assert_eq!(use_case.output_tokens, 400);
        // The answer's 39 other tokens come after its first.
        let answer = only(&use_case.e2e) - only(&thinking.visible_ttft);
        let apart = only(&use_case.e2e) - only(&use_case.ttft);
        assert!(answer < apart / 8, "{answer} of {apart}");
    }
    // It could only go on when the first had ended.
    let began = only(&second.thinking.as_ref().unwrap().visible_ttft);
    assert!(began > only(&first.e2e));
}

#[test]
fn one_token_of_output_takes_one_step() {
    let record = simulate(&factory("", &[asked(77, 33, 1)]));
    let ttft = step(&[], &[(0, 33)]);
    assert_eq!(seen(&record, 0), [0, ttft, ttft]);
    assert_eq!(record.whole.use_cases[0].tpot.count, 0);
}

#[test]
fn simultaneous_calls_share_every_step() {
    const N: usize = 8;
    let scenario = factory("", &[asked(5, 100, 64); N]);
    let record = simulate(&scenario);
    let ttft = step(&[], &[(0, 100); N]);
    let decode = decoding(&[100; N], 1, 63);
    for number in 0..N {
        assert_eq!(seen(&record, number), [0, ttft, ttft + decode]);
    }
    assert_eq!(peak_blocks(&record, &scenario), 8 * 11); // 163 tokens each
    let output_tok_per_s =
        record.whole.pools[0].output_tokens as f64 / record.whole.pools[0].busy_s;
    let by_hand = (8.0 * 64.0) / ((ttft + decode) as f64 / TICKS_PER_SECOND as f64);
    assert!((output_tok_per_s / by_hand - 1.0).abs() < 1e-12);
}

/// With the catalog's own coefficients: 32 calls at once on llama-3.1-8b and
/// an H100. Base and increment of the decode steps are rounded once.
#[test]
fn simultaneous_calls_at_the_catalogs_step_times() {
    const N: usize = 32;
    let mut scenario = factory("", &[asked(0, 500, 200); N]);
    let pool = &mut scenario.pools[0];
    let [model, hardware] = [&pool.model.name, &pool.hardware.name];
    assert_eq!([model.as_str(), hardware.as_str()], ["llama-3.1-8b", "h100-sxm"]);
    let StepTime { per_step, per_token, per_sequence, per_decode_context, per_pair, .. } =
        StepTime::new(&pool.model, &pool.hardware, pool.precision, pool.parallelism, 1.06, 4e-4);
    pool.step_time =
        StepTime::new(&pool.model, &pool.hardware, pool.precision, pool.parallelism, 1.06, 4e-4);
    let n = N as f64;
    // 8192 tokens a step: 16 whole prompts and 192 tokens of the 17th.
    let step_of = |tokens: f64, sequences: f64, rest: f64| {
        ticks(per_step + per_token * tokens + per_sequence * sequences + rest)
    };
    let whole = 500.0 * 501.0 / 2.0;
    let first = step_of(8_192.0, 17.0, per_pair * (16.0 * whole + 192.0 * 193.0 / 2.0));
    // 16 decodes beside the other prompts: 308 tokens of the 17th, and 15 whole.
    let rest_of_17th = 308.0 * 192.0 + 308.0 * 309.0 / 2.0;
    let second = step_of(
        16.0 + 308.0 + 15.0 * 500.0,
        n,
        per_decode_context * 16.0 * 501.0 + per_pair * (rest_of_17th + 15.0 * whole),
    );
    // 198 more decodes of the early half; contexts 502 and 501 at first.
    let base = step_of(n, n, per_decode_context * 16.0 * (502.0 + 501.0));
    let increment = ticks(per_decode_context * n);
    let together = 198 * base + increment * (198 * 197 / 2);
    let last = step_of(16.0, 16.0, per_decode_context * 16.0 * 699.0);
    let record = simulate(&scenario);
    for number in 0..16 {
        assert_eq!(seen(&record, number), [0, first, first + second + together]);
    }
    assert_eq!(seen(&record, 16), [0, first + second, first + second + together + last]);
    for number in 17..N {
        assert_eq!(
            seen(&record, number),
            [first, first + second, first + second + together + last]
        );
    }
}

#[test]
fn a_long_prompt_is_chunked_beside_a_decode() {
    const BUDGET: u64 = 512;
    let first_token = step(&[], &[(0, 100)]);
    // It arrives in the middle of the second decode step of the other.
    let arrival = first_token + step(&[101], &[]) + 7;
    let calls = [asked(0, 100, 50), asked(arrival, 2_000, 10)];
    let scenario = factory("max_num_batched_tokens = 512", &calls);
    let record = simulate(&scenario);
    let joined = first_token + decoding(&[100], 1, 2);
    // One token of each step's budget goes to the decode.
    let chunk = BUDGET - 1;
    let chunked = step(&[103], &[(0, chunk)])
        + step(&[104], &[(chunk, chunk)])
        + step(&[105], &[(2 * chunk, chunk)])
        + step(&[106], &[(3 * chunk, 2_000 - 3 * chunk)]);
    // Both decode for 9 steps: the first call's 7th to 15th, then it is alone.
    let both = decoding(&[106, 2_000], 1, 9);
    let alone = decoding(&[100], 16, 49);
    let end = joined + chunked + both;
    assert_eq!(seen(&record, 1), [joined, joined + chunked, end].map(|at| at - arrival));
    assert_eq!(seen(&record, 0), [0, first_token, end + alone]);
}

#[test]
fn the_newest_is_preempted_when_blocks_run_out() {
    // What is left of the second call's three full blocks when it is readmitted:
    // the first call, with 71 tokens at its end, has taken the last two of them.
    for (engine, left) in [("prefix_caching = false", 0), ("prefix_caching = true", 16)] {
        let calls = [asked(0, 32, 40); 2];
        let scenario = factory(&format!("kv_blocks = 6, {engine}"), &calls);
        let record = simulate(&scenario);
        // Two blocks each for the prompts; the 33rd token takes the last two.
        let ttft = step(&[], &[(0, 32), (0, 32)]);
        let both = decoding(&[32, 32], 1, 16);
        // Both need a block for the 49th token and none is free: the second goes,
        // with 17 tokens generated. The first goes on to its 40th token alone.
        let first_alone = decoding(&[32], 17, 39);
        // Of 49 tokens, those not in the cache are computed anew and sample the
        // 18th; 22 decodes are left.
        let again = step(&[], &[(left, 32 + 17 - left)]);
        let second_alone = decoding(&[49], 1, 22);
        let first_end = ttft + both + first_alone;
        assert_eq!(seen(&record, 0), [0, ttft, first_end]);
        assert_eq!(seen(&record, 1), [0, ttft, first_end + again + second_alone]);
        assert_eq!([0, 1].map(|number| record.whole.use_cases[number].preemptions), [0, 1]);
        assert_eq!(record.whole.pools[0].preemptions, 1);
        assert_eq!(peak_blocks(&record, &scenario), 6);
        // Both prompts, and what was computed anew, of which all but the last sampled
        // token had been there before.
        let work = &record.whole.pools[0].work.use_cases;
        let tokens = |at: usize| (work[at].computed_tokens, work[at].recomputed_tokens);
        let anew = 32 + 17 - left;
        assert_eq!([tokens(0), tokens(1)], [(32, 0), (32 + anew, anew - 1)]);
        // The longest gap between its tokens is the one it waited out.
        let longest = *record.whole.use_cases[1].itl.curve.last().expect("gaps");
        let (longest, gap) = (longest * TICKS_PER_SECOND as f64, (first_alone + again) as f64);
        assert!((longest / gap - 1.0).abs() <= 0.004, "{longest} {gap}");
    }
}

#[test]
fn with_room_for_both_nobody_is_preempted() {
    let scenario = factory("kv_blocks = 10", &[asked(0, 32, 40); 2]);
    let record = simulate(&scenario);
    let end = step(&[], &[(0, 32), (0, 32)]) + decoding(&[32, 32], 1, 39);
    assert_eq!([0, 1].map(|number| seen(&record, number)[2]), [end, end]);
    assert_eq!(record.whole.pools[0].preemptions, 0);
    assert_eq!(peak_blocks(&record, &scenario), 10); // 71 tokens each
}

/// The slowest rank sets the pace of both. Rank 0 starts slower with one long
/// context; the eight short ones of rank 1 grow eight times as fast and pass it.
#[test]
fn two_ranks_in_lockstep() {
    // Ranks take turns while their loads are equal, so rank 0 gets the calls at
    // even places, and those of one token leave it at once.
    let mut calls = vec![asked(0, 6_000, 200)];
    for _ in 0..7 {
        calls.extend([asked(0, 10, 100), asked(0, 1, 1)]);
    }
    calls.push(asked(0, 10, 100));
    let mut scenario = factory("", &calls);
    scenario.pools[0].parallelism = Parallelism { tensor: 1, data: 2, expert: 1 };
    let record = simulate(&scenario);

    let mut prompts_of_rank_0 = vec![(0, 6_000)];
    prompts_of_rank_0.extend([(0, 1); 7]);
    let ttft = step(&[], &prompts_of_rank_0).max(step(&[], &[(0, 10); 8]));
    let pace = |k: u64| [step(&[6_000 + k], &[]), step(&[10 + k; 8], &[])];
    let [rank_0, rank_1] = pace(1);
    assert!(rank_0 > rank_1, "rank 0 is the slower one at first");
    let [rank_0, rank_1] = pace(99);
    assert!(rank_0 < rank_1, "and rank 1 in the end");
    let together: u64 = (1..=99).map(|k| pace(k).into_iter().max().expect("two")).sum();
    let alone = decoding(&[6_000], 100, 199);
    assert_eq!(seen(&record, 0), [0, ttft, ttft + together + alone]);
    for number in (1..calls.len()).step_by(2) {
        assert_eq!(seen(&record, number), [0, ttft, ttft + together]);
    }
    for number in (2..calls.len()).step_by(2) {
        assert_eq!(seen(&record, number), [0, ttft, ttft]);
    }
}

#[test]
fn the_third_waits_for_a_seat() {
    let calls = [asked(0, 100, 30), asked(0, 100, 20), asked(0, 50, 5)];
    let record = simulate(&factory("max_num_seqs = 2", &calls));
    let ttft = step(&[], &[(0, 100); 2]);
    let both = decoding(&[100, 100], 1, 19);
    // The second has left; the third's prompt shares a step with the first.
    let seated = ttft + both;
    let prompt = step(&[120], &[(0, 50)]);
    let shared = decoding(&[120, 50], 1, 4);
    let alone = decoding(&[100], 25, 29);
    let third = seated + prompt + shared;
    assert_eq!(seen(&record, 0), [0, ttft, third + alone]);
    assert_eq!(seen(&record, 1), [0, ttft, seated]);
    assert_eq!(seen(&record, 2), [seated, seated + prompt, third]);
}

/// A head of the queue that does not fit holds back those behind it, even if
/// they would fit.
#[test]
fn a_blocked_head_blocks_the_queue() {
    let calls = [asked(0, 64, 16), asked(1, 64, 2), asked(2, 1, 2)];
    // The first takes 4 of 6 blocks at once, and a fifth with its first decode.
    let record = simulate(&factory("kv_blocks = 6", &calls));
    let first = step(&[], &[(0, 64)]) + decoding(&[64], 1, 15);
    let prompts = step(&[], &[(0, 64), (0, 1)]);
    let end = first + prompts + decoding(&[64, 1], 1, 1);
    assert_eq!(seen(&record, 0)[2], first);
    assert_eq!(seen(&record, 1), [first, first + prompts, end].map(|at| at - 1));
    assert_eq!(seen(&record, 2), [first, first + prompts, end].map(|at| at - 2));
}
