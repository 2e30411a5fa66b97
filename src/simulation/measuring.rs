//! What a run measures: its window, the sections of that, and what is left at the
//! end.

use super::watching::points;
use super::{Simulation, setup};
use crate::factory::{Engine, Pool, ToolPoolRecord};
use crate::kernel::{Slot, Span, Time};
use crate::metrics::{Point, PoolRecord, RunRecord, Stretch};

/// What closing the window left.
pub(super) struct Measured {
    pools: Vec<PoolRecord>,
    tool_pools: Vec<ToolPoolRecord>,
    length: Span,
}

impl<E: Engine> Simulation<'_, E> {
    pub(super) fn on_sample(&mut self, now: Time, slot: Slot) {
        let states = points(&self.pools, now).zip(self.recorder.flows());
        let next = self.timeline.push(states.map(|(point, flow)| Point { flow, ..point }));
        let last = self.window.until;
        if next <= last {
            self.pending.schedule(slot, next);
        }
    }

    /// Opens the measured window: what happened before is settled first, so
    /// that no step counts twice or half.
    pub(super) fn on_open(&mut self, now: Time) {
        self.settle_engines(now);
        self.pools.iter_mut().for_each(|pool| pool.ledger.open());
        self.recorder.open(now);
        self.tool_pools.iter_mut().for_each(|pool| pool.open(now));
        self.tiers.open(now);
        self.schedule_section();
    }

    /// Ends a section of the window, settled like the window itself.
    pub(super) fn on_section(&mut self, now: Time) {
        self.settle_engines(now);
        self.count_traffic(now);
        self.recorder.end_section(now, setup::kv_blocks(&self.pools));
        self.end_tool_section(now);
        self.schedule_section();
    }

    pub(super) fn end_tool_section(&mut self, now: Time) {
        let ended = self.tool_pools.iter_mut().map(|pool| pool.end_section(now)).collect();
        self.tool_sections.push(ended);
    }

    pub(super) fn schedule_section(&mut self) {
        if let Some(next) = self.recorder.next_section() {
            self.pending.schedule(self.slots.section(), next);
        }
    }

    /// The arrivals of an episode end: what it has done so far is kept, settled like
    /// the window itself.
    pub(super) fn on_arrivals_end(&mut self, now: Time) {
        self.settle_engines(now);
        self.count_traffic(now);
        let (use_cases, pools) = self.recorder.so_far(now, setup::kv_blocks(&self.pools));
        let stretch = Stretch {
            window_s: now.since(Time::ZERO).seconds(),
            use_cases,
            pools,
            tool_pools: self.tool_pools.iter().map(|pool| pool.record(now)).collect(),
            arrivals: None,
        };
        self.arrivals = Some(Box::new((now, stretch)));
    }

    /// Closes the measured window.
    pub(super) fn on_close(&mut self, now: Time) {
        // One that was cut off while calls were arriving has no drain.
        if self.is_episode() && self.arrivals.is_none() {
            self.on_arrivals_end(now);
        }
        self.settle_engines(now);
        self.count_traffic(now);
        let pools = self.recorder.close(now, setup::kv_blocks(&self.pools));
        let length = now.since(self.window.from.min(now));
        let tool_pools = self.tool_pools.iter().map(|pool| pool.record(now)).collect();
        self.end_tool_section(now);
        self.measured = Some(Measured { pools, tool_pools, length });
    }

    /// Tells the recorder what has passed over the links to tiers in the window, and
    /// what calls took of the pools.
    pub(super) fn count_traffic(&mut self, now: Time) {
        for (at, pool) in self.pools.iter().enumerate() {
            let (spec, replicas) = (&pool.spec, pool.engines.len() as u32);
            let counts = self.tiers.counted(&spec.offload, replicas, spec.ranks, now);
            self.recorder.traffic(at, &counts);
            self.recorder.worked(at, &pool.ledger);
        }
    }

    pub(super) fn settle_engines(&mut self, now: Time) {
        for (at, pool) in self.pools.iter_mut().enumerate() {
            let Pool { spec, engines, ledger, .. } = pool;
            for engine in engines {
                if let Some(progress) = engine.settle(spec, now) {
                    self.recorder.progressed(at, &progress, engine.decoding());
                    self.audit.progressed(&progress, engine.decoding(), spec);
                    ledger.stepped_beside(progress.rest, engine.decoding(), engine.prompting());
                }
                engine.settle_work(spec, now, &mut self.calls, ledger);
            }
        }
    }

    pub(super) fn finish(mut self, now: Time) -> RunRecord {
        if self.measured.is_none() {
            self.on_close(now);
        }
        let Measured { mut pools, tool_pools, length } = self.measured.take().expect("closed");
        if self.audit.wants_close() {
            self.recount(now);
            let stepped = self.pools.iter().map(|pool| pool.ledger.stepped()).sum();
            let is_empty = self.calls.is_empty();
            self.audit.close(self.calls.iter(), self.flights.len(), is_empty, stepped);
        }
        self.kv_use(&mut pools, self.window.from, now);
        let arrivals = self.arrivals.take().map(|arrivals| {
            let (until, mut arrivals) = *arrivals;
            self.kv_use(&mut arrivals.pools, self.window.from, until);
            Box::new(arrivals)
        });
        for call in self.calls.iter().filter(|call| self.window.contains(call.arrived)) {
            pools[usize::from(call.pool)].unfinished += 1;
        }
        let mut tools = std::mem::take(&mut self.tool_sections).into_iter();
        let sections = self.recorder.sections().into_iter().map(|(from, until, mut section)| {
            self.kv_use(&mut section.pools, from, until);
            section.tool_pools = tools.next().unwrap_or_default();
            section
        });
        let sections = sections.collect();
        let mut use_cases = self.recorder.latencies();
        // Those of a part of the horizon go on after it.
        for use_case in self.unfinished_jobs().filter(|_| self.part.is_none()) {
            use_cases[use_case].jobs.unfinished += 1;
        }
        RunRecord {
            digest: self.digest.value(),
            calls: self.arrived,
            events: self.events,
            end_s: now.seconds(),
            window_from_s: self.window.from.seconds(),
            cut_off: self.cut_off,
            whole: Stretch { window_s: length.seconds(), use_cases, pools, tool_pools, arrivals },
            sections,
            windows: Vec::new(),
            timeline: self.timeline,
        }
    }

    /// Fills in the mean share of KV blocks in use over the samples between two
    /// instants, or at the last one before where there is none between.
    fn kv_use(&self, pools: &mut [PoolRecord], from: Time, until: Time) {
        let interval = self.timeline.interval().ticks();
        let before = |instant: Time| (instant.ticks() / interval) as usize;
        for (at, (record, pool)) in pools.iter_mut().zip(&self.pools).enumerate() {
            let series = self.timeline.pool(at);
            let end = before(until).min(series.len());
            let samples = match &series[before(from).min(end)..end] {
                [] => &series[end.saturating_sub(1)..end],
                samples => samples,
            };
            let used: u64 = samples.iter().map(|point| point.blocks_used).sum();
            let all = pool.blocks_total() as f64 * samples.len().max(1) as f64;
            record.kv_use_mean = used as f64 / all;
        }
    }
}
