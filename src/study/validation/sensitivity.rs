//! How far the answers move when an input is wrong.
//!
//! For a trace of arrivals and lengths without latencies there is no error to
//! report; what can be said is which inputs the answers hang on, and how much
//! more so near saturation. A plausible pool serves the trace, sped up or slowed
//! down to a usual load and to one too close to what the pool sustains, with one
//! input changed at a time.

use crate::error::Result;
use crate::metrics::RunRecord;
use crate::scenario::{Arrivals, Lengths, Overrides, Pool, Scenario, parse};
use crate::simulation::{self, Options};
use crate::workload::Trace;
use rayon::prelude::*;
use serde::Serialize;
use std::path::Path;
use std::sync::Arc;

/// The pool: a plausible deployment, not anyone's.
const POOL: &str = "model = \"llama-3.1-70b\"\nhardware = \"h100-sxm\"\ntensor_parallel = 4\n";
/// Its replicas; the trace is sped up or slowed down to load them.
const REPLICAS: u32 = 4;
/// Offered over saturated throughput: as one would run it, and too close.
const LOADS: [f64; 2] = [0.65, 0.9];

/// A trace served by a plausible pool.
#[derive(Clone, Debug, Serialize)]
pub struct Sensitivity {
    /// Calls of the trace.
    pub calls: u64,
    /// Calls a second over the whole trace.
    pub calls_per_s: f64,
    /// Mean prompt tokens.
    pub prompt_mean: f64,
    /// Mean output tokens.
    pub output_mean: f64,
    /// The pool in one line.
    pub pool: String,
    /// KV blocks of one replica.
    pub kv_blocks: u32,
    /// Calls a second that the pool finishes when all come at once.
    pub saturated_calls_per_s: f64,
    /// The variants, at 65 and then at 90 % of that.
    pub variants: Vec<Variant>,
}

/// The trace served with one input changed.
#[derive(Clone, Debug, Serialize)]
pub struct Variant {
    /// What was changed.
    pub change: &'static str,
    /// Offered over saturated throughput.
    pub load: f64,
    /// Calls a second that this is, over the whole trace.
    pub calls_per_s: f64,
    /// Mean TTFT, s.
    pub ttft_mean_s: f64,
    /// 50 % quantile of TTFT, s.
    pub ttft_p50_s: f64,
    /// 99 % quantile of TTFT, s.
    pub ttft_p99_s: f64,
    /// Mean TPOT, s.
    pub tpot_mean_s: f64,
    /// 99 % quantile of TPOT, s.
    pub tpot_p99_s: f64,
    /// Mean of arrival to last token, s.
    pub e2e_mean_s: f64,
    /// Output tokens a second and GPU, from the first arrival to the last token.
    pub output_tok_per_s_per_gpu: f64,
    /// Largest share of a replica's KV blocks in use.
    pub kv_use_peak: f64,
    /// Sequences put back to make room.
    pub preemptions: u64,
}

/// One input that is changed.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Change {
    Nothing,
    /// Every step takes this many times as long.
    Step(f64),
    /// This many times the KV blocks.
    Blocks(f64),
    Router(&'static str),
}

const CHANGES: [(&str, Change); 7] = [
    ("nothing", Change::Nothing),
    ("step time +10 %", Change::Step(1.1)),
    ("step time -10 %", Change::Step(0.9)),
    ("KV blocks +25 %", Change::Blocks(1.25)),
    ("KV blocks -25 %", Change::Blocks(0.75)),
    ("router round-robin", Change::Router("round-robin")),
    ("router power-of-two", Change::Router("power-of-two")),
];

