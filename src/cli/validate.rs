//! `validate`: checks a scenario and prints what it resolves to, so that a
//! wrong assumption shows before anything is simulated.

use super::columns::columns;
use super::{Globals, json};
use crate::catalog::KvFormat;
use crate::error::Result;
use crate::factory::{Batch, GroupTokens, StepTime};
use crate::kernel::{Span, Time};
use crate::scenario::{
    Arrivals, BatchLimits, Choice, ENGINE_VERSION, Lengths, Loaded, Offload, Pool, PoolPace,
    Regime, Scenario, UseCase,
};
use crate::study::seek;
use crate::study::sweep;
use crate::study::windows::Plan;
use crate::study::{Load, Mix, load_of};
use crate::workload::agent::Pace;
use clap::Args;
use serde_json::{Value, json};
use std::fmt::Write;
use std::path::PathBuf;

/// Arguments of `validate`.
#[derive(Debug, Args)]
pub(super) struct ValidateArgs {
    /// The scenario file [default: a built-in quickstart]
    scenario: Option<PathBuf>,
}

/// Batches whose decode step is shown, and the context of each sequence.
const BATCHES: [u64; 5] = [1, 8, 32, 128, 256];
const CONTEXT: u64 = 1_024;
/// A cache that keeps what is said for longer keeps everything.
const YEAR_S: f64 = 365.0 * 86_400.0;

pub(super) fn validate(args: &ValidateArgs, globals: &Globals) -> Result<String> {
    let loaded = match &args.scenario {
        Some(path) => {
            let (loaded, variants) = globals.open(path)?;
            if let Some(seek) = loaded.seek.clone() {
                match seek.over {
                    Some(_) => drop(seek::OverPlan::new(&loaded, &variants, &seek)?),
                    None => drop(seek::Plan::new(&loaded, &variants, seek)?),
                }
            }
            if let Some(sweep) = loaded.sweep.clone() {
                sweep::Plan::new(&loaded, variants, sweep)?;
            }
            loaded
        }
        None => globals.load(None)?,
    };
    Ok(if globals.json { json(&document(&loaded)) } else { text(&loaded) })
}

fn text(loaded: &Loaded) -> String {
    let scenario = &loaded.scenario;
    let mut text = String::new();
    let _ = writeln!(text, "{} is valid.", scenario.name);
    for warning in &scenario.warnings {
        let _ = writeln!(text, "warning: {warning}");
    }
    let duration = scenario.duration.map_or("until all use cases end".to_owned(), |duration| {
        format!("{} s", duration.seconds())
    });
    let _ = writeln!(
        text,
        "{}, seed {}, duration {duration}, {} regime",
        replications(scenario),
        scenario.seed,
        match scenario.regime {
            Regime::Steady => "steady",
            Regime::Terminating => "terminating",
        }
    );
    if let Some(paces) = scenario.at_start.paces() {
        text += &at_start_text(scenario, paces);
    }
    if let Some(plan) = Plan::of(scenario) {
        text += &windows_text(&plan);
    }
    if let Some(sweep) = &loaded.sweep {
        let _ = writeln!(text, "sweep: {} points ({}), all valid", sweep.points, sweep.design);
    }
    if let Some(seek) = &loaded.seek {
        let bounds = match seek.keep.len() {
            1 => "1 bound".to_owned(),
            several => format!("{several} bounds"),
        };
        let [from, to] = [seek.range.from, seek.range.to].map(|end| seek.range.written(end));
        let over = seek.over.as_ref().map_or(String::new(), |over| {
            format!(", at {} values of {}, all valid", over.len(), over.path)
        });
        let _ = writeln!(text, "seek: {} from {from} to {to}, {bounds}{over}", seek.key);
    }
    for (index, pool) in scenario.pools.iter().enumerate() {
        text += &pool_text(pool, load_of(scenario, index));
    }
    for at in 0..scenario.use_cases.len() {
        text += &use_case_text(scenario, at);
    }
    for arm in &loaded.arms {
        let _ = writeln!(text, "\narm {}: {}", arm.name, arm.changes.join(", "));
    }
    text
}

