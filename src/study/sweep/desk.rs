//! Gives out the work of a plan, and keeps what comes back.
//!
//! A thread gets the first task that may begin: of a point in work, or else of
//! the next point in the order of the plan, expensive ones first. A point has
//! its pilots first, then its replications; where it stops when it is precise,
//! only those up to the end of its wave, and what they say decides whether there
//! is another one. A point in work that has no task to give has one running, so
//! there are never more of them than threads, and no thread waits while there
//! are points left.

use super::line::{self, Line, Run, Settled};
use super::part::{Part, Slot};
use super::plan::{Plan, Progress};
use super::ready::{Prepared, Ready};
use super::reduce::{shares, stability};
use crate::error::Result;
use crate::kernel::Span;
use crate::metrics::RunRecord;
use crate::study::figures::Shares;
use crate::study::precision::{Precision, waves};
use crate::study::reduce::Found;
use std::mem;
use std::sync::{Arc, Condvar, Mutex, MutexGuard};

/// What a thread does next.
pub(super) struct Task {
    pub point: u32,
    pub ready: Arc<Ready>,
    pub work: Work,
}

/// A simulation.
#[derive(Clone, Copy)]
pub(super) enum Work {
    /// A pilot, by number.
    Pilot(u32),
    /// A replication, by number; the warm-up of its point if that is known.
    Run(u32, Option<Span>),
}

/// See the module.
pub(super) struct Desk<'a> {
    plan: &'a Plan,
    state: Mutex<State>,
    /// There may be a task for a thread that found none.
    changed: Condvar,
}

struct State {
    part: Part,
    progress: Progress,
    /// Of the next point in the order of the plan.
    position: usize,
    open: Vec<Open>,
    has_failed: bool,
}

/// A point in work.
struct Open {
    point: u32,
    ready: Arc<Ready>,
    stage: Stage,
    /// The next task of the stage, and where it ends.
    next: u32,
    until: u32,
    /// Tasks begun and not ended.
    running: u32,
}

/// What the tasks of a point in work are.
enum Stage {
    /// Pilots, and those that have ended.
    Pilots(Vec<(u32, RunRecord)>),
    /// Runs; those that have ended, where they decide whether there are more.
    Runs(Option<Vec<Run>>),
}

impl<'a> Desk<'a> {
    /// Gives out what `progress` leaves to do of `plan`, for `part`.
    pub(super) fn new(plan: &'a Plan, part: Part, progress: Progress) -> Desk<'a> {
        let state = State { part, progress, position: 0, open: Vec::new(), has_failed: false };
        Desk { plan, state: Mutex::new(state), changed: Condvar::new() }
    }

    /// The part, when all is done.
    pub(super) fn close(self) -> Part {
        self.state.into_inner().expect("no run panics").part
    }

    /// The next task; waits for one where a running one may bring it about.
    /// `None` once there is no more, or something has failed.
    pub(super) fn take(&self) -> Result<Option<Task>> {
        let mut state = self.state();
        loop {
            if state.has_failed {
                return Ok(None);
            }
            if let Some(task) = state.task() {
                return Ok(Some(task));
            }
            if let Some(&point) = self.plan.order.get(state.position) {
                state.position += 1;
                state.open(self.plan, point)?;
            } else if state.open.is_empty() {
                return Ok(None);
            } else {
                state = self.changed.wait(state).expect("no run panics");
            }
        }
    }

    /// Keeps a pilot; all those of its point in order once none is missing.
    pub(super) fn pilot(
        &self,
        point: u32,
        pilot: u32,
        record: RunRecord,
    ) -> Option<Vec<RunRecord>> {
        let mut state = self.state();
        let at = state.at(point);
        let Stage::Pilots(ended) = &mut state.open[at].stage else { unreachable!("it has pilots") };
        ended.push((pilot, record));
        if ended.len() < usize::from(self.plan.pilots[point as usize]) {
            return None;
        }
        let mut pilots = mem::take(ended);
        pilots.sort_by_key(|(pilot, _)| *pilot);
        Some(pilots.into_iter().map(|(_, record)| record).collect())
    }

    /// Writes the line of a point, unless another thread just did. Its runs may
    /// begin if they waited for it.
    pub(super) fn point(&self, point: u32, warm_up: Span, text: &str) -> Result<()> {
        let mut state = self.state();
        if state.progress.begin(point, warm_up.ticks()) {
            state.part.append(point, Slot::Point, text)?;
        }
        let at = state.at(point);
        if matches!(state.open[at].stage, Stage::Pilots(_)) {
            state.begin_runs(self.plan, at)?;
            self.changed.notify_all();
        }
        Ok(())
    }

    /// Keeps a finished run.
    pub(super) fn run(&self, run: Run) -> Result<()> {
        let (point, replication) = (run.point, run.replication);
        let line = Line::Run(run);
        let text = line::write(&line, &self.plan.header().hash);
        let mut state = self.state();
        if state.progress.finish(point, replication) {
            state.part.append(point, Slot::Run(replication), &text)?;
        }
        let at = state.at(point);
        let open = &mut state.open[at];
        open.running -= 1;
        if let (Stage::Runs(Some(ended)), Line::Run(run)) = (&mut open.stage, line) {
            ended.push(run);
        }
        state.advance(self.plan, at)?;
        self.changed.notify_all();
        Ok(())
    }

    /// Gives out nothing more.
    pub(super) fn fail(&self) {
        self.state().has_failed = true;
        self.changed.notify_all();
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no run panics")
    }
}

impl State {
    /// Where the point in work is.
    fn at(&self, point: u32) -> usize {
        self.open.iter().position(|open| open.point == point).expect("it is in work")
    }

