//! A recorded log, served once more by the simulator.

use super::{Comparison, Constants, Log};
use crate::error::Result;
use crate::metrics::{CDF_FRACTIONS, LatencyRecord, UseCaseRecord};
use crate::scenario::Pool;
use crate::simulation::{self, Options};
use crate::statistics::quantiles;
use serde::Serialize;

/// A log, measured and simulated.
#[derive(Clone, Debug, Serialize)]
pub struct Replay {
    /// Name of the log.
    pub log: String,
    /// What served it, in one line.
    pub deployment: String,
    /// KV blocks of one rank, as computed for the simulated server.
    pub kv_blocks: u32,
    /// Calls compared.
    pub calls: usize,
    /// Broken lines left out on request.
    pub skipped_lines: u64,
    /// The simulation under each choice of constants.
    pub arms: Vec<Arm>,
    /// Measured distributions.
    #[serde(skip)]
    pub measured: Curves,
}

/// A log replayed with one choice of constants.
#[derive(Clone, Debug, Serialize)]
pub struct Arm {
    /// The constants.
    pub constants: Constants,
    /// Calls that the simulated server refused; their latencies are missing.
    pub rejected: u64,
    /// Time to first token; none where no call had one. So for the others.
    pub ttft: Option<Comparison>,
    /// Time per output token after the first.
    pub tpot: Option<Comparison>,
    /// Queued to last token.
    pub e2e: Option<Comparison>,
    /// Queued to first scheduling.
    pub queue: Option<Comparison>,
    /// Simulated distributions.
    #[serde(skip)]
    pub simulated: Curves,
}

impl Arm {
    /// The compared latencies by name.
    pub fn named(&self) -> impl Iterator<Item = (&'static str, &Comparison)> {
        let all = [
            ("TTFT", &self.ttft),
            ("TPOT", &self.tpot),
            ("E2E", &self.e2e),
            ("queue", &self.queue),
        ];
        all.into_iter().filter_map(|(name, comparison)| Some((name, comparison.as_ref()?)))
    }
}

/// Distributions as quantiles in seconds at [`CDF_FRACTIONS`]; empty without values.
#[derive(Clone, Debug, Default)]
pub struct Curves {
    /// Time to first token.
    pub ttft_s: Vec<f64>,
    /// Time per output token after the first.
    pub tpot_s: Vec<f64>,
    /// Queued to last token.
    pub e2e_s: Vec<f64>,
}

/// Measured latencies, in seconds.
struct Measured {
    ttft: Vec<f64>,
    tpot: Vec<f64>,
    e2e: Vec<f64>,
    queue: Vec<f64>,
}

/// Replays `log` under each of `constants`.
pub fn replay(log: &Log, constants: &[Constants]) -> Result<Replay> {
    let measured = Measured::of(log);
    let mut deployment = String::new();
    let mut kv_blocks = 0;
    let mut arms = Vec::new();
    for &constants in constants {
        let scenario = log.scenario(constants)?;
        let record = simulation::run(&scenario, 0, Options::default());
        arms.push(arm(constants, &measured, &record.whole.use_cases[0]));
        deployment = describe(&scenario.pools[0]);
        kv_blocks = scenario.pools[0].kv.blocks;
    }
    Ok(Replay {
        log: log.name.clone(),
        deployment,
        kv_blocks,
        calls: log.calls.len(),
        skipped_lines: log.skipped_lines,
        arms,
        measured: Curves {
            ttft_s: curve(&measured.ttft),
            tpot_s: curve(&measured.tpot),
            e2e_s: curve(&measured.e2e),
        },
    })
}

fn arm(constants: Constants, measured: &Measured, simulated: &UseCaseRecord) -> Arm {
    let curve = |latency: &LatencyRecord| latency.known.quantiles().to_vec();
    Arm {
        constants,
        rejected: simulated.rejected,
        ttft: Comparison::new(&measured.ttft, &simulated.ttft),
        tpot: Comparison::new(&measured.tpot, &simulated.tpot),
        e2e: Comparison::new(&measured.e2e, &simulated.e2e),
        queue: Comparison::new(&measured.queue, &simulated.queue),
        simulated: Curves {
            ttft_s: curve(&simulated.ttft),
            tpot_s: curve(&simulated.tpot),
            e2e_s: curve(&simulated.e2e),
        },
    }
}

impl Measured {
    fn of(log: &Log) -> Self {
        Measured {
            ttft: log.calls.iter().map(|call| call.ttft_s).collect(),
            tpot: log.calls.iter().filter_map(|call| call.tpot_s).collect(),
            e2e: log.calls.iter().map(|call| call.e2e_s).collect(),
            queue: log.calls.iter().map(|call| call.queue_s).collect(),
        }
    }
}

fn curve(values: &[f64]) -> Vec<f64> {
    quantiles(&mut values.to_vec(), &CDF_FRACTIONS).unwrap_or_default()
}

fn describe(pool: &Pool) -> String {
    let replicas =
        if pool.replicas > 1 { format!("{} replicas of ", pool.replicas) } else { String::new() };
    format!(
        "{replicas}{} ({}) on {}, {}; max_num_seqs {}, max_num_batched_tokens {}",
        pool.model.name,
        pool.precision,
        pool.hardware.name,
        pool.parallelism,
        pool.engine.max_num_seqs,
        pool.engine.max_num_batched_tokens
    )
}