/// What a stationary start takes pools to do.
fn at_start_text(scenario: &Scenario, paces: &[PoolPace]) -> String {
    let mut text = "sessions at start: stationary\n".to_owned();
    for (pool, PoolPace { call, keeps }) in scenario.pools.iter().zip(paces) {
        let Pace { first_s, prefill_s, decode_s } = call;
        let keeps = match (pool.engine.prefix_cache, keeps.seconds()) {
            (None, _) => "no cache".to_owned(),
            (Some(_), keeps_s) if keeps_s > YEAR_S => "its cache keeps everything".to_owned(),
            (Some(_), keeps_s) => format!("its cache keeps what is said for {keeps_s:.0} s"),
        };
        let _ = writeln!(
            text,
            "  on {} a call is taken to last {:.1} ms, {:.4} ms for each prompt token that is \
             computed and {:.1} ms for each output token; {keeps}",
            pool.name,
            first_s * 1e3,
            prefill_s * 1e3,
            decode_s * 1e3,
        );
    }
    text
}

fn windows_text(plan: &Plan) -> String {
    let of = match plan.windows.choice {
        Choice::At(_) => String::new(),
        _ => format!(" of the {} in the horizon", plan.horizon.candidates.len()),
    };
    format!(
        "windows: {} of {} s each ({}){of}, each after a warm-up of {} s ({})\n",
        plan.chosen(0).len(),
        plan.windows.length.seconds(),
        plan.windows.choice.name(),
        plan.warm_up.length.seconds(),
        plan.warm_up.reason,
    )
}

fn replications(scenario: &Scenario) -> String {
    match &scenario.stopping {
        Some(stopping) if scenario.replications > stopping.min => format!(
            "{} to {} replications, until figures are within {} %",
            stopping.min,
            scenario.replications,
            stopping.precision * 100.0
        ),
        _ => format!("{} replication(s)", scenario.replications),
    }
}

fn pool_text(pool: &Pool, load: Option<Load>) -> String {
    let mut text = String::new();
    let _ = writeln!(
        text,
        "\npool {}: {} on {} x {} ({}), {} replica(s) of {}",
        pool.name,
        pool.model.name,
        pool.gpus(),
        pool.hardware.name,
        pool.precision,
        pool.replicas,
        pool.parallelism
    );
    let _ = writeln!(text, "{}", indent(&pool.kv.to_string()));
    text += &engine_text(pool);
    for offload in &pool.offload {
        text += &offload_text(pool, offload);
    }
    let price =
        pool.gpu_hour.usd.map_or("no price".to_owned(), |usd| format!("${usd:.2}/GPU-hour"));
    let watts = pool.watts_per_gpu.map_or("power unknown".to_owned(), |w| format!("{w} W/GPU"));
    let _ = writeln!(text, "  {price} ({}), {watts} x PUE {}", pool.gpu_hour.origin, pool.pue);
    text += "  decode step at a context of 1,024 tokens:\n";
    let rows: Vec<Vec<String>> = decode_steps(pool)
        .map(|(batch, seconds)| {
            let each = 1.0 / seconds;
            let all = batch as f64 * each / f64::from(pool.parallelism.tensor);
            vec![
                batch.to_string(),
                format!("{:.2}", seconds * 1e3),
                format!("{each:.0}"),
                format!("{all:.0}"),
            ]
        })
        .collect();
    let header = ["sequences", "ms", "tok/s a user", "tok/s a GPU"];
    let _ = writeln!(text, "{}", indent(columns(&header, &rows, 0).trim_end()));
    if let Some(load) = load {
        text += &load_text(load);
    }
    for caveat in pool.caveats() {
        let _ = writeln!(text, "  note: {caveat}");
    }
    text
}