    /// The first task of the points in work that may begin.
    fn task(&mut self) -> Option<Task> {
        let open = self.open.iter_mut().find(|open| open.next < open.until)?;
        let number = open.next;
        let work = match open.stage {
            Stage::Pilots(_) => Work::Pilot(number),
            Stage::Runs(_) => {
                let known = self.progress.warm_up(open.point);
                Work::Run(number, known.map(Span::from_ticks))
            }
        };
        open.running += 1;
        open.next += 1;
        open.skip(&self.progress);
        Some(Task { point: open.point, ready: open.ready.clone(), work })
    }

    /// Puts a point in work, if anything of it is left.
    fn open(&mut self, plan: &Plan, point: u32) -> Result<()> {
        if !self.progress.has_left(point) {
            return Ok(());
        }
        let pilots = u32::from(plan.pilots[point as usize]);
        let needs_pilots = pilots > 0 && self.progress.warm_up(point).is_none();
        self.open.push(Open {
            point,
            ready: Arc::default(),
            stage: Stage::Pilots(Vec::new()),
            next: 0,
            until: pilots,
            running: 0,
        });
        if needs_pilots { Ok(()) } else { self.begin_runs(plan, self.open.len() - 1) }
    }

    /// Lets the runs of the point in work begin.
    fn begin_runs(&mut self, plan: &Plan, at: usize) -> Result<()> {
        let open = &mut self.open[at];
        let point = open.point;
        let decides = self.progress.is_undecided(point);
        let ended = match decides {
            true if self.progress.has_done(point) => Some(self.part.runs(point)?),
            true => Some(Vec::new()),
            false => None,
        };
        let first = || waves(&open.ready.get(plan, point).scenario).next();
        open.until = decides.then(first).flatten().unwrap_or(plan.replications());
        open.stage = Stage::Runs(ended);
        open.next = 0;
        open.running = 0;
        open.skip(&self.progress);
        self.advance(plan, at)
    }

    /// Goes on with the point in work once all its runs so far have ended: with
    /// another wave, or by closing it.
    fn advance(&mut self, plan: &Plan, at: usize) -> Result<()> {
        while self.open[at].running == 0 && self.open[at].next == self.open[at].until {
            let open = &mut self.open[at];
            match open.settled(plan) {
                None if matches!(open.stage, Stage::Runs(Some(_))) => {
                    let scenario = &open.ready.get(plan, open.point).scenario;
                    let next = waves(scenario).find(|&wave| wave > open.until);
                    open.until = next.expect("the last wave settles it");
                    open.skip(&self.progress);
                }
                settled => {
                    if let Some(settled) = settled {
                        self.settle(plan, settled)?;
                    }
                    self.open.remove(at);
                    return Ok(());
                }
            }
        }
        Ok(())
    }

    /// Writes that the runs of a point are enough.
    fn settle(&mut self, plan: &Plan, settled: Settled) -> Result<()> {
        let (point, replications) = (settled.point, settled.replications);
        let text = line::write(&Line::Settled(settled), &plan.header().hash);
        if self.progress.settle(point, replications) {
            self.part.append(point, Slot::Settled, &text)?;
        }
        Ok(())
    }
}

impl Open {
    /// Passes over runs that are done, or another shard's.
    fn skip(&mut self, progress: &Progress) {
        let is_run = matches!(self.stage, Stage::Runs(_));
        while is_run && self.next < self.until && !progress.is_left(self.point, self.next) {
            self.next += 1;
        }
    }

    /// What is known at the end of a wave, if the runs up to there are enough.
    fn settled(&mut self, plan: &Plan) -> Option<Settled> {
        let Stage::Runs(Some(runs)) = &mut self.stage else { return None };
        runs.sort_by_key(|run| run.replication);
        let runs = &runs[..self.until as usize];
        let Prepared { scenario, figures, .. } = self.ready.get(plan, self.point);
        let stability = stability(scenario.regime, scenario.pools.len(), runs);
        let shares: Vec<Shares> = (0..figures.len()).map(|index| shares(runs, index)).collect();
        let found = Found::from(figures, &shares, &stability, scenario.is_random());
        let precision = Precision::of(scenario, &found).expect("it is asked for");
        let is_enough = precision.is_met || self.until == plan.replications();
        is_enough.then(|| Settled {
            point: self.point,
            replications: self.until,
            warnings: precision.warnings(self.until, &found),
            precision,
        })
    }
}
