//! What a scenario is expected to ask for, in closed form: tokens of each use
//! case and of all together, over the horizon and in the busiest hour.
//!
//! The expectation is taken apart into layers, each a factor on the one before:
//! the mean demand, of agents one call a run; what calls think; what loops, tools
//! and sub-agents make of runs; what the cache spares; how demand varies by hour,
//! day and season; how it grows. Arrivals are integrals of the curve;
//! what an arrival brings is exact where it is constant or recorded, and
//! otherwise the mean of ten thousand draws, whose interval all figures carry.
//! Nothing is simulated: this is what is offered, whether or not a pool can
//! serve it.

pub mod brings;
mod days;
pub mod expected;
mod figures;
mod notes;

pub use brings::Estimate;
pub use days::{Day, days};
pub use figures::{Figures, Layer, PeakHour};

use crate::demand::Hours;
use crate::kernel::{Digest, Span, Time};
use crate::scenario::{Arrivals, Scenario, shared_zone};
use expected::Expected;
use jiff::Timestamp;
use serde::Serialize;

/// Days in a mean month.
pub const DAYS_PER_MONTH: f64 = 365.0 / 12.0;

/// The forecast of a scenario: `forecast.json`.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Forecast {
    /// Version of this layout.
    pub schema: u32,
    /// Name of the scenario.
    pub scenario: String,
    /// Version of tokenmill.
    pub version: String,
    /// Root seed of the draws.
    pub seed: u64,
    /// Fold of all figures, 16 hexadecimal digits.
    pub digest: String,
    /// Calendar instant of time zero, as written.
    pub start: Option<String>,
    /// Time that is forecast, s; `None`: only closed loops, which have no end.
    pub horizon_s: Option<f64>,
    /// What must be known before any figure.
    pub warnings: Vec<String>,
    /// What the figures rest on.
    pub notes: Vec<String>,
    /// All use cases that have figures, together; `None`: none has.
    pub total: Option<Figures>,
    /// In the order of the scenario.
    pub use_cases: Vec<UseCaseForecast>,
}

/// What is expected of a use case.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct UseCaseForecast {
    /// Its name.
    pub name: String,
    /// The pool that serves it.
    pub pool: String,
    /// Where the tokens that need no computing come from.
    pub cache: CacheSource,
    /// The figures; `None`: a closed loop, whose rate depends on the answers.
    pub figures: Option<Figures>,
}

/// Where the tokens that need no computing come from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum CacheSource {
    /// `cache_hit` gives their share.
    Given,
    /// What a prefix cache that never evicts would have: no cache has more.
    NeverEvicts,
    /// The pool has no prefix cache.
    None,
}

/// The forecast of `scenario`.
pub fn forecast(scenario: &Scenario) -> Forecast {
    let start = scenario
        .start
        .as_ref()
        .map(|start| start.parse::<Timestamp>().expect("the scenario was checked"));
    let end = horizon(scenario);
    let all: Vec<Option<Expected<'_>>> = (0..scenario.use_cases.len())
        .map(|at| end.and_then(|end| Expected::new(scenario, at, end)))
        .collect();
    let total = end.filter(|_| all.iter().any(Option::is_some)).map(|end| {
        let all_arrivals = scenario.use_cases.iter().map(|use_case| &use_case.arrivals);
        let parts: Vec<&Expected<'_>> = all.iter().flatten().collect();
        Figures::of(&parts, &Hours::new(start, shared_zone(all_arrivals), end))
    });
    let use_cases: Vec<UseCaseForecast> = scenario
        .use_cases
        .iter()
        .zip(&all)
        .map(|(use_case, expected)| UseCaseForecast {
            name: use_case.name.clone(),
            pool: scenario
                .pools_of(use_case)
                .map(|pool| &*pool.name)
                .collect::<Vec<_>>()
                .join(", "),
            cache: match (use_case.cache_hit, scenario.pools[use_case.pool].engine.prefix_cache) {
                (Some(_), _) => CacheSource::Given,
                (None, Some(_)) => CacheSource::NeverEvicts,
                (None, None) => CacheSource::None,
            },
            figures: expected.as_ref().map(|expected| {
                let hours = Hours::new(
                    start,
                    shared_zone(std::iter::once(&use_case.arrivals)),
                    expected.end,
                );
                Figures::of(&[expected], &hours)
            }),
        })
        .collect();
    let mut digest = Digest::default();
    for figures in use_cases.iter().filter_map(|use_case| use_case.figures.as_ref()) {
        figures.fold(&mut digest);
    }
    Forecast {
        schema: 1,
        scenario: scenario.name.clone(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        seed: scenario.seed,
        digest: digest.to_string(),
        start: scenario.start.clone(),
        horizon_s: end.map(Time::seconds),
        warnings: scenario.warnings.clone(),
        notes: notes::notes(scenario, &all),
        total,
        use_cases,
    }
}

/// The duration, or whole seconds that hold all recorded calls; `None`: closed
/// loops only, which have no end that is known.
pub fn horizon(scenario: &Scenario) -> Option<Time> {
    if let Some(duration) = scenario.duration {
        return Some(Time::ZERO + duration);
    }
    let lengths = scenario.use_cases.iter().filter_map(|use_case| match &use_case.arrivals {
        Arrivals::Trace { trace, time_scale } => Some(trace.length.seconds() * time_scale),
        _ => None,
    });
    let longest = lengths.reduce(f64::max)?;
    Some(Time::ZERO + Span::from_seconds(longest.floor() + 1.0))
}
