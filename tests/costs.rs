//! Who pays for what: bills calculated by hand, and that they add up whatever runs.

mod common;

use common::load;
use proptest::prelude::*;
use std::sync::Arc;
use tokenmill::factory::{Parallelism, StepTime};
use tokenmill::kernel::{Span, TICKS_PER_SECOND};
use tokenmill::scenario::{Arrivals, Lengths, Scenario};
use tokenmill::statistics::Interval;
use tokenmill::study::{PoolSummary, Summary, UseCaseSummary, replicate};
use tokenmill::workload::{Trace, TraceCall};

/// Ticks of each step, token, sequence, attended token, pair, and token before a chunk.
const PER_STEP: f64 = 50_000_000.0;
const PER_TOKEN: f64 = 2_000.0;
const PER_SEQUENCE: f64 = 30_000.0;
const PER_CONTEXT: f64 = 40.0;
const PER_PAIR: f64 = 2.0;
const PER_PREFIX: f64 = 10.0;

fn mean(figure: &Option<Interval>) -> f64 {
    figure.as_ref().expect("a figure").mean
}

#[track_caller]
fn near(found: f64, exact: f64) {
    assert!((found - exact).abs() <= 1e-9 * exact.abs().max(1e-12), "{found}, not {exact}");
}

fn summary(scenario: &Scenario) -> Summary {
    replicate(scenario, false, |_| {}).summary
}

fn seconds(ticks: f64) -> f64 {
    ticks / TICKS_PER_SECOND as f64
}

/// Own ticks of decoding `steps` tokens, the first of which attends `attended`.
fn decoding(attended: f64, steps: f64) -> f64 {
    let context = steps * attended + steps * (steps - 1.0) / 2.0;
    steps * (PER_TOKEN + PER_SEQUENCE) + PER_CONTEXT * context
}

/// Own ticks of a prompt of `tokens` tokens behind `before` others.
fn prompt(before: f64, tokens: f64) -> f64 {
    let pairs = tokens * before + tokens * (tokens + 1.0) / 2.0;
    PER_TOKEN * tokens + PER_SEQUENCE + PER_PAIR * pairs + PER_PREFIX * before
}

/// Use cases of one call each, by prompt, output, and tokens of the prompt that are
/// given as cached in percent; all come at zero, on a pool with these keys.
fn bill(pool: &str, calls: &[(u32, u32, u32)]) -> Scenario {
    let mut text = format!(
        "name = \"bill\"\n[[pool]]\nname = \"p\"\nmodel = \"llama-3.1-8b\"\n\
         hardware = \"h100-sxm\"\nprice_per_gpu_hour = \"$3/h\"\npower_per_gpu = \"1000 W\"\n\
         pue = 1.25\n{pool}\n"
    );
    for (number, (prompt, output, cached)) in calls.iter().enumerate() {
        text += &format!(
            "[[use_case]]\nname = \"u{number}\"\nprompt_tokens = {prompt}\noutput_tokens = {output}\n\
             arrivals = {{ process = \"closed-loop\", clients = 1, requests = 1 }}\n"
        );
        if *cached > 0 {
            text += &format!("cache_hit = \"{cached} %\"\n");
        }
    }
    let mut scenario = load(&text).scenario;
    let seconds = |ticks: f64| ticks / TICKS_PER_SECOND as f64;
    scenario.pools[0].step_time = StepTime {
        per_step: seconds(PER_STEP),
        per_token: seconds(PER_TOKEN),
        per_sequence: seconds(PER_SEQUENCE),
        per_decode_context: seconds(PER_CONTEXT),
        per_pair: seconds(PER_PAIR),
        per_prefix: seconds(PER_PREFIX),
        ..StepTime::default()
    };
    for (use_case, &(prompt, output, _)) in scenario.use_cases.iter_mut().zip(calls) {
        let call = TraceCall { at: Span::ZERO, prompt, output };
        let trace = Arc::new(Trace::of(0, [(call, &[][..])]));
        use_case.arrivals = Arrivals::Trace { trace, time_scale: 1.0 };
        use_case.lengths = Lengths::Recorded;
    }
    scenario
}

