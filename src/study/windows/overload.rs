//! Windows in which a pool cannot keep up.

use super::Plan;
use crate::metrics::{RunRecord, WindowRecord};
use crate::scenario::Regime;
use crate::statistics::{Trend, drift};
use crate::study::reduce::{Evidence, Stability};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Most windows that a sentence names.
const NAMED_MAX: usize = 5;

/// A window in which a pool cannot keep up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct OverloadedWindow {
    /// When it begins, since time zero, s.
    pub start_s: f64,
    /// The same on the local clock, RFC 3339; absent without a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_local: Option<String>,
    /// Pools that cannot keep up.
    pub pools: Vec<String>,
}

/// What one run of a window says of its pools.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WindowEvidence {
    /// When the window begins, since time zero, s.
    pub start_s: f64,
    /// The same on the local clock; absent without a start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start_local: Option<String>,
    /// By pool.
    pub pools: Vec<PoolEvidence>,
}

/// What one run of a window says of a pool.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct PoolEvidence {
    /// As of a run without windows.
    pub whole: Evidence,
    /// How its calls grew over the window, and from the beginning of the warm-up on.
    pub growth: [Option<Trend>; 2],
}

impl PoolEvidence {
    /// What `window` of `plan` says of the pool at index `pool`.
    pub fn of(plan: &Plan, window: &WindowRecord, pool: usize) -> PoolEvidence {
        PoolEvidence { whole: plan.evidence(&window.run, pool), growth: window.growth[pool] }
    }

    /// Whether a pool keeps up with what comes in a window, by all runs of it: not if
    /// its calls become more and more, over the window or from the beginning of the
    /// warm-up on, or if some are never served.
    pub fn verdict(regime: Regime, runs: &[PoolEvidence]) -> Stability {
        let wholes: Vec<Evidence> = runs.iter().map(|run| run.whole).collect();
        let whole = Stability::from(regime, &wholes);
        let grows = |which: usize| {
            let trends: Vec<Trend> = runs.iter().filter_map(|run| run.growth[which]).collect();
            drift(&trends, whole.arrivals_per_s).is_some_and(|drift| !drift.stable)
        };
        match grows(0) || grows(1) {
            true => Stability { is_stable: false, doubt: None, ..whole },
            false => whole,
        }
    }
}

impl WindowEvidence {
    /// What `record`, a replication of `plan`, says of each of its windows.
    pub fn all(plan: &Plan, record: &RunRecord) -> Vec<WindowEvidence> {
        let of_window = |window: &WindowRecord| WindowEvidence {
            start_s: window.from.seconds(),
            start_local: plan.horizon.local_text(window.from),
            pools: (0..window.growth.len())
                .map(|pool| PoolEvidence::of(plan, window, pool))
                .collect(),
        };
        record.windows.iter().map(of_window).collect()
    }
}

/// The windows among `runs`, which are of any windows and replications, in which one
/// of `pools` cannot keep up, in order of time; and how many windows there are.
pub fn overloaded<'e>(
    regime: Regime,
    pools: &[&str],
    runs: impl Iterator<Item = &'e WindowEvidence>,
) -> (Vec<OverloadedWindow>, usize) {
    // Times are not negative, so their bits are in order.
    let mut windows: BTreeMap<u64, Vec<&WindowEvidence>> = BTreeMap::new();
    runs.for_each(|run| windows.entry(run.start_s.to_bits()).or_default().push(run));
    let of_window = |runs: &Vec<&WindowEvidence>| {
        let cannot = |(pool, _): &(usize, &&str)| {
            let evidence: Vec<PoolEvidence> = runs.iter().map(|run| run.pools[*pool]).collect();
            PoolEvidence::verdict(regime, &evidence).known() == Some(false)
        };
        let names: Vec<String> =
            pools.iter().enumerate().filter(cannot).map(|(_, name)| (*name).to_owned()).collect();
        let WindowEvidence { start_s, start_local, .. } = runs[0].clone();
        (!names.is_empty()).then_some(OverloadedWindow { start_s, start_local, pools: names })
    };
    (windows.values().filter_map(of_window).collect(), windows.len())
}

/// Names the windows in which a pool cannot keep up, of `all` windows; `None`: there
/// are none.
pub fn sentence(windows: &[OverloadedWindow], all: usize) -> Option<String> {
    let name = |window: &OverloadedWindow| {
        let when = match &window.start_local {
            Some(local) => local.get(..16).unwrap_or(local).replace('T', " "),
            None => format!("{:.2} h", window.start_s / 3_600.0),
        };
        format!("{when} ({})", window.pools.join(", "))
    };
    let named: Vec<String> = windows.iter().take(NAMED_MAX).map(name).collect();
    let more = match windows.len().saturating_sub(NAMED_MAX) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    (!windows.is_empty()).then(|| {
        format!(
            "in {} of {all} windows a pool cannot keep up: {}{more}. What calls wait for there \
             depends on how long it has lasted: an overload that began before the warm-up would make \
             it longer",
            windows.len(),
            named.join(", ")
        )
    })
}
