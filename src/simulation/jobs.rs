//! Batch jobs that fill the troughs of pools.
//!
//! A job is released with all its calls, of which only those in the system exist. A
//! session counts as one: it is submitted like a call, and what it asks for later does
//! not wait for room.
//! A pool is offered more of them when a call of it has ended and when a job is
//! released, at no other time: while it has room and fewer calls of others wait
//! than it has ranks, which is what may wait for its next step without a queue. The
//! job whose deadline is nearest goes first. Once the rest of its deadline is no
//! more than its calls still need, a job submits whatever the pool has to do.

use super::Simulation;
use super::arrivals::Script;
use crate::demand::{Released, Source};
use crate::factory::{Call, Engine, Waiter};
use crate::kernel::Time;
use crate::scenario::{Arrivals, Batch};
use crate::workload::{Errand, Job, JobId};

impl<E: Engine> Simulation<'_, E> {
    /// Schedules the release of the next job of a use case.
    pub(super) fn schedule_release(&mut self, use_case: usize) {
        let Source::Batch(jobs) = &self.sources[use_case].source else {
            unreachable!("only batches release jobs");
        };
        match jobs.next() {
            Some(next) => self.schedule_if_in_time(self.slots.arrival(use_case), next),
            None => self.sources_left -= 1,
        }
    }

    /// A job is released.
    pub(super) fn on_release(&mut self, now: Time, use_case: usize) {
        let Source::Batch(jobs) = &mut self.sources[use_case].source else {
            unreachable!("only batches release jobs");
        };
        let Released { calls: left, deadline } = jobs.release();
        let job = self.jobs.insert(Job {
            use_case: use_case as u16,
            released: now,
            deadline,
            left,
            in_flight: 0,
            ended: 0,
            took: 0,
        });
        // It goes on beyond the end of arrivals, and holds the run until it is done.
        self.arrivals_due += 1;
        self.recorder.job_released(use_case);
        let at = self.due_jobs.partition_point(|&other| self.jobs[other].deadline <= deadline);
        self.due_jobs.insert(at, job);
        self.schedule_release(use_case);
        let scenario = self.scenario;
        let pools = scenario.use_cases[use_case].choices();
        // One after the other where most is free, so that a small job is not all in one
        // pool; then wherever else there is room.
        let share = |simulation: &Self, pool: usize| simulation.occupancy[pool].share();
        while let Some(&pool) =
            pools.iter().min_by(|&&one, &&other| share(self, one).total_cmp(&share(self, other)))
            && self.submit_next(now, pool, &mut 0)
        {}
        pools.iter().for_each(|&pool| self.fill(now, pool));
    }

    /// Looks whether jobs may submit to `pool`, once all that happens now has.
    #[inline]
    pub(super) fn look_for_jobs(&mut self, now: Time, pool: usize) {
        if !self.due_jobs.is_empty() {
            self.pending.schedule(self.slots.fill(pool), now);
        }
    }

    /// Jobs look at `pool`, once agents that were answered at this instant have gone on.
    pub(super) fn on_fill(&mut self, now: Time, pool: usize) {
        if self.pending.due(self.slots.asks()) == Some(now) {
            return self.pending.schedule(self.slots.fill(pool), now);
        }
        self.fill(now, pool);
    }

    /// Submits calls to `pool` while some job may.
    fn fill(&mut self, now: Time, pool: usize) {
        let mut at = 0;
        while self.submit_next(now, pool, &mut at) {}
    }

    /// Submits a call to `pool` of the first job that may, from the one at `at` on in the
    /// order of deadlines.
    fn submit_next(&mut self, now: Time, pool: usize, at: &mut usize) -> bool {
        while let Some(&id) = self.due_jobs.get(*at) {
            let site = self.may_submit(now, id, pool);
            match site {
                Some(site) => self.submit(now, id, site),
                None => *at += 1,
            }
            // One whose last calls were all refused is done.
            if self.jobs.contains(id) {
                self.settle_job(now, id);
            }
            if site.is_some() {
                return true;
            }
        }
        false
    }

    /// The site of a job's use case that `pool` is, if the job may submit there.
    fn may_submit(&self, now: Time, id: JobId, pool: usize) -> Option<usize> {
        let job = &self.jobs[id];
        let use_case = usize::from(job.use_case);
        let pools = self.scenario.use_cases[use_case].choices();
        let site = pools.iter().position(|&other| other == pool)?;
        let batch = self.batch(use_case);
        let seats = || pools.iter().map(|&pool| self.occupancy[pool].seats).sum::<f64>();
        let most = batch.concurrency.unwrap_or_else(|| seats() as u32);
        let occupancy = &self.occupancy[pool];
        let may = job.left > 0
            && job.in_flight < most
            && (occupancy.gives_way(batch.fill) || job.is_pressed(now, batch.rush, most));
        may.then_some(site)
    }

    fn submit(&mut self, now: Time, id: JobId, site: usize) {
        let job = &mut self.jobs[id];
        job.left -= 1;
        job.in_flight += 1;
        let use_case = usize::from(job.use_case);
        let source = &mut self.sources[use_case];
        let number = source.issued;
        source.issued += 1;
        let errand = Errand { began: now, site: Some(site as u8), job: Some(id), region: 0 };
        match &source.script {
            Script::Agents(_) | Script::Replay(_) => {
                return self.submit_agent(now, use_case, number, errand);
            }
            Script::Calls(script) if script.has_sessions() => {
                return self.begin_session(now, use_case, number, errand, None);
            }
            Script::Calls(_) => {}
        }
        let (ask, content) = source.script.calls().call(number, || self.calls.blank());
        let mut call = Call::new(use_case as u16, number, now, ask.prompt, ask.output);
        call.thinking = ask.thinking;
        call.is_cut = ask.is_cut;
        call.given = ask.given;
        call.site = site as u8;
        call.waiter = Waiter::Job(id);
        call.is_of_a_job = true;
        self.audit.sent();
        let pool = self.scenario.use_cases[use_case].pools()[site];
        if self.dispatch(now, pool, call, content).is_none() {
            self.jobs[id].in_flight -= 1;
        }
    }

    /// Begins session `number` of agents.
    fn submit_agent(&mut self, now: Time, use_case: usize, number: u64, errand: Errand) {
        let others = self.asking.len();
        self.begin_agent(now, use_case, number, errand, None);
        // All steps that end now have ended, and whoever looks at the pool next is to
        // find these calls there.
        let mut at = others;
        while let Some(&asking) = self.asking.get(at) {
            at += 1;
            if self.actors.contains(asking) {
                self.ask_now(now, asking);
            }
        }
        self.asking.truncate(others);
    }

    /// A call, or a session, of a job that began at `began` has ended.
    pub(super) fn on_job_item(&mut self, now: Time, id: JobId, began: Time) {
        let job = &mut self.jobs[id];
        job.in_flight -= 1;
        job.ended += 1;
        job.took += u128::from(now.since(began).ticks());
        let use_case = usize::from(job.use_case);
        // Where none of its calls has ended just now another may find room as well.
        for at in 0..self.scenario.use_cases[use_case].choices().len() {
            self.look_for_jobs(now, self.scenario.use_cases[use_case].choices()[at]);
        }
        self.settle_job(now, id);
    }

    /// Ends a job that has no calls left.
    fn settle_job(&mut self, now: Time, id: JobId) {
        let job = &self.jobs[id];
        if job.left > 0 || job.in_flight > 0 {
            return;
        }
        let Job { use_case, released, deadline, .. } = self.jobs.remove(id);
        self.due_jobs.retain(|&other| other != id);
        self.arrivals_due -= 1;
        let end = self.scenario.duration.map(|length| Time::ZERO + length);
        let is_beyond = end.is_some_and(|end| self.on_horizon(now) > end);
        self.recorder.job_done(usize::from(use_case), now, released, deadline, is_beyond);
    }

    /// Jobs that are not done, by use case.
    pub(super) fn unfinished_jobs(&self) -> impl Iterator<Item = usize> {
        self.jobs.iter().map(|job| usize::from(job.use_case))
    }

    fn batch(&self, use_case: usize) -> &Batch {
        match &self.scenario.use_cases[use_case].arrivals {
            Arrivals::Batch(batch) => batch,
            _ => unreachable!("only batches have jobs"),
        }
    }
}
