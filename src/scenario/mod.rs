//! The checked scenario: what a run needs, complete and consistent.
//!
//! `raw` mirrors the TOML that a user writes, `units` reads quantities, `check`
//! turns raw into the types below and reports every mistake it can find with
//! file, line, key, value and a fix. After that the program asserts instead of
//! checking again. docs/scenario.md describes every key.

mod batch;
mod check;
mod demand;
mod overrides;
mod pool;
pub mod range;
pub mod raw;
pub mod raw_distribution;
mod region;
pub mod seek;
pub mod shape;
mod slo;
pub mod sweep;
mod thinking;
pub mod tree;
pub mod units;
mod use_case;
pub mod windows;

pub use batch::{Batch, Releases};
pub use check::{BASELINE, Loaded, Variants, load, open, open_file, parse};
pub use demand::{Demand, Tenants};
pub use overrides::Overrides;
pub use pool::{Engine, Offload, Pool, ToolPool};
pub use region::{Origin, Origins};
pub use shape::schema;
pub use slo::{Metric, Slo, Statistic, Target};
pub use thinking::{Thinking, ThinkingAmount, Thinks};
pub use use_case::{Arrivals, Lengths, Segment, Sessions, TokenPrices, UseCase};
pub use windows::{Choice, Windows, shared_zone};

use crate::kernel::Span;
use serde::{Deserialize, Serialize};

/// Everything one run needs.
#[derive(Clone, Debug)]
pub struct Scenario {
    /// Name; also the folder of its outputs.
    pub name: String,
    /// Root of all random streams.
    pub seed: u64,
    /// Independent replications to run; at most so many where `stopping` says
    /// when they are enough.
    pub replications: u32,
    /// When fewer replications are enough; `None`: all of them run.
    pub stopping: Option<Stopping>,
    /// Calendar instant of time zero, RFC 3339, as written (demand curves use it).
    pub start: Option<String>,
    /// When arrivals end. `None`: when every source is exhausted.
    pub duration: Option<Span>,
    /// Whether a steady state is estimated or a finite episode measured.
    pub regime: Regime,
    /// How the initial transient is removed (steady regime only).
    pub warm_up: WarmUp,
    /// Equal sections of the measured window that intervals are taken over as
    /// well as over replications; 1: the window as a whole.
    pub sections: u32,
    /// The pools of GPUs.
    pub pools: Vec<Pool>,
    /// The pools of tool workers.
    pub tool_pools: Vec<ToolPool>,
    /// The streams of work.
    pub use_cases: Vec<UseCase>,
    /// The parts of the horizon that run; `None`: all of it.
    pub windows: Option<Windows>,
    /// What the user should know but need not mend.
    pub warnings: Vec<String>,
}

impl Scenario {
    /// The pools that serve `use_case`.
    pub fn pools_of(&self, use_case: &UseCase) -> impl Iterator<Item = &Pool> {
        use_case.pools().iter().map(|&pool| &self.pools[pool])
    }

    /// Whether anything is drawn at random; if not, one replication is exact.
    pub fn is_random(&self) -> bool {
        let draws = |pool: &Pool| pool.router.policy.draws() && pool.lanes() > 1;
        self.use_cases.iter().any(UseCase::is_random) || self.pools.iter().any(draws)
    }
}

impl Scenario {
    /// Whether it is a steady state that it measures, and what arrives is of one law
    /// at all times.
    pub fn is_stationary(&self) -> bool {
        self.regime == Regime::Steady
            && self.windows.is_none()
            && self.use_cases.iter().all(UseCase::is_stationary)
    }
}

/// When replications are enough: as soon as figures are precise.
#[derive(Clone, Debug, PartialEq)]
pub struct Stopping {
    /// Largest error that figures may have, as a share of their true values.
    pub precision: f64,
    /// Paths of the figures that are held to it; empty: those of
    /// [`crate::study::headline_figures`].
    pub of: Vec<String>,
    /// Replications after which it is tested first.
    pub min: u32,
}

/// A variant of a scenario, to be compared with it.
#[derive(Clone, Debug)]
pub struct Arm {
    /// Its name.
    pub name: String,
    /// The keys it changes, as written.
    pub changes: Vec<String>,
    /// The scenario with those changes.
    pub scenario: Scenario,
}

/// Whether results describe a steady state or a finite episode.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Regime {
    /// A sustained rate: the transient is removed, unstable loads are refused.
    Steady,
    /// A finite episode (a trace, a peak day, M requests): all of it counts.
    Terminating,
}

/// How the initial transient is removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WarmUp {
    /// MSER-5 on the mean in-system series of pilot replications.
    Auto,
    /// A length given by the user.
    Fixed(Span),
}
