//! Sweeps simulated row by row, as they were measured: N clients start
//! together at time zero and make 10 N calls, TTFT is the mean over all calls,
//! the first burst included.
//!
//! What the rows do not record is assumed alike for all: vLLM's scheduler for
//! every engine, 8,192 tokens a step, a batch limit of 256 or the number of
//! clients. Cost: about a microsecond a call, rows on all threads.

use super::{Constants, Errors, Harness, SweepRow};
use crate::catalog::Catalog;
use crate::error::{Error, Result};
use crate::scenario::{Overrides, Scenario, parse};
use crate::simulation::{self, Options};
use crate::statistics::quantile;
use rayon::prelude::*;
use serde::Serialize;
use std::collections::BTreeMap;
use std::path::Path;

/// Calls that each client makes on average.
const CALLS_PER_CLIENT: u32 = 10;
/// Least limit of the batch; rows do not record it.
const SEQUENCES_MIN: u32 = 256;
/// Token budget of a step; rows do not record it.
const TOKENS: u32 = 8_192;

/// All rows of a sweep under one choice of constants.
#[derive(Clone, Debug, Serialize)]
pub struct SweepReport {
    /// The constants.
    pub constants: Constants,
    /// Rows compared.
    pub rows: usize,
    /// Rows that cannot be simulated, by reason.
    pub left_out: BTreeMap<&'static str, usize>,
    /// Errors of all rows, then by concurrency, engine, GPU and both harnesses.
    pub groups: Vec<Group>,
}

/// Errors of some rows.
#[derive(Clone, Debug, Serialize)]
pub struct Group {
    /// What they have in common: "all", "concurrency", "engine", "hardware", "harness".
    pub by: &'static str,
    /// Its value.
    pub name: String,
    /// Errors of TPOT.
    pub tpot: Errors,
    /// Errors of TTFT.
    pub ttft: Errors,
    /// Median of the absolute error of TTFT, s.
    pub ttft_median_error_s: f64,
}

/// One row, measured and simulated.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct SweepError {
    /// Relative error of TPOT.
    pub tpot: f64,
    /// Relative error of TTFT.
    pub ttft: f64,
    /// Error of TTFT, s.
    pub ttft_s: f64,
}

/// Simulates `rows` under `constants` on the current rayon pool.
pub fn closed_loop(rows: &[SweepRow], constants: Constants) -> Result<SweepReport> {
    let outcomes: Vec<Result<Outcome>> =
        rows.par_iter().map(|row| simulate(row, constants)).collect();
    let mut compared = Vec::new();
    let mut left_out = BTreeMap::new();
    for (row, outcome) in rows.iter().zip(outcomes) {
        match outcome? {
            Ok(error) => compared.push((row, error)),
            Err(reason) => *left_out.entry(reason).or_default() += 1,
        }
    }
    Ok(SweepReport { constants, rows: compared.len(), left_out, groups: groups(&compared) })
}

/// The row's errors, or why it cannot be simulated.
type Outcome = std::result::Result<SweepError, &'static str>;

fn simulate(row: &SweepRow, constants: Constants) -> Result<Outcome> {
    let Some(precision) = row.precision else { return Ok(Err("number format not modeled")) };
    if Catalog::embedded().model(&row.model).is_err() {
        return Ok(Err("model not in the catalog"));
    }
    let scenario = match scenario(row, precision, constants) {
        Ok(scenario) => scenario,
        // Only what the row asks for can be wrong: how the model is split, and
        // whether it fits.
        Err(Error::Invalid(_)) => return Ok(Err("does not fit as it is split")),
        Err(error) => return Err(error),
    };
    let record = simulation::run(&scenario, 0, Options::default());
    let calls = &record.whole.use_cases[0];
    if calls.rejected > 0 {
        return Ok(Err("calls longer than the KV cache"));
    }
    let ttft_s = calls.ttft.mean + constants.client_s(&row.engine);
    Ok(Ok(SweepError {
        tpot: calls.tpot.mean / row.tpot_s - 1.0,
        ttft: ttft_s / row.ttft_s - 1.0,
        ttft_s: ttft_s - row.ttft_s,
    }))
}

fn scenario(row: &SweepRow, precision: &str, constants: Constants) -> Result<Scenario> {
    let lengths = |nominal: u32| match row.harness {
        Harness::InferenceX => {
            let low = f64::from(nominal) * 0.8;
            format!("{{ distribution = \"uniform\", low = {low:?}, high = {nominal} }}")
        }
        Harness::Nvidia => nominal.to_string(),
    };
    let SweepRow { model, hardware, tensor, data, expert, concurrency, .. } = row;
    let kv = kv_format(precision);
    let text = format!(
        "name = \"sweep\"\n[[pool]]\nname = \"server\"\nmodel = {model:?}\nhardware = {hardware:?}\n\
         precision = {precision:?}\nkv_precision = {kv:?}\ntensor_parallel = {tensor}\n\
         data_parallel = {data}\nexpert_parallel = {expert}\n[pool.engine]\n\
         max_num_batched_tokens = {TOKENS}\nmax_num_seqs = {}\n{}[[use_case]]\n\
         name = \"clients\"\nprompt_tokens = {}\noutput_tokens = {}\n\
         arrivals = {{ process = \"closed-loop\", clients = {concurrency}, requests = {} }}\n",
        SEQUENCES_MIN.max(*concurrency),
        constants.toml(&row.engine),
        lengths(row.prompt),
        lengths(row.output),
        concurrency.saturating_mul(CALLS_PER_CLIENT),
    );
    let overrides = Overrides { replications: Some(1), ..Overrides::default() };
    Ok(parse(&text, &row.id, Path::new(""), &overrides)?.scenario)
}

