//! How long a window is simulated before it is measured.
//!
//! A window begins with an empty factory. Sessions under way and caches must be
//! as they would be then: five mean sessions bring the number of sessions to
//! within 1 % of what it would be where their length is exponential, for a share
//! exp(-t / mean) of them is still missing after a time t. What is said only once in
//! a long while, by many groups that share prefixes or in a recording, is found
//! or evicted as it would be once the cache has been filled.

use super::Horizon;
use crate::kernel::Span;
use crate::scenario::{Arrivals, Pool, Scenario, UseCase, Windows};
use crate::study::Mix;

/// Shortest and longest warm-up that is found, s.
const MIN_S: f64 = 600.0;
const MAX_S: f64 = 6.0 * 3_600.0;
/// Mean sessions that it lasts.
const SESSIONS: f64 = 5.0;

/// Time before a window that is simulated and not measured.
#[derive(Clone, Debug, PartialEq)]
pub struct WarmUpTime {
    /// How long.
    pub length: Span,
    /// Why so long.
    pub reason: String,
    /// What the reader must know about it.
    pub warning: Option<String>,
}

impl WarmUpTime {
    /// The warm-up of the windows of `scenario`: given, or found.
    pub fn of(scenario: &Scenario, windows: &Windows, horizon: &Horizon) -> WarmUpTime {
        if let Some(length) = windows.warm_up {
            return WarmUpTime { length, reason: "as given".to_owned(), warning: None };
        }
        let sessions_s = scenario.use_cases.iter().map(session_s).fold(0.0, f64::max) * SESSIONS;
        let fill_s = (0..scenario.pools.len())
            .filter_map(|pool| fill_s(scenario, pool, horizon))
            .fold(0.0, f64::max);
        let (seconds, reason) = [
            (MIN_S, "the shortest one that is taken"),
            (sessions_s, "five mean sessions"),
            (fill_s, "the time in which demand fills the caches"),
        ]
        .into_iter()
        .reduce(|a, b| if b.0 > a.0 { b } else { a })
        .expect("three of them");
        let minutes = (seconds.min(MAX_S) / 60.0).ceil();
        let warning = (seconds > MAX_S).then(|| {
            format!(
                "windows are warmed up for {:.0} h, and {reason} would be {:.0} h: caches and \
                 sessions may not be as they would be by then; set windows.warm_up to have them so",
                MAX_S / 3_600.0,
                seconds / 3_600.0
            )
        });
        WarmUpTime {
            length: Span::from_seconds(minutes * 60.0),
            reason: reason.to_owned(),
            warning,
        }
    }
}

/// Time that the pauses of a session take, in the mean, s.
fn session_s(use_case: &UseCase) -> f64 {
    let Some(session) = &use_case.session else { return 0.0 };
    let pauses = (session.turns.expected() - 1.0).max(0.0);
    session.think.as_ref().map_or(0.0, |think| pauses * think.expected())
}

/// Time in which the demand of the mean hour fills the cache of a pool, tiers
/// included, s; `None` where it has none, or where what it holds is asked for
/// again within a session or never.
fn fill_s(scenario: &Scenario, at: usize, horizon: &Horizon) -> Option<f64> {
    let pool = &scenario.pools[at];
    pool.engine.prefix_cache?;
    let comes_back = |use_case: &&UseCase| {
        let is_recorded = match &use_case.arrivals {
            Arrivals::Trace { trace, .. } => trace.nodes > 0,
            _ => false,
        };
        use_case.pools().contains(&at)
            && use_case.cache_hit.is_none()
            && (is_recorded || use_case.prefix.iter().any(|segment| segment.groups > 1))
    };
    scenario.use_cases.iter().find(comes_back)?;
    let mix = Mix::of(scenario, at)?;
    // Each call leaves what it computed.
    let tokens_per_s =
        horizon.calls[at] / horizon.end.seconds() * (mix.prompt - mix.cached + mix.output);
    (tokens_per_s > 0.0).then(|| cache_tokens(pool) / tokens_per_s)
}

/// Tokens computed one after the other that HBM and the tiers of a pool hold.
fn cache_tokens(pool: &Pool) -> f64 {
    let ranks = f64::from(pool.replicas) * f64::from(pool.parallelism.data);
    let place_bytes = pool.kv.place_bytes() as f64 * f64::from(pool.parallelism.tensor);
    let tiers: f64 = pool.offload.iter().map(|offload| offload.bytes_for(pool) / place_bytes).sum();
    let hbm = f64::from(pool.kv.blocks) / f64::from(pool.kv.groups.all()) * ranks;
    (hbm + tiers) * f64::from(pool.kv.block_tokens)
}
