//! Takes in what happens during a replication.
//!
//! Latencies belong to the calls that arrived in the measured window; tokens,
//! rates and time averages to what happened in it. Cost: five to ten
//! nanoseconds a value; nothing is allocated per call once the samples have
//! grown to their cap.

use super::gauge::Gauge;
use super::record::{LatencyRecord, PoolRecord, SessionsRecord, UseCaseRecord};
use crate::factory::{Call, Progress};
use crate::kernel::{Span, Time};
use crate::scenario::{Metric, Scenario, Slo};
use crate::statistics::{Histogram, Sample};

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
}

#[derive(Clone, Debug)]
struct UseCase {
    bounds: Bounds,
    calls: u64,
    rejected: u64,
    finished: u64,
    good: u64,
    prompt_tokens: u64,
    cached_tokens: u64,
    output_tokens: u64,
    preemptions: u64,
    sessions: SessionsRecord,
    ttft: Sample,
    tpot: Sample,
    itl: Histogram,
    e2e: Sample,
    queue: Sample,
}

#[derive(Clone, Debug, Default)]
struct Pool {
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
    blocks_peak: u64,
}

/// The bounds that make a call good, in ticks.
#[derive(Clone, Copy, Debug)]
struct Bounds {
    ttft: Span,
    tpot: Span,
    e2e: Span,
    queue: Span,
}

