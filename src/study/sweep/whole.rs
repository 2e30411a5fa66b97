//! A whole sweep in one call, for programs that use this crate.

use super::{Part, Parts, Plan, PointSummary, Shard, Tail, run};
use crate::error::Result;
use std::path::Path;

/// Carries out all of `plan` on the current rayon pool and gives its points, in
/// order, to `each`. Finished runs are kept below `dir`: called again after an
/// interruption of whatever kind, it does what is left and ends with the same
/// points. `done` is told the calls of each finished run.
///
/// Fails where `dir` cannot be written, or holds runs of another sweep.
///
/// ```
/// use std::path::Path;
/// use tokenmill::{scenario, study::sweep};
///
/// let text = r#"
///     name = "load"
///     duration = "20 s"
///     warm_up = "2 s"
///     replications = 2
///     [[pool]]
///     name = "a"
///     model = "llama-3.1-8b"
///     hardware = "h100-sxm"
///     [[use_case]]
///     name = "chat"
///     arrivals = { process = "poisson", rate = "4 /s" }
///     prompt_tokens = 500
///     output_tokens = 100
///     [sweep]
///     "use_case.chat.arrivals.rate" = ["2 /s", "8 /s"]
///     "pool.a.replicas" = [1, 2]
/// "#;
/// let (loaded, variants) = scenario::open(text, "example", Path::new(""), &Default::default())?;
/// let wanted = loaded.sweep.clone().expect("it has a [sweep]");
/// let plan = sweep::Plan::new(&loaded, variants, wanted)?;
/// let dir = tempfile::tempdir().expect("a folder for finished runs");
/// let mut cost = Vec::new();
/// sweep::sweep(&plan, dir.path(), false, &|_calls| {}, |point| {
///     cost.push(point.figures["pools.a.usd_per_mtok.total"].mean);
///     Ok(())
/// })?;
/// assert_eq!(cost.len(), 4);
/// assert!(cost[0] < cost[1], "a second replica is dear at the same load");
/// # Ok::<(), tokenmill::error::Error>(())
/// ```
pub fn sweep(
    plan: &Plan,
    dir: &Path,
    audit: bool,
    done: &(dyn Fn(u64) + Sync),
    each: impl FnMut(PointSummary) -> Result<()>,
) -> Result<Tail> {
    let mut progress = plan.progress(Shard::WHOLE);
    let header = plan.header().clone();
    let part = match Part::path(dir, Shard::WHOLE).exists() {
        true => Part::reopen(dir, Shard::WHOLE, header, &mut progress)?.0,
        false => Part::begin(dir, Shard::WHOLE, header)?,
    };
    let file = match part.is_finished() {
        true => part.file().to_owned(),
        false => run(plan, progress, part, audit, done)?.finish()?,
    };
    Parts::open(&[file])?.reduce(each)
}
