//! Does the work of a plan: one flat list of tasks, taken in order by all
//! threads of the rayon pool.
//!
//! Rayon's own iterators split a range and start in the middle of it; a counter
//! gives tasks out strictly in order, expensive points first, and only the few
//! points in work are in memory.

use super::line::{self, Line, Point, Run};
use super::part::Part;
use super::plan::{Plan, Progress};
use crate::error::{Error, Result};
use crate::kernel::Span;
use crate::metrics::{RunRecord, Stretch};
use crate::scenario::Scenario;
use crate::simulation::{self, Options};
use crate::study::figures::{Figure, figures};
use crate::study::reduce::Evidence;
use crate::study::transient::Transient;
use std::collections::{BTreeMap, VecDeque};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, OnceLock};

/// Pilots and runs that are left of a plan.
pub fn left(plan: &Plan, progress: &Progress) -> u64 {
    let pilots = plan.order.iter().filter(|&&point| needs_pilots(plan, progress, point));
    pilots.map(|&point| u64::from(plan.pilots[point as usize])).sum::<u64>() + progress.left()
}

fn needs_pilots(plan: &Plan, progress: &Progress, point: u32) -> bool {
    plan.pilots[point as usize] > 0 && progress.warm_up(point).is_none() && progress.has_left(point)
}

/// Carries out what `progress` leaves to do of `plan` on the current rayon
/// pool and appends it to `part`. `done` is told the calls of each finished run.
pub fn run(
    plan: &Plan,
    progress: Progress,
    mut part: Part,
    audit: bool,
    done: &(dyn Fn(u64) + Sync),
) -> Result<Part> {
    part.mend()?;
    let work = Work {
        plan,
        audit,
        done,
        keeper: Mutex::new(Keeper { part, progress }),
        prepared: Mutex::default(),
        pilots: Mutex::default(),
    };
    work.find_warm_ups()?;
    work.finish_runs()?;
    Ok(work.keeper.into_inner().expect("no run panics").part)
}

struct Work<'a> {
    plan: &'a Plan,
    audit: bool,
    done: &'a (dyn Fn(u64) + Sync),
    keeper: Mutex<Keeper>,
    /// Points in work, the latest last.
    prepared: Mutex<VecDeque<(u32, Slot)>>,
    /// Pilots of points whose warm-up is not known yet, by pilot.
    pilots: Mutex<BTreeMap<u32, BTreeMap<u32, RunRecord>>>,
}

/// What is kept, and where.
struct Keeper {
    part: Part,
    progress: Progress,
}

type Slot = Arc<OnceLock<Prepared>>;

/// A point in work.
struct Prepared {
    scenario: Scenario,
    figures: Vec<Figure>,
}

