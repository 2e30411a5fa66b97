//! Open-loop experiments simulated stage by stage, as they were measured:
//! calls at even intervals, each with one of a few prompts, which the server
//! caches.
//!
//! The first stage meets an empty cache, as on the server; before a later one
//! the same load runs as long as the stage, so that it finds the cache warm. A
//! scenario draws prompts at random where the harness cycled through them: with
//! room for all there is no difference once each has been seen.
//!
//! The latencies were taken by the client of an engine that schedules
//! asynchronously: it decides a step while the one before runs, and what a step
//! sampled reaches the client after one more. The simulation ends at the engine
//! and decides a step when it starts. So [`LAG_STEPS`] steps, as long as the
//! simulated gap between tokens, and [`CLIENT_S`] come on top of TTFT and E2E.
//! Both are the same for every experiment. Cost: a few microseconds a call,
//! stages on all threads.

use super::stages::Measured;
use super::{Constants, Errors, Stage};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::kernel::Span;
use crate::metrics::LatencyRecord;
use crate::scenario::{Overrides, Scenario, parse};
use crate::simulation::{self, Options};
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::Path;

/// Steps by which an asynchronously scheduled answer lags.
const LAG_STEPS: f64 = 1.0;
/// What network, API server and tokenizer take of a call, s: the intercept of
/// measured TTFT over measured ITL in the vLLM runs of
/// inference-sim/sim-to-real-accuracy-validation dcec3fd47.
const CLIENT_S: f64 = 8e-3;
/// Most sequences at once, vLLM's default; no stage comes near it.
const SEQUENCES_MAX: u32 = 256;

/// All stages of a table under one choice of constants.
#[derive(Clone, Debug, Serialize)]
pub struct OpenLoopReport {
    /// The constants.
    pub constants: Constants,
    /// Stages compared.
    pub stages: usize,
    /// Stages that cannot be simulated, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
    /// Errors of all stages, then by calls in flight and by model.
    pub groups: Vec<StageGroup>,
    /// Every stage.
    pub errors: Vec<StageError>,
}

/// Errors of some stages.
#[derive(Clone, Debug, Serialize)]
pub struct StageGroup {
    /// What they have in common: "all", "in flight", "model".
    pub by: &'static str,
    /// Its value.
    pub name: String,
    /// Errors by figure.
    pub figures: BTreeMap<&'static str, Errors>,
}

/// One stage, measured and simulated.
#[derive(Clone, Debug, Serialize)]
pub struct StageError {
    /// Name of the row.
    pub id: String,
    /// Model, as the catalog names it.
    pub model: String,
    /// Calls in flight: the rate times the measured E2E (Little's law).
    pub in_flight: f64,
    /// Share of prompt tokens found in the cache.
    pub cached_fraction: f64,
    /// Relative errors by figure: `itl`, `e2e`, `ttft` (means), their
    /// percentiles such as `ttft_p90` where recorded, and `ttft_engine`: the
    /// engine's own TTFT, without lag and client.
    pub figures: BTreeMap<&'static str, f64>,
}

/// Simulates `stages` under `constants` on the current rayon pool.
pub fn open_loop(stages: &[Stage], constants: Constants) -> Result<OpenLoopReport> {
    let outcomes: Vec<Result<Outcome>> =
        stages.par_iter().map(|stage| simulate(stage, constants)).collect();
    let mut errors = Vec::new();
    let mut left_out = BTreeMap::new();
    for outcome in outcomes {
        match outcome? {
            Ok(error) => errors.push(error),
            Err(reason) => *left_out.entry(reason).or_default() += 1,
        }
    }
    let groups = groups(&errors);
    Ok(OpenLoopReport { constants, stages: errors.len(), left_out, groups, errors })
}

/// The stage's errors, or why it cannot be simulated.
type Outcome = std::result::Result<StageError, &'static str>;

