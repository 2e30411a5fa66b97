//! Takes in what happens during a replication.
//!
//! Latencies belong to the calls that arrived in the measured window; tokens,
//! rates and time averages to what happened in it. Cost: five to ten
//! nanoseconds a value; nothing is allocated per call once the samples have
//! grown to their cap.

use super::agents::AgentRuns;
use super::arrived::{Arrived, Bounds, Happened};
use super::gauge::Gauge;
use super::record::{PoolRecord, Stretch, TierRecord, UseCaseRecord};
use super::sections::Sections;
use super::timeline::Flow;
use crate::factory::{Call, Count, Credit, Ledger, Progress, Why};
use crate::kernel::{Span, Time};
use crate::scenario::{self, Scenario};

/// Exact values kept of one metric, all use cases together.
const EXACT_VALUES_MAX: usize = 1_000_000;

/// The stretch of a run that is measured.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its start; what arrives then is in.
    pub from: Time,
    /// Its end, exclusive; `Time::MAX` when it ends with the run.
    pub until: Time,
}

impl Window {
    /// Whether `instant` is in it.
    #[inline]
    pub fn contains(&self, instant: Time) -> bool {
        self.from <= instant && instant < self.until
    }
}

/// Everything measured in one replication.
#[derive(Clone, Debug)]
pub struct Recorder {
    window: Window,
    /// The window has opened and not yet closed.
    is_open: bool,
    use_cases: Vec<UseCase>,
    pools: Vec<Pool>,
    /// What its sections measure, where it has more than one.
    sections: Option<Box<Sections>>,
}

/// One use case in the window.
#[derive(Clone, Debug)]
pub(super) struct UseCase {
    bounds: Bounds,
    arrived: Arrived,
    pub happened: Happened,
}

/// One pool in the window.
#[derive(Clone, Debug, Default)]
pub(super) struct Pool {
    busy: Gauge,
    running: Gauge,
    waiting: Gauge,
    arrived: u64,
    finished: u64,
    preemptions: u64,
    input_tokens: u64,
    cached_tokens: u64,
    saved_s: f64,
    output_tokens: u64,
    pub blocks_peak: u64,
    work: Ledger,
    /// By tier, from near to far.
    tiers: Vec<TierRecord>,
    /// All that has passed, whether or not the window is open.
    flow: Flow,
}

impl Recorder {
    /// A recorder for `scenario` that measures in `window`.
    pub fn new(scenario: &Scenario, window: Window) -> Self {
        let cap = EXACT_VALUES_MAX / scenario.use_cases.len().max(1);
        let sections = (scenario.sections > 1)
            .then(|| Sections::new(window, scenario.sections, &scenario.use_cases, cap));
        Recorder {
            window,
            is_open: false,
            use_cases: scenario.use_cases.iter().map(|case| UseCase::new(case, cap)).collect(),
            pools: scenario.pools.iter().map(|pool| Pool::new(pool.offload.len())).collect(),
            sections: sections.map(Box::new),
        }
    }

    /// Opens the window.
    pub fn open(&mut self, now: Time) {
        self.is_open = true;
        for pool in &mut self.pools {
            for gauge in [&mut pool.busy, &mut pool.running, &mut pool.waiting] {
                gauge.open(now);
            }
        }
        if let Some(sections) = &mut self.sections {
            sections.open(now, &self.pools);
        }
    }

    /// When the next section begins; `None` when the present one is the last.
    pub fn next_section(&self) -> Option<Time> {
        self.sections.as_ref()?.next()
    }

    /// Begins the next section. `kv_blocks` is the number of KV blocks of one
    /// rank, by pool.
    pub fn end_section(&mut self, now: Time, kv_blocks: impl Iterator<Item = u64>) {
        if let Some(sections) = &mut self.sections {
            sections.end(now, &mut self.pools, &mut self.use_cases, kv_blocks);
        }
    }

    /// Closes the window: reduces what happened in it in every pool.
    /// `kv_blocks` is the number of KV blocks of one rank, by pool.
    pub fn close(&mut self, now: Time, kv_blocks: impl Iterator<Item = u64>) -> Vec<PoolRecord> {
        let was_open = std::mem::take(&mut self.is_open);
        let kv_blocks: Vec<u64> = kv_blocks.collect();
        // A run may be cut off before its window opens.
        if let Some(sections) = self.sections.as_mut().filter(|_| was_open) {
            sections.end(now, &mut self.pools, &mut self.use_cases, kv_blocks.iter().copied());
            sections.restore(&mut self.pools, &mut self.use_cases);
        }
        let (from, empty) = (self.window.from.min(now), Pool::default());
        self.pools
            .iter()
            .zip(kv_blocks)
            .map(|(pool, blocks)| pool.reduce((from, &empty), now, blocks))
            .collect()
    }