/// Serves `trace` by a plausible pool under each change, at both loads.
pub fn sensitivity(trace: &Arc<Trace>) -> Result<Sensitivity> {
    let calls = trace.calls;
    let sum = |tokens: fn(crate::workload::TraceCall) -> u32| {
        trace.cursor().map(|call| f64::from(tokens(call))).sum::<f64>() / calls as f64
    };
    let length_s = trace.length.seconds();
    let calls_per_s = calls as f64 / length_s.max(1e-9);
    let base = scenario(trace, 1.0, Change::Nothing, None)?;
    let saturated_calls_per_s = saturated(&base);
    let arms = LOADS.into_iter().flat_map(|load| CHANGES.map(|change| (load, change)));
    let arms: Vec<_> = arms.collect();
    let serve = |&(load, (name, change)): &(f64, (&'static str, Change))| {
        let rate = load * saturated_calls_per_s;
        let scenario = scenario(trace, calls_per_s / rate, change, Some(&base.pools[0]))?;
        let record = simulation::run(&scenario, 0, Options::default());
        Ok(variant(name, (load, rate), &record, &scenario.pools[0]))
    };
    let variants: Result<Vec<Variant>> = arms.par_iter().map(serve).collect();
    let pool = &base.pools[0];
    Ok(Sensitivity {
        calls,
        calls_per_s,
        prompt_mean: sum(|call| call.prompt),
        output_mean: sum(|call| call.output),
        pool: format!(
            "{} x {} ({}) on {}, {}",
            pool.replicas, pool.model.name, pool.precision, pool.hardware.name, pool.parallelism
        ),
        kv_blocks: pool.kv.blocks,
        saturated_calls_per_s,
        variants: variants?,
    })
}

/// The pool with `change` made to `base`, serving the trace.
fn scenario(
    trace: &Arc<Trace>,
    time_scale: f64,
    change: Change,
    base: Option<&Pool>,
) -> Result<Scenario> {
    let (mut router, mut engine) = ("least-loaded", String::new());
    match (change, base) {
        (Change::Step(factor), Some(pool)) => {
            let scale = pool.engine.step_scale * factor;
            let overhead_ms = pool.engine.step_overhead.seconds() * 1e3 * factor;
            engine = format!("step_scale = {scale:?}\nstep_overhead = \"{overhead_ms:.4} ms\"\n");
        }
        (Change::Blocks(factor), Some(pool)) => {
            engine = format!("kv_blocks = {}\n", (f64::from(pool.kv.blocks) * factor) as u32);
        }
        (Change::Router(policy), _) => router = policy,
        (Change::Nothing | Change::Step(_) | Change::Blocks(_), _) => {}
    }
    // One client stands in for the recorded arrivals until they are put in.
    let text = format!(
        "name = \"sensitivity\"\n[[pool]]\nname = \"p\"\n{POOL}replicas = {REPLICAS}\n\
         router = {{ policy = \"{router}\" }}\n[pool.engine]\nmax_num_seqs = 256\n{engine}[[use_case]]\n\
         name = \"trace\"\nprompt_tokens = 1\noutput_tokens = 1\n\
         arrivals = {{ process = \"closed-loop\", clients = 1, requests = 1 }}\n"
    );
    let parsed = parse(&text, "the plausible pool", Path::new(""), &Overrides::default())?;
    let mut scenario = parsed.scenario;
    let use_case = &mut scenario.use_cases[0];
    use_case.arrivals = Arrivals::Trace { trace: trace.clone(), time_scale };
    use_case.lengths = Lengths::Recorded;
    Ok(scenario)
}

/// Calls a second when all of them are there from the start.
fn saturated(scenario: &Scenario) -> f64 {
    let mut burst = scenario.clone();
    let arrivals = &mut burst.use_cases[0].arrivals;
    let Arrivals::Trace { time_scale, .. } = arrivals else { unreachable!("a trace was put in") };
    *time_scale = 1e-6;
    let record = simulation::run(&burst, 0, Options::default());
    record.whole.use_cases[0].calls as f64 / record.end_s
}

fn variant(
    change: &'static str,
    (load, calls_per_s): (f64, f64),
    record: &RunRecord,
    pool: &Pool,
) -> Variant {
    let (calls, served) = (&record.whole.use_cases[0], &record.whole.pools[0]);
    let quantile = |latency: &crate::metrics::LatencyRecord, index: usize| {
        latency.quantiles.get(index).copied().unwrap_or(0.0)
    };
    Variant {
        change,
        load,
        calls_per_s,
        ttft_mean_s: calls.ttft.mean,
        ttft_p50_s: quantile(&calls.ttft, 0),
        ttft_p99_s: quantile(&calls.ttft, 3),
        tpot_mean_s: calls.tpot.mean,
        tpot_p99_s: quantile(&calls.tpot, 3),
        e2e_mean_s: calls.e2e.mean,
        output_tok_per_s_per_gpu: served.output_tokens as f64
            / record.end_s
            / f64::from(pool.gpus()),
        kv_use_peak: served.kv_use_peak,
        preemptions: served.preemptions,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::kernel::Span;
    use crate::workload::TraceCall;

    #[test]
    fn slower_steps_cost_more_the_closer_to_saturation() {
        let call = |number: u32| TraceCall {
            at: Span::from_seconds(f64::from(number) * 0.05),
            prompt: 1_500,
            output: 100,
        };
        let trace = Trace::of(0, (0..1_000).map(|number| (call(number), &[][..])));
        let report = sensitivity(&Arc::new(trace)).unwrap();
        assert_eq!((report.calls, report.variants.len()), (1_000, 14));
        let of = |index: usize| &report.variants[index];
        assert!((of(0).load, of(7).load) == (0.65, 0.9));
        let cost = |base: usize| of(base + 1).ttft_mean_s / of(base).ttft_mean_s;
        assert!(cost(0) > 1.1 && cost(7) > cost(0), "{} {}", cost(0), cost(7));
        assert!(of(2).tpot_mean_s < of(0).tpot_mean_s);
        assert!(of(4).kv_use_peak > of(0).kv_use_peak && of(3).kv_use_peak < of(0).kv_use_peak);
    }
}