fn simulate(stage: &Stage, constants: Constants) -> Result<Outcome> {
    let Some(precision) = stage.precision else { return Ok(Err("number format not modeled")) };
    let Ok(model) = Catalog::embedded().model(&stage.model) else {
        return Ok(Err("model not in the catalog"));
    };
    if stage.pipeline > 1 {
        return Ok(Err("pipeline parallelism not modeled"));
    }
    let scenario = match scenario(stage, precision, constants) {
        Ok(scenario) => scenario,
        Err(Error::Invalid(_)) => return Ok(Err("does not fit as it is split")),
        Err(error) => return Err(error),
    };
    let options = Options { warm_up: Span::from_seconds(warm_up_s(stage)), ..Options::default() };
    let record = simulation::run(&scenario, 0, options);
    let calls = &record.whole.use_cases[0];
    if record.cut_off.is_some() || calls.rejected > 0 || calls.calls == 0 {
        return Ok(Err("cannot be served"));
    }
    let step_s = calls.itl.mean;
    let seen_s = LAG_STEPS * step_s + CLIENT_S;
    let mut figures = BTreeMap::new();
    figures.insert("itl", step_s / stage.itl_s - 1.0);
    figures.insert("ttft_engine", calls.ttft.mean / stage.ttft.mean - 1.0);
    compare(&mut figures, ["e2e", "e2e_p90", "e2e_p99"], &stage.e2e, &calls.e2e, seen_s);
    compare(&mut figures, ["ttft", "ttft_p90", "ttft_p99"], &stage.ttft, &calls.ttft, seen_s);
    Ok(Ok(StageError {
        id: stage.id.clone(),
        model: model.name.clone(),
        in_flight: stage.rate * stage.e2e.mean,
        cached_fraction: calls.cached_tokens as f64 / calls.prompt_tokens as f64,
        figures,
    }))
}

/// Adds the errors of a latency that the client sees `seen_s` later.
fn compare(
    figures: &mut BTreeMap<&'static str, f64>,
    [mean, p90, p99]: [&'static str; 3],
    measured: &Measured,
    simulated: &LatencyRecord,
    seen_s: f64,
) {
    // The curve has every percent.
    let pairs = [
        (mean, Some(measured.mean), simulated.mean),
        (p90, measured.p90, simulated.known.quantiles()[90]),
        (p99, measured.p99, simulated.known.quantiles()[99]),
    ];
    for (name, measured, simulated) in pairs {
        if let Some(measured) = measured {
            figures.insert(name, (simulated + seen_s) / measured - 1.0);
        }
    }
}

/// How long the load has run before the stage, s.
fn warm_up_s(stage: &Stage) -> f64 {
    if stage.index == 0 { 0.0 } else { stage.length_s }
}

fn scenario(stage: &Stage, precision: &str, constants: Constants) -> Result<Scenario> {
    let Stage { model, hardware, tensor, data, expert, output, rate, .. } = stage;
    let budget = stage.max_num_batched_tokens;
    let mut engine = format!(
        "max_num_seqs = {}\n{}",
        budget.unwrap_or(SEQUENCES_MAX).min(SEQUENCES_MAX),
        constants.toml("vllm")
    );
    if let Some(budget) = budget {
        let _ = writeln!(engine, "max_num_batched_tokens = {budget}");
    }
    if let Some(share) = stage.gpu_memory_utilization {
        let _ = writeln!(engine, "gpu_memory_utilization = {share:?}");
    }
    // The last token of a prompt is computed even if all of it was seen before,
    // so it may as well be each call's own.
    let prompt = match stage.prompts {
        Some(prompts) if stage.prompt > 1 => {
            let shared = stage.prompt - 1;
            format!("prefix = [{{ tokens = {shared}, groups = {prompts} }}]\nprompt_tokens = 1")
        }
        _ => format!("prompt_tokens = {}", stage.prompt),
    };
    // vLLM keeps the KV cache in 16 bits unless it is told otherwise.
    let text = format!(
        "name = \"open-loop\"\nduration = \"{:?} s\"\nregime = \"steady\"\n[[pool]]\n\
         name = \"server\"\nmodel = {model:?}\nhardware = {hardware:?}\nprecision = {precision:?}\n\
         kv_precision = \"bf16\"\ntensor_parallel = {tensor}\ndata_parallel = {data}\n\
         expert_parallel = {expert}\n[pool.engine]\n{engine}[[use_case]]\nname = \"clients\"\n\
         {prompt}\noutput_tokens = {output}\n\
         arrivals = {{ process = \"constant\", rate = \"{rate:?} /s\" }}\n",
        warm_up_s(stage) + stage.length_s,
    );
    let overrides = Overrides { replications: Some(1), ..Overrides::default() };
    Ok(parse(&text, &stage.id, Path::new(""), &overrides)?.scenario)
}

/// The load regime of a number of calls in flight.
fn regime(in_flight: f64) -> &'static str {
    match in_flight {
        ..16.0 => "below 16",
        ..32.0 => "16-32",
        ..64.0 => "32-64",
        _ => "above 64",
    }
}