impl Work<'_> {
    /// Runs the pilots of all points that need them.
    fn find_warm_ups(&self) -> Result<()> {
        let keeper = self.keeper.lock().expect("no run panics");
        let points = self.plan.order.iter().copied();
        let needy: Vec<u32> =
            points.filter(|&point| needs_pilots(self.plan, &keeper.progress, point)).collect();
        drop(keeper);
        let most = self.plan.pilots.iter().copied().max().unwrap_or(0);
        spread(&needy, u32::from(most), |point, pilot| {
            if pilot >= u32::from(self.plan.pilots[point as usize]) {
                return Ok(());
            }
            let slot = self.prepare(point);
            let prepared = self.prepared(&slot, point);
            let options = Options { warm_up: Span::ZERO, audit: self.audit };
            let record = simulation::run(&prepared.scenario, u64::from(pilot), options);
            (self.done)(record.calls);
            match self.gather(point, pilot, record) {
                Some(pilots) => self.begin(point, prepared, &Transient::detect(&pilots)).map(drop),
                None => Ok(()),
            }
        })
    }

    /// Keeps a pilot; all of the point's in order once none is missing.
    fn gather(&self, point: u32, pilot: u32, record: RunRecord) -> Option<Vec<RunRecord>> {
        let mut all = self.pilots.lock().expect("no run panics");
        let pilots = all.entry(point).or_default();
        pilots.insert(pilot, record);
        let is_whole = pilots.len() == usize::from(self.plan.pilots[point as usize]);
        is_whole.then(|| all.remove(&point).into_iter().flatten().map(|(_, run)| run).collect())
    }

    fn finish_runs(&self) -> Result<()> {
        spread(&self.plan.order, self.plan.replications(), |point, replication| {
            let warm_up = {
                let keeper = self.keeper.lock().expect("no run panics");
                if !keeper.progress.is_left(point, replication) {
                    return Ok(());
                }
                keeper.progress.warm_up(point)
            };
            let slot = self.prepare(point);
            let prepared = self.prepared(&slot, point);
            let warm_up = match warm_up {
                Some(ticks) => Span::from_ticks(ticks),
                None => {
                    let known = Transient::known(&prepared.scenario);
                    self.begin(point, prepared, &known.expect("pilots were run"))?
                }
            };
            let options = Options { warm_up, audit: self.audit };
            let record = simulation::run(&prepared.scenario, u64::from(replication), options);
            self.keep(point, replication, prepared, &record)?;
            (self.done)(record.calls);
            Ok(())
        })
    }

    /// The slot of `point` among the points in work.
    fn prepare(&self, point: u32) -> Slot {
        let mut prepared = self.prepared.lock().expect("no run panics");
        if let Some((_, slot)) = prepared.iter().rev().find(|(other, _)| *other == point) {
            return slot.clone();
        }
        if prepared.len() > rayon::current_num_threads() {
            prepared.pop_front();
        }
        let slot = Slot::default();
        prepared.push_back((point, slot.clone()));
        slot
    }

    fn prepared<'s>(&self, slot: &'s Slot, point: u32) -> &'s Prepared {
        slot.get_or_init(|| {
            let scenario = self.plan.scenario(point);
            Prepared { figures: figures(&scenario), scenario }
        })
    }

    /// Writes the line of a point, unless another thread just did.
    fn begin(&self, point: u32, prepared: &Prepared, transient: &Transient) -> Result<Span> {
        let Prepared { scenario, figures } = prepared;
        let values = self.plan.points.at(point);
        let line = Line::Point(Point {
            point,
            values: values
                .iter()
                .map(|(path, node)| {
                    let value = serde_json::to_value(node.to_toml()).expect("TOML has a JSON form");
                    ((*path).to_owned(), value)
                })
                .collect(),
            regime: scenario.regime,
            is_random: scenario.is_random(),
            warm_up_ticks: transient.warm_up.ticks(),
            warm_up_s: transient.warm_up.seconds(),
            warning: transient.warning.clone(),
            pools: scenario.pools.iter().map(|pool| pool.name.clone()).collect(),
            figures: figures.iter().map(|figure| figure.path.clone()).collect(),
            steady_on: figures.iter().map(|figure| figure.steady_on).collect(),
        });
        let text = line::write(&line, &self.plan.header().hash);
        let mut keeper = self.keeper.lock().expect("no run panics");
        if keeper.progress.begin(point, transient.warm_up.ticks()) {
            keeper.part.append(point, 0, &text)?;
        }
        Ok(transient.warm_up)
    }

    /// Writes the line of a run.
    fn keep(
        &self,
        point: u32,
        replication: u32,
        prepared: &Prepared,
        record: &RunRecord,
    ) -> Result<()> {
        let shares = |stretch: &Stretch| {
            prepared.figures.iter().map(|figure| figure.share(stretch)).collect()
        };
        let line = Line::Run(Run {
            point,
            replication,
            digest: format!("{:016x}", record.digest),
            calls: record.calls,
            cut_off: record.cut_off,
            pools: (0..record.whole.pools.len()).map(|pool| Evidence::of(record, pool)).collect(),
            shares: shares(&record.whole),
            sections: record.sections.iter().map(shares).collect(),
        });
        let text = line::write(&line, &self.plan.header().hash);
        let mut keeper = self.keeper.lock().expect("no run panics");
        if keeper.progress.finish(point, replication) {
            keeper.part.append(point, 1 + replication, &text)?;
        }
        Ok(())
    }
}

/// Gives out `each` tasks of every point, in order, to all threads of the
/// current rayon pool, until one fails.
fn spread(points: &[u32], each: u32, task: impl Fn(u32, u32) -> Result<()> + Sync) -> Result<()> {
    let tasks = points.len() as u64 * u64::from(each);
    let next = AtomicU64::new(0);
    let failure: OnceLock<Error> = OnceLock::new();
    let work = || {
        while failure.get().is_none() {
            let number = next.fetch_add(1, Ordering::Relaxed);
            if number >= tasks {
                return;
            }
            let point = points[(number / u64::from(each)) as usize];
            if let Err(error) = task(point, (number % u64::from(each)) as u32) {
                let _ = failure.set(error);
            }
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| work());
        }
    });
    failure.into_inner().map_or(Ok(()), Err)
}