/// Two calls on two of three replicas of two ranks with two GPUs each: twelve GPUs.
/// The second finds half of its prompt in a cache.
#[test]
fn a_bill_by_hand() {
    let pool = "replicas = 3\ntensor_parallel = 2";
    let mut scenario = bill(pool, &[(1_000, 251, 0), (2_000, 101, 50)]);
    scenario.pools[0].parallelism = Parallelism { tensor: 2, data: 2, expert: 1 };
    let summary = summary(&scenario);
    let (pool, total) = (&summary.pools["p"], &summary.total);
    let steps = [251.0, 101.0].map(|steps: f64| steps * PER_STEP);
    let prefill = [prompt(0.0, 1_000.0), prompt(1_000.0, 1_000.0)];
    let decode = [decoding(1_001.0, 250.0), decoding(2_001.0, 100.0)];
    let busy = [0, 1].map(|at| seconds(steps[at] + prefill[at] + decode[at]));
    let window = busy[0].max(busy[1]);
    near(summary.measured_s, window);

    // Twelve GPUs at $3 an hour, and 1,000 W x 1.25 each, four fifths in the mean.
    assert_eq!(pool.gpus, 12);
    near(mean(&total.usd_per_hour), 36.0);
    near(mean(&pool.usd_per_hour.total), 36.0);
    near(mean(&total.peak_mw), 0.015);
    near(mean(&total.mean_mw), 0.012);
    near(mean(&pool.tok_per_s_per_mw), (3_000.0 + 352.0) / window / 0.015);
    near(mean(&pool.output_tok_per_s_per_gpu), 352.0 / window / 12.0);
    near(mean(&pool.computed_tok_per_s_per_gpu), 2_000.0 / window / 12.0);
    near(mean(&pool.utilization), (busy[0] + busy[1]) / window / 3.0);

    // A replica costs $12 an hour; each call has one to itself while it is served.
    let bill = 36.0 / 3_600.0 * window;
    let used = busy.map(|busy| 12.0 / 3_600.0 * busy);
    let [u0, u1] = [&summary.use_cases["u0"], &summary.use_cases["u1"]];
    near(mean(&u0.usage_usd_per_call), used[0]);
    near(mean(&u1.usage_usd_per_call), used[1]);
    near(mean(&u0.usd_per_call), bill * used[0] / (used[0] + used[1]));
    near(mean(&u1.usd_per_call), bill * used[1] / (used[0] + used[1]));
    near(mean(&pool.usd_per_hour.idle), 36.0 - 3_600.0 * (used[0] + used[1]) / window);

    // Of the second prompt's step one of two ranks read what was cached: 1,000 tokens
    // that each of 1,000 attends, and that are expanded once.
    let of_both = |ticks: f64| 12.0 / 3_600.0 * seconds(ticks);
    let cached = of_both((PER_PAIR * 1_000.0 * 1_000.0 + PER_PREFIX * 1_000.0) / 2.0);
    let input = of_both(2.0 * PER_STEP + prefill[0] + prefill[1]) - cached;
    let output = used[0] + used[1] - input - cached;
    let hour = 3_600.0 / window;
    near(mean(&pool.usd_per_hour.input), input * hour);
    near(mean(&pool.usd_per_hour.cached_input), cached * hour);
    near(mean(&pool.usd_per_hour.output), output * hour);
    let spread = bill / (used[0] + used[1]) * 1e6;
    let mtok = &pool.usd_per_mtok;
    near(mean(&mtok.input), input * spread / 2_000.0);
    near(mean(&mtok.cached_input), cached * spread / 1_000.0);
    near(mean(&mtok.output), output * spread / 352.0);
    near(mean(&mtok.total), bill * 1e6 / 3_352.0);

    // One rank, two GPUs of twelve, would have computed the cached half.
    let saved = seconds(PER_TOKEN * 1_000.0 + PER_PAIR * 1_000.0 * 1_001.0 / 2.0);
    near(mean(&pool.cache_saved_usd_per_hour), 6.0 * saved / window);
}

/// Two calls in the same steps pay in proportion to what each would take alone, and
/// what is one for all of a step is an equal part of both within their kinds.
#[test]
fn steps_that_are_shared_by_hand() {
    let summary = summary(&bill("", &[(4_000, 11, 0), (600, 11, 0)]));
    let own = [(4_000.0, 4_001.0), (600.0, 601.0)]
        .map(|(tokens, attended)| [prompt(0.0, tokens), decoding(attended, 10.0)]);
    let alone = own.map(|own| own[0] + own[1] + 11.0 * PER_STEP);
    let window = seconds(own.iter().flatten().sum::<f64>() + 11.0 * PER_STEP);
    near(summary.measured_s, window);
    let bill = 3.0 / 3_600.0 * window;
    let share = alone.map(|ticks| ticks / (alone[0] + alone[1]));
    for (name, share) in ["u0", "u1"].iter().zip(share) {
        near(mean(&summary.use_cases[*name].usd_per_call), bill * share);
    }
    let decodes = own.map(|own| {
        let output = own[1] + 10.0 * PER_STEP / 2.0;
        output / (own[0] + own[1] + 11.0 * PER_STEP / 2.0)
    });
    let output = share[0] * decodes[0] + share[1] * decodes[1];
    near(mean(&summary.pools["p"].usd_per_mtok.output), bill * output / 22.0 * 1e6);
}