/// What the publishers' recipes cache in: 8 bits where weights are computed in 8 or 4.
fn kv_format(precision: &str) -> &'static str {
    if matches!(precision, "bf16" | "mxfp4") { "bf16" } else { "fp8" }
}

/// The load regime of a number of clients.
fn regime(concurrency: u32) -> &'static str {
    match concurrency {
        0..=8 => "1-8",
        9..=32 => "9-32",
        33..=64 => "33-64",
        65..=128 => "65-128",
        _ => "above 128",
    }
}

fn groups(compared: &[(&SweepRow, SweepError)]) -> Vec<Group> {
    type Key = fn(&SweepRow) -> String;
    let keys: [(&'static str, Key); 5] = [
        ("all", |_| "all".to_owned()),
        ("concurrency", |row| regime(row.concurrency).to_owned()),
        ("engine", |row| row.engine.clone()),
        ("hardware", |row| row.hardware.clone()),
        ("harness", |row| match row.harness {
            Harness::InferenceX => "InferenceX".to_owned(),
            Harness::Nvidia => "NVIDIA".to_owned(),
        }),
    ];
    let mut groups = Vec::new();
    for (by, key) in keys {
        let mut members: BTreeMap<String, (u32, Vec<SweepError>)> = BTreeMap::new();
        for (row, error) in compared {
            let (least, errors) = members.entry(key(row)).or_insert((u32::MAX, Vec::new()));
            *least = row.concurrency.min(*least);
            errors.push(*error);
        }
        let mut members: Vec<_> = members.into_iter().collect();
        if by == "concurrency" {
            members.sort_by_key(|(_, (least, _))| *least);
        }
        let summarize = |(name, (_, errors)): (String, (u32, Vec<SweepError>))| {
            let each =
                |field: fn(&SweepError) -> f64| errors.iter().map(field).collect::<Vec<f64>>();
            Some(Group {
                by,
                name,
                tpot: Errors::new(each(|error| error.tpot))?,
                ttft: Errors::new(each(|error| error.ttft))?,
                ttft_median_error_s: quantile(&mut each(|error| error.ttft_s.abs()), 0.5)?,
            })
        };
        groups.extend(members.into_iter().filter_map(summarize));
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row() -> SweepRow {
        SweepRow {
            id: "r".to_owned(),
            model: "llama-3.1-8b".to_owned(),
            precision: Some("bf16"),
            engine: "vllm".to_owned(),
            hardware: "h100_sxm".to_owned(),
            tensor: 1,
            data: 1,
            expert: 1,
            prompt: 1024,
            output: 64,
            concurrency: 4,
            harness: Harness::Nvidia,
            ttft_s: 0.05,
            tpot_s: 0.008,
        }
    }

    #[test]
    fn constants_move_both_latencies_and_clients_only_one() {
        let errors = |constants| simulate(&row(), constants).unwrap().unwrap();
        let (plain, default) = (errors(Constants::Uncalibrated), errors(Constants::Default));
        assert!(plain.tpot < default.tpot && plain.ttft < default.ttft);
        let fitted = errors(Constants::PerEngine);
        assert!(((fitted.tpot + 1.0) / (plain.tpot + 1.0) - 1.175).abs() < 1e-3);
        assert!(((fitted.ttft_s + 0.05 - 0.04) / (plain.ttft_s + 0.05) - 1.175).abs() < 1e-3);
    }

    #[test]
    fn rows_that_cannot_be_simulated_are_counted_by_reason() {
        let rows = [
            row(),
            SweepRow { model: "gpt-2".to_owned(), ..row() },
            SweepRow { precision: None, ..row() },
            SweepRow { model: "llama-3.1-405b".to_owned(), ..row() },
            SweepRow { prompt: 500_000, harness: Harness::InferenceX, ..row() },
            SweepRow { harness: Harness::InferenceX, concurrency: 12, ..row() },
        ];
        let report = closed_loop(&rows, Constants::Default).unwrap();
        assert_eq!((report.rows, report.left_out.values().sum::<usize>()), (2, 4));
        assert_eq!(report.left_out.len(), 4, "{:?}", report.left_out);
        let names: Vec<_> = report.groups.iter().map(|g| (g.by, g.name.as_str())).collect();
        assert_eq!(names[1..3], [("concurrency", "1-8"), ("concurrency", "9-32")]);
        assert_eq!(report.groups[0].tpot.count, 2);
    }
}
