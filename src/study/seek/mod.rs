//! Goal seek: the value of one key at which bounds on figures are just kept,
//! such as the most load that a fleet holds or the fewest replicas it needs.
//!
//! No value of the key is in the key of any random stream, so all values see
//! the same calls and the figures change with the key, not with chance. The
//! estimate of a figure is then a curve over the key, and so are the ends of
//! its interval. Three crossings with the bound are bisected: that of the
//! estimate is the answer, and those of the two ends are the ends of its
//! interval, because the bound lies within the interval of a value exactly if
//! that value cannot be told from the answer. `condition` judges a value,
//! `search` says which one is next, `point` simulates it, `plan` checks it all
//! beforehand and `result` says what came out. `over` does it all at each value
//! of a second key.

mod condition;
mod over;
mod plan;
mod point;
mod result;
mod search;

pub use condition::{Condition, Verdict};
pub use over::{OverPlan, SeekAt, SeekOver, seek_over};
pub use plan::Plan;
pub use point::SeekPoint;
pub use result::{Outcome, SeekBound, SeekResult};

use crate::error::Result;
use point::{Measured, measure};
use rayon::prelude::*;
use search::{Known, levels, next, sought};

/// What [`seek`] took and found.
#[derive(Clone, Debug)]
pub struct Found {
    /// The result.
    pub result: SeekResult,
    /// Calls simulated, pilots included.
    pub calls: u64,
}

/// Seeks on the current rayon pool. `done` is told the calls of each finished
/// replication; [`Plan::runs_max`] says about how many there will be at most.
///
/// It fails only where a value within the range makes an invalid scenario.
///
/// ```
/// use std::path::Path;
/// use tokenmill::{scenario, study::seek};
///
/// let text = r#"
///     name = "most-load"
///     duration = "30 s"
///     warm_up = "5 s"
///     replications = 4
///     [[pool]]
///     name = "a"
///     model = "llama-3.1-8b"
///     hardware = "h100-sxm"
///     [[use_case]]
///     name = "chat"
///     arrivals = { process = "poisson", rate = "4 /s" }
///     prompt_tokens = 800
///     output_tokens = 100
///     [seek]
///     key = "use_case.chat.arrivals.rate"
///     from = "2 /s"
///     to = "60 /s"
///     tolerance = "10 %"
///     keep = [{ metric = "use_cases.chat.ttft_s.p95", at_most = "200 ms" }]
/// "#;
/// let (loaded, variants) = scenario::open(text, "example", Path::new(""), &Default::default())?;
/// let wanted = loaded.seek.clone().expect("it has a [seek]");
/// let plan = seek::Plan::new(&loaded, &variants, wanted)?;
/// let result = seek::seek(&plan, false, |_calls| {})?.result;
/// assert_eq!(result.outcome, seek::Outcome::Largest);
/// let rate = result.answer.expect("the bound is crossed within the range");
/// assert!(rate.low.unwrap() <= rate.mean && rate.mean <= rate.high.unwrap());
/// # Ok::<(), tokenmill::error::Error>(())
/// ```
pub fn seek(plan: &Plan<'_>, audit: bool, done: impl Fn(u64) + Sync) -> Result<Found> {
    let look = |values: &[f64]| -> Result<Vec<Measured>> {
        values.par_iter().map(|&value| measure(plan, value, audit, &done)).collect()
    };
    let mut points = look(&[plan.range.from, plan.range.to])?;
    let direction = sought(points[0].point.verdict, points[1].point.verdict);
    let levels = levels(plan.has_intervals());
    loop {
        let known: Vec<Known> =
            points.iter().map(|one| (one.point.number, one.point.verdict)).collect();
        let values = match direction {
            Some(sought) => next(&known, sought, levels, plan.resolution),
            // Ends that agree say little of what lies between them.
            None if points.len() == 2 => plan.middle().into_iter().collect(),
            None => Vec::new(),
        };
        if values.is_empty() {
            break;
        }
        points.extend(look(&values)?);
        points.sort_by(|a, b| a.point.number.total_cmp(&b.point.number));
    }
    let calls = points.iter().map(|one| one.calls).sum();
    Ok(Found { result: SeekResult::new(plan, direction, points), calls })
}