    /// What use cases and pools have done since the window opened. `kv_blocks` is the
    /// number of KV blocks of one rank, by pool.
    pub fn so_far(
        &self,
        now: Time,
        kv_blocks: impl Iterator<Item = u64>,
    ) -> (Vec<UseCaseRecord>, Vec<PoolRecord>) {
        let (from, empty) = (self.window.from.min(now), Pool::default());
        let pools = self.pools.iter().zip(kv_blocks);
        let pools = pools.map(|(pool, blocks)| pool.reduce((from, &empty), now, blocks));
        let use_cases = self.use_cases.iter().map(|use_case| use_case.happened.reduce());
        (use_cases.collect(), pools.collect())
    }

    /// Reduces the latencies, once every call is done.
    pub fn latencies(&mut self) -> Vec<UseCaseRecord> {
        let reduce = |of: &mut UseCase| of.arrived.reduce(&of.happened);
        self.use_cases.iter_mut().map(reduce).collect()
    }

    /// Reduces the sections, once every call is done, with their ends; none where
    /// the window is not divided.
    pub fn sections(&mut self) -> Vec<(Time, Time, Stretch)> {
        self.sections.as_mut().map_or(Vec::new(), |sections| sections.reduce())
    }

    /// What has passed each pool since the run began.
    pub fn flows(&self) -> impl Iterator<Item = Flow> {
        self.pools.iter().map(|pool| pool.flow)
    }

    /// A call arrived and waits.
    #[inline]
    pub fn arrived(&mut self, now: Time, pool: usize) {
        let pool = &mut self.pools[pool];
        pool.waiting.raise(now, 1);
        pool.arrived += u64::from(self.is_open);
        pool.flow.arrived += 1;
    }

    /// A call arrived that can never be served.
    pub fn rejected(&mut self, now: Time, use_case: usize) {
        if self.window.contains(now) {
            self.use_cases[use_case].arrived.rejected += 1;
            if let Some(sections) = &mut self.sections {
                sections.arrived(now, use_case).rejected += 1;
            }
        }
    }

    /// A session began.
    #[inline]
    pub fn session_began(&mut self, use_case: usize) {
        self.use_cases[use_case].happened.sessions.began += u64::from(self.is_open);
    }

    /// A session ended after `turns` answers, with its last one or too early.
    #[inline]
    pub fn session_ended(&mut self, use_case: usize, turns: u32, is_complete: bool) {
        if self.is_open {
            let sessions = &mut self.use_cases[use_case].happened.sessions;
            sessions.turns += u64::from(turns);
            sessions.completed += u64::from(is_complete);
            sessions.aborted += u64::from(!is_complete);
        }
    }

    /// A batch job was released.
    pub fn job_released(&mut self, use_case: usize) {
        self.use_cases[use_case].happened.jobs.released += u64::from(self.is_open);
    }

    /// A batch job is done, see [`JobsRecord::done`](super::JobsRecord::done).
    pub fn job_done(
        &mut self,
        use_case: usize,
        now: Time,
        released: Time,
        deadline: Time,
        is_beyond: bool,
    ) {
        if self.is_open {
            self.use_cases[use_case].happened.jobs.done(now, released, deadline, is_beyond);
        }
    }

    /// Where a run that ends now is recorded, of the member at index `member` of the
    /// crew; `None`: it is not measured.
    #[inline]
    pub fn runs(&mut self, use_case: usize, member: usize) -> Option<&mut AgentRuns> {
        self.is_open.then(|| self.use_cases[use_case].happened.runs(member))
    }

    /// A call entered a batch.
    #[inline]
    pub fn scheduled(&mut self, now: Time, pool: usize) {
        let pool = &mut self.pools[pool];
        pool.waiting.lower(now, 1);
        pool.running.raise(now, 1);
    }

    /// A call went back to the queue.
    pub fn preempted(&mut self, now: Time, pool: usize) {
        let pool = &mut self.pools[pool];
        pool.running.lower(now, 1);
        pool.waiting.raise(now, 1);
        pool.preemptions += u64::from(self.is_open);
    }

    /// The first token of `call` was sampled; its cached tokens saved `saved_s`
    /// seconds of computing.
    #[inline]
    pub fn first_token(&mut self, pool: usize, call: &Call, saved_s: f64) {
        let pool = &mut self.pools[pool];
        let cached = u64::from(call.cached);
        pool.flow.prompt_tokens += u64::from(call.prompt);
        pool.flow.cached_tokens += cached;
        if self.is_open {
            pool.input_tokens += u64::from(call.prompt);
            pool.cached_tokens += cached;
            pool.saved_s += saved_s;
            pool.output_tokens += 1;
        }
    }

    /// A call whose first token was sampled owes `credit` to the tiers.
    pub fn credited(&mut self, pool: usize, credit: &Credit) {
        if self.is_open {
            for (at, tier) in self.pools[pool].tiers.iter_mut().enumerate() {
                tier.hit_tokens += u64::from(credit.tokens[at]);
                tier.saved_s += credit.saved_s[at];
            }
        }
    }

    /// What the tiers had supplied to a call that ends.
    pub fn supplied(&mut self, call: &Call, credit: &Credit) {
        if self.window.contains(call.arrived) {
            let use_case = usize::from(call.use_case);
            self.use_cases[use_case].arrived.supplied(credit);
            if let Some(sections) = &mut self.sections {
                sections.arrived(call.arrived, use_case).supplied(credit);
            }
        }
    }

