//! Does the work of a plan on all threads of the rayon pool, as the desk gives
//! it out.
//!
//! Rayon's own iterators split a range and start in the middle of it; a desk
//! gives tasks out strictly in order, and only the few points in work are in
//! memory.

use super::desk::{Desk, Task, Work};
use super::line::{self, Line, Point, Run};
use super::part::Part;
use super::plan::{Plan, Progress};
use super::ready::Prepared;
use crate::error::{Error, Result};
use crate::kernel::Span;
use crate::metrics::RunRecord;
use crate::simulation::{self, Options};
use crate::study::figures::Share;
use crate::study::reduce::Evidence;
use crate::study::runs::run_one;
use crate::study::transient::Transient;
use crate::study::windows::WindowEvidence;
use std::sync::OnceLock;

/// Pilots and runs that are left of a plan, at most.
pub fn left(plan: &Plan, progress: &Progress) -> u64 {
    let is_piloted =
        |point: &&u32| progress.warm_up(**point).is_none() && progress.has_left(**point);
    let pilots = plan.order.iter().filter(is_piloted);
    pilots.map(|&point| u64::from(plan.pilots[point as usize])).sum::<u64>() + progress.left()
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
    let crew = Crew { plan, audit, done, desk: Desk::new(plan, part, progress) };
    let failure: OnceLock<Error> = OnceLock::new();
    let work = || {
        if let Err(error) = crew.work() {
            crew.desk.fail();
            let _ = failure.set(error);
        }
    };
    rayon::scope(|scope| {
        for _ in 0..rayon::current_num_threads() {
            scope.spawn(|_| work());
        }
    });
    failure.into_inner().map_or(Ok(()), Err)?;
    Ok(crew.desk.close())
}

/// What the threads share.
struct Crew<'a> {
    plan: &'a Plan,
    audit: bool,
    done: &'a (dyn Fn(u64) + Sync),
    desk: Desk<'a>,
}

impl Crew<'_> {
    /// Does tasks while there are any.
    fn work(&self) -> Result<()> {
        while let Some(Task { point, ready, work }) = self.desk.take()? {
            let prepared = ready.get(self.plan, point);
            match work {
                Work::Pilot(number) => self.pilot(point, number, prepared)?,
                Work::Run(replication, warm_up) => {
                    let warm_up = match warm_up {
                        Some(known) => known,
                        None => {
                            let known = Transient::known(&prepared.scenario);
                            self.begin(point, prepared, &known.expect("pilots were run"))?
                        }
                    };
                    self.run(point, replication, prepared, warm_up)?;
                }
            }
        }
        Ok(())
    }

    /// Runs a pilot; the last one of a point finds its warm-up.
    fn pilot(&self, point: u32, number: u32, prepared: &Prepared) -> Result<()> {
        let options = Options { warm_up: Span::ZERO, audit: self.audit, ..Options::default() };
        let record = simulation::run(&prepared.scenario, u64::from(number), options);
        (self.done)(record.calls);
        match self.desk.pilot(point, number, record) {
            Some(pilots) => self.begin(point, prepared, &Transient::detect(&pilots)).map(drop),
            None => Ok(()),
        }
    }

    fn run(&self, point: u32, replication: u32, prepared: &Prepared, warm_up: Span) -> Result<()> {
        let options = Options { warm_up, audit: self.audit, ..Options::default() };
        let Prepared { scenario, windows, .. } = prepared;
        let record = run_one(scenario, windows.as_ref(), u64::from(replication), options);
        self.desk.run(contribution(point, replication, prepared, &record))?;
        (self.done)(record.calls);
        Ok(())
    }

    /// Writes the line of a point.
    fn begin(&self, point: u32, prepared: &Prepared, transient: &Transient) -> Result<Span> {
        let Prepared { scenario, figures, .. } = prepared;
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
            steady_on: figures.iter().map(|figure| figure.steady_on.clone()).collect(),
        });
        let text = line::write(&line, &self.plan.header().hash);
        self.desk.point(point, transient.warm_up, &text)?;
        Ok(transient.warm_up)
    }
}

/// What a run is kept as.
fn contribution(point: u32, replication: u32, prepared: &Prepared, record: &RunRecord) -> Run {
    let of_sections: Vec<Vec<Share>> =
        prepared.figures.iter().map(|figure| figure.sections(record)).collect();
    let section = |at: usize| of_sections.iter().map(|shares| shares[at].clone()).collect();
    Run {
        point,
        replication,
        digest: format!("{:016x}", record.digest),
        calls: record.calls,
        cut_off: record.cut_off,
        pools: (0..record.whole.pools.len()).map(|pool| Evidence::of(record, pool)).collect(),
        windows: prepared.windows.iter().flat_map(|it| WindowEvidence::all(it, record)).collect(),
        shares: prepared.figures.iter().map(|figure| figure.share(record)).collect(),
        sections: (0..record.sections.len()).map(section).collect(),
    }
}