/// A call alone keeps a GPU for as long whether or not others come later.
#[test]
fn who_is_served_apart_pays_for_its_own_time() {
    let cases = [
        ("cached", "prefix = [{ tokens = 16000 }]\nprompt_tokens = 100"),
        ("fresh", "prompt_tokens = 4000"),
    ];
    let run = |cases: &[(&str, &str)]| {
        let mut text =
            "name = \"s\"\nduration = \"5 min\"\nreplications = 1\n[[pool]]\nname = \"p\"\n\
            model = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nprice_per_gpu_hour = \"$3.60/h\"\n"
                .to_owned();
        for (name, lines) in cases {
            text += &format!(
                "[[use_case]]\nname = \"{name}\"\noutput_tokens = 10\n{lines}\n\
                 arrivals = {{ process = \"constant\", rate = \"2 /s\" }}\n"
            );
        }
        summary(&load(&text).scenario)
    };
    let usage = |summary: &Summary, name: &str| mean(&summary.use_cases[name].usage_usd_per_call);
    let alone = cases.map(|case| usage(&run(&[case]), case.0));
    let together = run(&cases);
    // Both come at the same instants and share every step: it is cheaper for both.
    let shared = cases.map(|case| usage(&together, case.0));
    assert!(shared[0] < 0.75 * alone[0] && shared[1] < 0.75 * alone[1], "{shared:?} {alone:?}");
    let (ratio, expected) = (shared[0] / shared[1], alone[0] / alone[1]);
    assert!((ratio / expected - 1.0).abs() < 0.01, "{ratio}, alone {expected}");
    assert!((0.5..0.56).contains(&ratio), "{ratio}");
    let mtok = &together.pools["p"].usd_per_mtok;
    let [cached, input, output] = [&mtok.cached_input, &mtok.input, &mtok.output].map(mean);
    assert!(cached < input / 50.0 && input < output / 50.0, "{cached} {input} {output}");
}

/// Dollars of all use cases, of all kinds of tokens and of all that GPUs did are what
/// the pools cost that served anybody.
fn adds_up(scenario: &Scenario) -> Result<(), TestCaseError> {
    let summary = summary(scenario);
    let same = |what: &str, found: f64, expected: f64| {
        let is_same = (found - expected).abs() <= 1e-9 * expected;
        prop_assert!(is_same, "{}: {} of {}", what, found, expected);
        Ok(())
    };
    let runs = f64::from(summary.replications);
    let seconds = summary.measured_s;
    let value = |figure: &Option<Interval>| figure.as_ref().map_or(0.0, |figure| figure.mean);
    let paid = |case: &UseCaseSummary| value(&case.usd_per_hour) * seconds / 3_600.0;
    let served = |pool: &&PoolSummary| value(&pool.utilization) > 0.0;
    let mut bill = 0.0;
    for (name, pool) in summary.pools.iter().filter(|(_, pool)| served(pool)) {
        let hour = &pool.usd_per_hour;
        let usd = value(&hour.total) * seconds / 3_600.0;
        bill += usd;
        let parts = [&hour.input, &hour.cached_input, &hour.output, &hour.idle].map(value);
        prop_assert!(parts.iter().all(|part| *part >= 0.0), "{}: {:?}", name, parts);
        same(name, parts.iter().sum(), value(&hour.total))?;
        let tokens = f64::from(pool.gpus) * seconds / 1e6;
        let mtok = &pool.usd_per_mtok;
        let cached = value(&pool.cache_hit_fraction) * value(&pool.input_tok_per_s_per_gpu);
        let kinds = value(&mtok.input) * value(&pool.computed_tok_per_s_per_gpu)
            + value(&mtok.cached_input) * cached
            + value(&mtok.output) * value(&pool.output_tok_per_s_per_gpu);
        same("kinds of tokens", kinds * tokens, usd)?;
        prop_assert!(
            value(&pool.recomputed_tok_per_s_per_gpu) <= value(&pool.computed_tok_per_s_per_gpu)
        );
    }
    for (name, case) in summary.use_cases.iter().filter(|(_, case)| case.calls > 0) {
        same(name, value(&case.usd_per_call) * case.calls as f64 / runs, paid(case))?;
    }
    same("use cases", summary.use_cases.values().map(paid).sum(), bill)
}