    /// What has passed over the links to each tier of `pool` since the window opened.
    pub fn traffic(&mut self, pool: usize, counts: &[Count]) {
        let tiers = &mut self.pools[pool].tiers;
        tiers.iter_mut().zip(counts).for_each(|(tier, count)| tier.count(count));
    }

    /// What calls have taken of `pool` since the window opened.
    pub fn worked(&mut self, pool: usize, ledger: &Ledger) {
        self.pools[pool].work.clone_from(ledger);
    }

    /// A preempted call sampled its next token after `gap`.
    pub fn resumed(&mut self, pool: usize, call: &Call, gap: Span) {
        if self.is_open {
            self.pools[pool].output_tokens += 1;
            self.use_cases[usize::from(call.use_case)].happened.itl.record(gap.ticks());
        }
    }

    /// A call ended.
    #[inline]
    pub fn finished(&mut self, now: Time, pool: usize, call: &Call) {
        let pool = &mut self.pools[pool];
        pool.running.lower(now, 1);
        pool.flow.left += 1;
        pool.finished += u64::from(self.is_open);
        let index = usize::from(call.use_case);
        let use_case = &mut self.use_cases[index];
        use_case.happened.finished += u64::from(self.is_open);
        if self.window.contains(call.arrived) {
            use_case.arrived.record(now, call, &use_case.bounds);
            if let Some(sections) = &mut self.sections {
                sections.arrived(call.arrived, index).record(now, call, &use_case.bounds);
            }
        }
    }

    /// A call left before its end, from the batch or from the queue.
    pub fn aborted(&mut self, now: Time, pool: usize, call: &Call, was_running: bool, why: Why) {
        let pool = &mut self.pools[pool];
        let left = if was_running { &mut pool.running } else { &mut pool.waiting };
        left.lower(now, 1);
        pool.flow.left += 1;
        if self.window.contains(call.arrived) {
            let use_case = usize::from(call.use_case);
            self.use_cases[use_case].arrived.aborted(why);
            if let Some(sections) = &mut self.sections {
                sections.arrived(call.arrived, use_case).aborted(why);
            }
        }
    }

    /// A replica took steps in which `decoding[u]` sequences of use case `u`
    /// got a token each.
    #[inline]
    pub fn progressed(&mut self, pool: usize, progress: &Progress, decoding: &[u32]) {
        if !self.is_open {
            return;
        }
        let segment = &progress.segment;
        let peak = &mut self.pools[pool].blocks_peak;
        *peak = progress.blocks_used.max(*peak);
        for (use_case, &sequences) in self.use_cases.iter_mut().zip(decoding) {
            if sequences > 0 {
                let weight = u64::from(sequences);
                use_case.happened.itl.record_progression(
                    segment.base,
                    segment.increment,
                    segment.steps,
                    weight,
                );
                self.pools[pool].output_tokens += weight * segment.steps;
            }
        }
    }

    /// A replica began (or ceased) to step.
    #[inline]
    pub fn stepping(&mut self, now: Time, pool: usize, begins: bool) {
        let busy = &mut self.pools[pool].busy;
        if begins { busy.raise(now, 1) } else { busy.lower(now, 1) }
    }
}

impl UseCase {
    fn new(use_case: &scenario::UseCase, cap: usize) -> Self {
        UseCase {
            bounds: Bounds::new(&use_case.slo),
            arrived: Arrived::new(use_case, cap),
            happened: Happened::default(),
        }
    }
}

impl Pool {
    fn new(tiers: usize) -> Self {
        Pool { tiers: vec![TierRecord::default(); tiers], ..Pool::default() }
    }

    /// What it did since the instant at which it was as the pool given with it.
    pub fn reduce(&self, since: (Time, &Pool), now: Time, kv_blocks: u64) -> PoolRecord {
        let (from, then) = since;
        let window = now.since(from);
        let mean = |now_is: &Gauge, was: &Gauge| match window.ticks() {
            0 => 0.0,
            ticks => (now_is.integral(now) - was.integral(from)) as f64 / ticks as f64,
        };
        PoolRecord {
            busy_s: mean(&self.busy, &then.busy) * window.seconds(),
            running_mean: mean(&self.running, &then.running),
            waiting_mean: mean(&self.waiting, &then.waiting),
            arrived: self.arrived - then.arrived,
            finished: self.finished - then.finished,
            unfinished: 0,
            preemptions: self.preemptions - then.preemptions,
            input_tokens: self.input_tokens - then.input_tokens,
            cached_tokens: self.cached_tokens - then.cached_tokens,
            saved_s: self.saved_s - then.saved_s,
            output_tokens: self.output_tokens - then.output_tokens,
            work: self.work.since(&then.work),
            kv_use_mean: 0.0,
            kv_use_peak: self.blocks_peak as f64 / kv_blocks as f64,
            tiers: (0..)
                .zip(&self.tiers)
                .map(|(at, tier)| tier.since(then.tiers.get(at)))
                .collect(),
        }
    }
}
