//! Equal sections of the measured window, for intervals from a single run.
//!
//! Each section is measured as the whole is: calls belong to the one in which
//! they arrive, tokens and time averages to the one in which they happen. The
//! recorder keeps the whole as ever and is only asked at the ends of sections;
//! calls are recorded twice. Memory is twice that of the whole at most: a
//! section keeps its part of the exact values.

use super::arrived::{Arrived, Happened};
use super::record::{PoolRecord, Stretch};
use super::recorder::{Pool, UseCase, Window};
use crate::kernel::{Span, Time};
use crate::scenario;

/// Sections of a window, those that have ended and those to come.
#[derive(Clone, Debug)]
pub struct Sections {
    from: Time,
    length: Span,
    /// By section and use case.
    arrived: Vec<Vec<Arrived>>,
    ended: Vec<Ended>,
    /// When the present section began, and the pools then.
    began: Time,
    pools: Vec<Pool>,
    /// Most blocks in use on any rank so far, by pool.
    peaks: Vec<u64>,
}

/// A section that has ended, calls apart.
#[derive(Clone, Debug)]
struct Ended {
    from: Time,
    until: Time,
    pools: Vec<PoolRecord>,
    /// By use case.
    happened: Vec<Happened>,
}

impl Sections {
    /// `count` equal sections of `window`, which must have an end, keeping up to
    /// `cap` exact values of each metric and use case.
    pub fn new(window: Window, count: u32, use_cases: &[scenario::UseCase], cap: usize) -> Self {
        assert!(window.until < Time::MAX, "checked by the scenario");
        let length = Span::from_ticks(window.until.since(window.from).ticks() / u64::from(count));
        let arrived = use_cases.iter().map(|case| Arrived::new(case, cap / count as usize));
        let arrived: Vec<Arrived> = arrived.collect();
        Sections {
            from: window.from,
            length,
            arrived: vec![arrived; count as usize],
            ended: Vec::with_capacity(count as usize),
            began: window.from,
            pools: Vec::new(),
            peaks: Vec::new(),
        }
    }

    /// When the section after the present one begins; `None` in the last.
    pub fn next(&self) -> Option<Time> {
        let next = self.ended.len() as u64 + 1;
        let length = Span::from_ticks(self.length.ticks() * next);
        (next < self.arrived.len() as u64).then(|| self.from + length)
    }

    /// Calls of the use case at index `use_case` that arrived in the section in
    /// which `instant`, of the window, lies.
    #[inline]
    pub fn arrived(&mut self, instant: Time, use_case: usize) -> &mut Arrived {
        let section = instant.since(self.from).ticks() / self.length.ticks().max(1);
        // The last section takes the ticks that division leaves over.
        let section = (section as usize).min(self.arrived.len() - 1);
        &mut self.arrived[section][use_case]
    }

    /// The first section begins.
    pub fn open(&mut self, now: Time, pools: &[Pool]) {
        self.began = now;
        self.pools = pools.to_vec();
        self.peaks = vec![0; pools.len()];
    }

    /// The present section ends, and the next begins. `kv_blocks` is the number
    /// of KV blocks of one rank, by pool.
    pub fn end(
        &mut self,
        now: Time,
        pools: &mut [Pool],
        use_cases: &mut [UseCase],
        kv_blocks: impl Iterator<Item = u64>,
    ) {
        let then = self.pools.iter().map(|pool| (self.began, pool));
        let records = then.zip(pools.iter()).zip(kv_blocks);
        let records =
            records.map(|((then, pool), blocks)| pool.reduce(then, now, blocks)).collect();
        let take = |use_case: &mut UseCase| std::mem::take(&mut use_case.happened);
        let happened = use_cases.iter_mut().map(take).collect();
        self.ended.push(Ended { from: self.began, until: now, pools: records, happened });
        for (pool, peak) in pools.iter_mut().zip(&mut self.peaks) {
            *peak = pool.blocks_peak.max(*peak);
            pool.blocks_peak = 0;
        }
        self.began = now;
        self.pools = pools.to_vec();
    }

    /// Gives back to the whole what the ends of sections took from it.
    pub fn restore(&self, pools: &mut [Pool], use_cases: &mut [UseCase]) {
        for (pool, peak) in pools.iter_mut().zip(&self.peaks) {
            pool.blocks_peak = *peak;
        }
        for section in &self.ended {
            for (use_case, happened) in use_cases.iter_mut().zip(&section.happened) {
                use_case.happened.add(happened);
            }
        }
    }

    /// What is left of each section once every call is done, and when it was.
    pub fn reduce(&mut self) -> Vec<(Time, Time, Stretch)> {
        let sections = self.ended.iter().zip(&mut self.arrived);
        let reduce = |(ended, arrived): (&Ended, &mut Vec<Arrived>)| {
            let use_cases = arrived.iter_mut().zip(&ended.happened);
            let use_cases = use_cases.map(|(arrived, happened)| arrived.reduce(happened));
            let stretch = Stretch {
                window_s: ended.until.since(ended.from).seconds(),
                use_cases: use_cases.collect(),
                pools: ended.pools.clone(),
                tool_pools: Vec::new(),
                arrivals: None,
            };
            (ended.from, ended.until, stretch)
        };
        sections.map(reduce).collect()
    }
}