/// An episode on a pool, with a use case of each kind, of which some are there: no
/// figure of it is withheld.
fn mix() -> impl Strategy<Value = String> {
    let pool = (1..3u32, 1..3u32, 300..3_000u32, any::<bool>(), any::<bool>(), 0..3u32);
    let pool = pool.prop_map(|(replicas, ranks, blocks, caches, has_tier, scale)| {
        let offload = if has_tier && caches { "offload = [{ tier = \"host-dram\" }]" } else { "" };
        format!(
            "replicas = {replicas}\ndata_parallel = {ranks}\nengine = {{ kv_blocks = {blocks}, \
             prefix_caching = {caches}, step_overhead = \"{scale} ms\" }}\n{offload}\n"
        )
    });
    (pool, 1..32u32, 1..9u32).prop_map(|(pool, kinds, clients)| {
        let kinds = if kinds & 0b1_1111 == 0 { 1 } else { kinds };
        let loops = format!("arrivals = {{ process = \"closed-loop\", clients = {clients}, requests = 60 }}\n");
        let cases = [
            format!("name = \"fresh\"\npool = \"p\"\nprompt_tokens = 1500\noutput_tokens = 20\n{loops}"),
            format!("name = \"shared\"\npool = \"p\"\nprefix = [{{ tokens = 2000 }}]\nprompt_tokens = 60\noutput_tokens = 50\n{loops}"),
            "name = \"chat\"\npool = \"p\"\nsession = { turns = 4, think = \"1 s\" }\nprompt_tokens = 400\noutput_tokens = 300\narrivals = { process = \"closed-loop\", clients = 6, requests = 12 }\n".to_owned(),
            format!("name = \"given\"\npool = \"p\"\ncache_hit = \"60 %\"\nprompt_tokens = 900\noutput_tokens = 40\n{loops}"),
            "name = \"agents\"\nagent = \"x\"\npool = \"p\"\npools = { y = \"small\" }\narrivals = { process = \"closed-loop\", clients = 3, requests = 9 }\n".to_owned(),
        ];
        let chosen = cases.iter().enumerate().filter(|(at, _)| kinds >> at & 1 == 1);
        let chosen: String = chosen.map(|(_, case)| format!("[[use_case]]\n{case}")).collect();
        let agents = if kinds >> 4 & 1 == 1 { AGENTS } else { "" };
        format!(
            "name = \"mix\"\nreplications = 2\n[[pool]]\nname = \"p\"\n\
             model = \"gpt-oss-120b\"\nhardware = \"h100-sxm\"\n{pool}[[pool]]\nname = \"small\"\n\
             model = \"llama-3.1-8b\"\nhardware = \"b200-sxm\"\n{chosen}{agents}"
        )
    })
}

const AGENTS: &str = "[[agent]]\nname = \"x\"\ncontext = { message_tokens = 300 }\n\
    turns = { count = 3, output_tokens = 60 }\n\
    children = { probability = 0.7, fan_out = [1.0], agent = \"y\", summary_tokens = 50 }\n\
    limits = { timeout = \"2 s\", retries = 2 }\n\
    [[agent]]\nname = \"y\"\ncontext = { message_tokens = 50 }\nturns = { count = 2, output_tokens = 30 }\n";

proptest! {
    #![proptest_config(ProptestConfig { cases: 24, ..ProptestConfig::default() })]

    #[test]
    fn every_dollar_is_somebodys(text in mix()) {
        adds_up(&load(&text).scenario)?;
    }
}

/// A use case of which no call comes pays nothing, and the other as if it were alone.
#[test]
fn who_does_not_call_does_not_pay() {
    let text = |silent: &str| {
        format!(
            "name = \"s\"\nduration = \"1 min\"\nreplications = 2\n[[pool]]\nname = \"p\"\n\
             model = \"llama-3.1-8b\"\nhardware = \"h100-sxm\"\nengine = {{ kv_blocks = 900 }}\n\
             [[use_case]]\nname = \"busy\"\nprompt_tokens = 800\noutput_tokens = 200\n\
             arrivals = {{ process = \"poisson\", rate = \"4 /s\" }}\n{silent}"
        )
    };
    let silent = "[[use_case]]\nname = \"silent\"\nprompt_tokens = 800\noutput_tokens = 200\n\
        arrivals = { process = \"poisson\", rate = \"0.000001 /s\" }\n";
    let [alone, beside] = ["", silent].map(|silent| summary(&load(&text(silent)).scenario));
    let usd = |summary: &Summary, name: &str| summary.use_cases[name].usd_per_call;
    assert_eq!(beside.use_cases["silent"].calls, 0);
    assert!(usd(&beside, "silent").is_none());
    let paid = mean(&usd(&beside, "busy"));
    near(paid, mean(&usd(&alone, "busy")));
    near(
        paid * beside.use_cases["busy"].calls as f64 / 2.0,
        mean(&beside.total.usd_per_hour) / 3_600.0 * beside.measured_s,
    );
    // Whatever was computed again is work, and told.
    assert!(mean(&beside.pools["p"].recomputed_tok_per_s_per_gpu) > 0.0);
}