impl Recorder {
    /// A recorder for `scenario` that measures in `window`.
    pub fn new(scenario: &Scenario, window: Window) -> Self {
        let cap = EXACT_VALUES_MAX / scenario.use_cases.len().max(1);
        Recorder {
            window,
            is_open: false,
            use_cases: scenario.use_cases.iter().map(|case| UseCase::new(&case.slo, cap)).collect(),
            pools: vec![Pool::default(); scenario.pools.len()],
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
    }

    /// Closes the window: reduces what happened in it in every pool.
    /// `kv_blocks` is the number of KV blocks of one rank, by pool.
    pub fn close(&mut self, now: Time, kv_blocks: impl Iterator<Item = u64>) -> Vec<PoolRecord> {
        self.is_open = false;
        let window = now.since(self.window.from.min(now));
        self.pools
            .iter()
            .zip(kv_blocks)
            .map(|(pool, blocks)| pool.reduce(now, window, blocks))
            .collect()
    }

    /// Reduces the latencies, once every call is done.
    pub fn latencies(&mut self) -> Vec<UseCaseRecord> {
        self.use_cases.iter_mut().map(UseCase::reduce).collect()
    }

    /// A call arrived and waits.
    #[inline]
    pub fn arrived(&mut self, now: Time, pool: usize) {
        let pool = &mut self.pools[pool];
        pool.waiting.raise(now, 1);
        pool.arrived += u64::from(self.is_open);
    }

    /// A call arrived that can never be served.
    pub fn rejected(&mut self, now: Time, use_case: usize) {
        self.use_cases[use_case].rejected += u64::from(self.window.contains(now));
    }

    /// A session began.
    #[inline]
    pub fn session_began(&mut self, use_case: usize) {
        self.use_cases[use_case].sessions.began += u64::from(self.is_open);
    }

    /// A session ended after `turns` answers, with its last one or too early.
    #[inline]
    pub fn session_ended(&mut self, use_case: usize, turns: u32, is_complete: bool) {
        if self.is_open {
            let sessions = &mut self.use_cases[use_case].sessions;
            sessions.turns += u64::from(turns);
            sessions.completed += u64::from(is_complete);
            sessions.aborted += u64::from(!is_complete);
        }
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
        if self.is_open {
            let pool = &mut self.pools[pool];
            let cached = u64::from(call.cached);
            pool.input_tokens += u64::from(call.prompt);
            pool.cached_tokens += cached;
            pool.saved_s += saved_s;
            pool.output_tokens += 1;
        }
    }

    /// A preempted call sampled its next token after `gap`.
    pub fn resumed(&mut self, pool: usize, call: &Call, gap: Span) {
        if self.is_open {
            self.pools[pool].output_tokens += 1;
            self.use_cases[usize::from(call.use_case)].itl.record(gap.ticks());
        }
    }

    /// A call ended.
    #[inline]
    pub fn finished(&mut self, now: Time, pool: usize, call: &Call) {
        let pool = &mut self.pools[pool];
        pool.running.lower(now, 1);
        pool.finished += u64::from(self.is_open);
        let use_case = &mut self.use_cases[usize::from(call.use_case)];
        use_case.finished += u64::from(self.is_open);
        if self.window.contains(call.arrived) {
            use_case.record(now, call);
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
                use_case.itl.record_progression(
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
    fn new(slo: &Slo, cap: usize) -> Self {
        let sample = || Sample::new(cap);
        UseCase {
            bounds: Bounds::new(slo),
            calls: 0,
            rejected: 0,
            finished: 0,
            good: 0,
            prompt_tokens: 0,
            cached_tokens: 0,
            output_tokens: 0,
            preemptions: 0,
            sessions: SessionsRecord::default(),
            ttft: sample(),
            tpot: sample(),
            // One value a token: too many to keep.
            itl: Histogram::new(),
            e2e: sample(),
            queue: sample(),
        }
    }

    #[inline]
    fn record(&mut self, now: Time, call: &Call) {
        let ttft = call.first_token.since(call.arrived);
        let e2e = now.since(call.arrived);
        let queue = call.scheduled.since(call.arrived);
        self.calls += 1;
        self.prompt_tokens += u64::from(call.prompt);
        self.cached_tokens += u64::from(call.cached);
        self.output_tokens += u64::from(call.output);
        self.preemptions += u64::from(call.preemptions);
        self.ttft.record(ttft.ticks());
        self.e2e.record(e2e.ticks());
        self.queue.record(queue.ticks());
        let gaps = u64::from(call.output) - 1;
        // To the nearest tick.
        let tpot = (now.since(call.first_token).ticks() + gaps / 2).checked_div(gaps);
        if let Some(tpot) = tpot {
            self.tpot.record(tpot);
        }
        let bounds = &self.bounds;
        let good = ttft <= bounds.ttft
            && Span::from_ticks(tpot.unwrap_or(0)) <= bounds.tpot
            && e2e <= bounds.e2e
            && queue <= bounds.queue;
        self.good += u64::from(good);
    }

    fn reduce(&mut self) -> UseCaseRecord {
        UseCaseRecord {
            calls: self.calls,
            rejected: self.rejected,
            finished: self.finished,
            good: self.good,
            prompt_tokens: self.prompt_tokens,
            cached_tokens: self.cached_tokens,
            output_tokens: self.output_tokens,
            preemptions: self.preemptions,
            sessions: self.sessions,
            ttft: LatencyRecord::new(&mut self.ttft),
            tpot: LatencyRecord::new(&mut self.tpot),
            itl: LatencyRecord::from_histogram(&self.itl),
            e2e: LatencyRecord::new(&mut self.e2e),
            queue: LatencyRecord::new(&mut self.queue),
        }
    }
}

impl Pool {
    fn reduce(&self, now: Time, window: Span, kv_blocks: u64) -> PoolRecord {
        let mean = |gauge: &Gauge| match window.ticks() {
            0 => 0.0,
            ticks => gauge.integral(now) as f64 / ticks as f64,
        };
        PoolRecord {
            busy_s: mean(&self.busy) * window.seconds(),
            running_mean: mean(&self.running),
            waiting_mean: mean(&self.waiting),
            arrived: self.arrived,
            finished: self.finished,
            unfinished: 0,
            preemptions: self.preemptions,
            input_tokens: self.input_tokens,
            cached_tokens: self.cached_tokens,
            saved_s: self.saved_s,
            output_tokens: self.output_tokens,
            kv_use_mean: 0.0,
            kv_use_peak: self.blocks_peak as f64 / kv_blocks as f64,
        }
    }
}

impl Bounds {
    /// The tightest bound of each metric, whichever statistic it promises. A
    /// bound on ITL holds a call by its TPOT, the mean of its own gaps.
    fn new(slo: &Slo) -> Self {
        let tightest = |metrics: &[Metric]| {
            let bounds = slo.targets.iter().filter(|target| metrics.contains(&target.metric));
            let seconds = bounds.map(|target| target.bound_s).fold(f64::INFINITY, f64::min);
            Span::from_seconds(seconds)
        };
        Bounds {
            ttft: tightest(&[Metric::Ttft]),
            tpot: tightest(&[Metric::Tpot, Metric::Itl]),
            e2e: tightest(&[Metric::E2e]),
            queue: tightest(&[Metric::Queue]),
        }
    }
}