/// Limits and KV format, beside what the engine takes when it is told nothing.
fn engine_text(pool: &Pool) -> String {
    let limits = BatchLimits {
        max_num_seqs: pool.engine.max_num_seqs,
        max_num_batched_tokens: pool.engine.max_num_batched_tokens,
    };
    let words = |limits: BatchLimits, kv: KvFormat| {
        let BatchLimits { max_num_seqs: seqs, max_num_batched_tokens: tokens } = limits;
        format!("at most {seqs} sequences and {tokens} tokens a step, KV cache in {kv}")
    };
    let ours = words(limits, pool.precision.kv_cache);
    let default = words(BatchLimits::of(&pool.hardware), KvFormat::AUTO);
    let hardware = &pool.hardware.name;
    if ours == default {
        format!("  {ours}: the defaults of {ENGINE_VERSION} on {hardware}\n")
    } else {
        format!("  {ours}\n  (by default {ENGINE_VERSION} on {hardware} has {default})\n")
    }
}

fn offload_text(pool: &Pool, offload: &Offload) -> String {
    let ranks = f64::from(pool.replicas * pool.parallelism.data);
    let rank = pool.kv.block_bytes as f64 * f64::from(pool.parallelism.tensor * pool.kv.blocks);
    let bytes = offload.bytes_for(pool);
    let (read, write) = offload.tier.bandwidths();
    format!(
        "  offload to {}: {:.0} GB, {:.1} times the KV of HBM; reads {:.0} GB/s, writes {:.0} GB/s\n",
        offload.tier.name,
        bytes / 1e9,
        bytes / (rank * ranks),
        read / 1e9,
        write / 1e9
    )
}

fn load_text(load: Load) -> String {
    let Load { offered_calls_per_s: offered, capacity_calls_per_s: capacity, concurrency } = load;
    let offer = match offered / capacity {
        share if share > 1.0 => {
            format!("offered {offered:.1} calls/s ({:.0} %): MORE THAN IT SUSTAINS", share * 100.0)
        }
        share if share > 0.0 => format!("offered {offered:.1} calls/s ({:.0} %)", share * 100.0),
        _ => "offered by closed loops, which adapt".to_owned(),
    };
    format!(
        "  estimated capacity {capacity:.1} calls/s with {concurrency} sequences a rank; {offer}\n"
    )
}

fn use_case_text(scenario: &Scenario, at: usize) -> String {
    let use_case = &scenario.use_cases[at];
    let pool = pool_names(scenario, use_case);
    let calls = if use_case.has_sessions() { "sessions" } else { "calls" };
    let arrivals = match &use_case.arrivals {
        Arrivals::Poisson { rate } => format!("Poisson arrivals, {rate} {calls}/s"),
        Arrivals::Varying(demand) => {
            let duration = scenario.duration.unwrap_or(Span::ZERO);
            let peak = demand.curve.peak(Time::ZERO, Time::ZERO + duration);
            let mean = demand.mean_rate();
            format!("varying arrivals, {mean:.4} {calls}/s in the mean, {peak:.4} at most")
        }
        Arrivals::Batch(batch) => {
            let (jobs, rate) = (batch.jobs, batch.calls_per_s);
            let hours = batch.deadline.seconds() / 3_600.0;
            format!("{jobs} job(s) with {hours:.2} h each, {rate:.4} {calls}/s in the mean")
        }
        Arrivals::Regions(regions) => {
            let duration = scenario.duration.unwrap_or(Span::ZERO);
            let mean = use_case.arrivals.mean_rate();
            let peak = use_case.arrivals.peak_rate(Time::ZERO + duration);
            let count = regions.len();
            format!(
                "arrivals from {count} regions, {mean:.4} {calls}/s in the mean, {peak:.4} at most"
            )
        }
        Arrivals::Constant { rate } => format!("constant arrivals, {rate} {calls}/s"),
        Arrivals::ClosedLoop { clients, requests, .. } => match requests {
            Some(requests) => format!("{clients} clients, {requests} {calls}"),
            None => format!("{clients} clients"),
        },
        Arrivals::Trace { trace, time_scale } => {
            let (count, length_s) = (trace.calls, trace.length.seconds());
            format!("trace of {count} {calls} over {length_s:.1} s, intervals x {time_scale}")
        }
    };
    let how = match &use_case.lengths {
        Lengths::Recorded => "recorded",
        Lengths::Drawn { .. } => "drawn",
        Lengths::Agents(_) => "of agents",
        Lengths::Replayed(_) => "recorded of agents",
    };
    let Mix { prompt, output, cached, .. } = Mix::of_calls(scenario, at);
    let from_cache = match (cached / prompt * 100.0, use_case.cache_hit) {
        (share, Some(_)) => format!(" ({share:.0} % given from cache)"),
        (share, None) if share > 0.0 => {
            format!(" ({share:.0} % from cache, if it never evicts)")
        }
        _ => String::new(),
    };
    let lengths = format!("tokens {how}, mean {prompt:.0} in{from_cache} and {output:.0} out");
    let targets = use_case.slo.targets.len();
    format!(
        "\nuse case {} -> {}: {arrivals}; {lengths}; {targets} promise(s)\n",
        use_case.name, pool
    )
}