fn groups(errors: &[StageError]) -> Vec<StageGroup> {
    type Key = fn(&StageError) -> String;
    let keys: [(&'static str, Key); 3] = [
        ("all", |_| "all".to_owned()),
        ("in flight", |error| regime(error.in_flight).to_owned()),
        ("model", |error| error.model.clone()),
    ];
    let mut groups = Vec::new();
    for (by, key) in keys {
        let mut members: BTreeMap<String, Vec<&StageError>> = BTreeMap::new();
        for error in errors {
            members.entry(key(error)).or_default().push(error);
        }
        let mut members: Vec<_> = members.into_iter().collect();
        if by == "in flight" {
            let least = |errors: &[&StageError]| {
                errors.iter().map(|error| error.in_flight).fold(f64::INFINITY, f64::min)
            };
            members.sort_by(|a, b| least(&a.1).total_cmp(&least(&b.1)));
        }
        let summarize = |(name, errors): (String, Vec<&StageError>)| StageGroup {
            by,
            name,
            figures: summaries(&errors),
        };
        groups.extend(members.into_iter().map(summarize));
    }
    groups
}

fn summaries(errors: &[&StageError]) -> BTreeMap<&'static str, Errors> {
    let mut figures: BTreeMap<&'static str, Vec<f64>> = BTreeMap::new();
    for (&name, &error) in errors.iter().flat_map(|error| &error.figures) {
        figures.entry(name).or_default().push(error);
    }
    figures.into_iter().filter_map(|(name, all)| Some((name, Errors::new(all)?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage() -> Stage {
        Stage {
            id: "s".to_owned(),
            model: "llama-3.1-8b".to_owned(),
            precision: Some("bf16"),
            hardware: "h100_sxm".to_owned(),
            tensor: 1,
            pipeline: 1,
            data: 1,
            expert: 1,
            prompt: 547,
            output: 64,
            rate: 8.0,
            index: 1,
            length_s: 60.0,
            prompts: Some(20),
            max_num_batched_tokens: Some(2048),
            gpu_memory_utilization: None,
            itl_s: 0.008,
            e2e: Measured { mean: 0.5, p90: None, p99: Some(0.6) },
            ttft: Measured { mean: 0.025, p90: Some(0.03), p99: None },
        }
    }

    fn errors(stage: &Stage) -> StageError {
        simulate(stage, Constants::Default).unwrap().unwrap()
    }

    #[test]
    fn repeated_prompts_are_computed_once() {
        let warm = errors(&stage());
        // 34 blocks of 16 tokens are full; the rest is computed each time.
        assert_eq!(warm.cached_fraction, 544.0 / 547.0);
        let cold = errors(&Stage { index: 0, ..stage() });
        // 20 of 480 calls are the first to have their prompt, less those never drawn.
        assert!((0.95..0.96).contains(&(cold.cached_fraction / warm.cached_fraction)), "{cold:?}");
        let apart = errors(&Stage { prompts: None, ..stage() });
        assert_eq!(apart.cached_fraction, 0.0);
        assert!(apart.figures["itl"] > warm.figures["itl"] + 0.02, "{apart:?} {warm:?}");
        let more = errors(&Stage { prompts: Some(50), length_s: 120.0, ..stage() });
        assert!((more.figures["itl"] - warm.figures["itl"]).abs() < 1e-3, "{more:?} {warm:?}");
    }

    #[test]
    fn the_client_sees_a_step_and_its_own_time_later() {
        let StageError { figures, in_flight, .. } = errors(&stage());
        assert_eq!(in_flight, 4.0);
        let step_s = (figures["itl"] + 1.0) * 0.008;
        let seen_s = (figures["ttft"] - figures["ttft_engine"]) * 0.025;
        assert!((seen_s - step_s - 0.008).abs() < 1e-9);
        let names: Vec<_> = figures.keys().copied().collect();
        assert_eq!(names, ["e2e", "e2e_p99", "itl", "ttft", "ttft_engine", "ttft_p90"]);
        // Half a step of waiting and a step of its own, a little longer for the prompt's end.
        let engine_s = (figures["ttft_engine"] + 1.0) * 0.025;
        assert!((1.3..1.8).contains(&(engine_s / step_s)), "{engine_s} {step_s}");
    }

    #[test]
    fn stages_that_cannot_be_simulated_are_counted_by_reason() {
        let stages = [
            stage(),
            Stage { rate: 100.0, e2e: Measured { mean: 1.0, ..stage().e2e }, ..stage() },
            Stage { model: "gpt-2".to_owned(), ..stage() },
            Stage { precision: None, ..stage() },
            Stage { pipeline: 2, ..stage() },
            Stage { model: "llama-2-70b".to_owned(), ..stage() },
            Stage { prompt: 500_000, ..stage() },
        ];
        let report = open_loop(&stages, Constants::Uncalibrated).unwrap();
        assert_eq!((report.stages, report.left_out.len()), (2, 5), "{:?}", report.left_out);
        let names: Vec<_> = report.groups.iter().map(|g| (g.by, g.name.as_str())).collect();
        let expected = [
            ("all", "all"),
            ("in flight", "below 16"),
            ("in flight", "above 64"),
            ("model", "llama-3.1-8b"),
        ];
        assert_eq!(names, expected);
    }
}