/// Names of the pools that serve `use_case`.
fn pool_names(scenario: &Scenario, use_case: &UseCase) -> String {
    scenario.pools_of(use_case).map(|pool| pool.name.as_str()).collect::<Vec<_>>().join(", ")
}

/// Seconds of a decode step for each batch that a rank can hold.
fn decode_steps(pool: &Pool) -> impl Iterator<Item = (u64, f64)> {
    let step_time = &pool.step_time;
    let ranks = u64::from(pool.parallelism.data);
    let most = u64::from(pool.engine.max_num_seqs);
    BATCHES.into_iter().filter(move |batch| *batch <= most).map(move |decodes| {
        let batch = decode_batch(step_time, decodes, CONTEXT);
        (decodes, step_time.seconds(&batch, GroupTokens::of(&batch, ranks)))
    })
}

/// `decodes` sequences that each attend to `context` tokens.
pub(super) fn decode_batch(step_time: &StepTime, decodes: u64, context: u64) -> Batch {
    let window = step_time.window.map_or(u64::MAX, u64::from);
    Batch {
        decodes,
        decode_context: decodes * context,
        decode_context_windowed: decodes * context.min(window),
        ..Batch::default()
    }
}

fn indent(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

fn document(loaded: &Loaded) -> Value {
    let scenario = &loaded.scenario;
    let pool = |(index, pool): (usize, &Pool)| {
        let load = load_of(scenario, index);
        json!({
            "name": pool.name,
            "model": pool.model.name,
            "hardware": pool.hardware.name,
            "gpus": pool.gpus(),
            "replicas": pool.replicas,
            "kv": pool.kv,
            "kv_precision": pool.precision.kv_cache,
            "max_num_seqs": pool.engine.max_num_seqs,
            "max_num_batched_tokens": pool.engine.max_num_batched_tokens,
            "usd_per_gpu_hour": pool.gpu_hour.usd,
            "usd_per_gpu_hour_origin": pool.gpu_hour.origin,
            "it_watts_per_gpu": pool.watts_per_gpu,
            "pue": pool.pue,
            "decode_step_context_1024": decode_steps(pool)
                .map(|(sequences, s)| json!({ "sequences": sequences, "step_s": s }))
                .collect::<Vec<_>>(),
            "offered_calls_per_s": load.map(|load| load.offered_calls_per_s),
            "estimated_capacity_calls_per_s": load.map(|load| load.capacity_calls_per_s),
            "notes": pool.caveats(),
        })
    };
    json!({
        "valid": true,
        "scenario": scenario.name,
        "hash": loaded.hash,
        "seed": scenario.seed,
        "replications": scenario.replications,
        "duration_s": scenario.duration.map(|duration| duration.seconds()),
        "sessions_at_start": scenario.at_start.name(),
        "warnings": scenario.warnings,
        "sweep_points": loaded.sweep.as_ref().map(|sweep| sweep.points),
        "pools": scenario.pools.iter().enumerate().map(pool).collect::<Vec<_>>(),
        "use_cases": scenario.use_cases.iter().map(|use_case| json!({
            "name": use_case.name,
            "pool": pool_names(scenario, use_case),
        })).collect::<Vec<_>>(),
        "arms": loaded.arms.iter().map(|arm| json!({
            "name": arm.name,
            "changes": arm.changes,
        })).collect::<Vec<_>>(),
        "resolved_toml": loaded.resolved_toml,
    })
}
