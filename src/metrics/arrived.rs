//! One use case in one stretch of a run: the calls that arrived in it, once they
//! end, and what happened in it.

use super::agents::AgentRuns;
use super::record::{JobsRecord, LatencyRecord, SessionsRecord, TtftParts, UseCaseRecord};
use super::regions::Region;
use super::thoughts::Thoughts;
use crate::factory::{Call, Credit, LEVELS_MAX, Why};
use crate::kernel::{Span, Time};
use crate::scenario::{self, Metric, Slo};
use crate::statistics::{Histogram, Sample};

/// Counts and latencies of these calls.
#[derive(Clone, Debug)]
pub struct Arrived {
    calls: u64,
    /// Calls that can never be served.
    pub rejected: u64,
    given_up: u64,
    called_off: u64,
    good: u64,
    prompt_tokens: u64,
    cached_tokens: u64,
    tier_tokens: [u64; LEVELS_MAX],
    output_tokens: u64,
    preemptions: u64,
    ttft: Sample,
    tpot: Sample,
    e2e: Sample,
    queue: Sample,
    ttft_parts: TtftParts,
    /// What they thought; `None` where none ever does.
    thoughts: Option<Box<Thoughts>>,
    /// Told apart by region; empty where they are not.
    regions: Vec<Region>,
}

/// What happened in the stretch, whenever its calls arrived.
#[derive(Clone, Debug, Default)]
pub struct Happened {
    /// Calls that finished.
    pub finished: u64,
    /// Sessions that began and ended.
    pub sessions: SessionsRecord,
    /// Jobs that were released and done.
    pub jobs: JobsRecord,
    /// Gaps between tokens: one value a token, too many to keep.
    pub itl: Histogram,
    /// Runs of agents that ended, by member of the crew.
    pub agents: Vec<AgentRuns>,
}

impl Happened {
    /// Adds what happened in another stretch.
    pub fn add(&mut self, other: &Happened) {
        let SessionsRecord { began, completed, aborted, turns } = other.sessions;
        self.finished += other.finished;
        self.sessions.began += began;
        self.sessions.completed += completed;
        self.sessions.aborted += aborted;
        self.sessions.turns += turns;
        self.jobs.add(&other.jobs);
        self.itl.merge(&other.itl);
        for (at, runs) in other.agents.iter().enumerate() {
            self.runs(at).add(runs);
        }
    }

    /// What is left of it, without what became of calls.
    pub fn reduce(&self) -> UseCaseRecord {
        UseCaseRecord {
            finished: self.finished,
            sessions: self.sessions,
            jobs: self.jobs,
            itl: LatencyRecord::from_histogram(&self.itl),
            agents: self.agents.clone(),
            ..UseCaseRecord::default()
        }
    }

    /// The runs of the member at index `at` of the crew.
    pub fn runs(&mut self, at: usize) -> &mut AgentRuns {
        if at >= self.agents.len() {
            self.agents.resize(at + 1, AgentRuns::default());
        }
        &mut self.agents[at]
    }
}

/// The bounds that make a call good, in ticks.
#[derive(Clone, Copy, Debug)]
pub struct Bounds {
    ttft: Span,
    visible_ttft: Span,
    tpot: Span,
    e2e: Span,
    queue: Span,
}

impl Arrived {
    /// No calls of `use_case`; up to `cap` exact values of each metric will be kept.
    pub fn new(use_case: &scenario::UseCase, cap: usize) -> Self {
        let sample = || Sample::new(cap);
        Arrived {
            calls: 0,
            rejected: 0,
            given_up: 0,
            called_off: 0,
            good: 0,
            prompt_tokens: 0,
            cached_tokens: 0,
            tier_tokens: [0; LEVELS_MAX],
            output_tokens: 0,
            preemptions: 0,
            ttft: sample(),
            tpot: sample(),
            e2e: sample(),
            queue: sample(),
            ttft_parts: TtftParts::default(),
            thoughts: use_case.may_think().then(|| Box::new(Thoughts::new(cap))),
            regions: use_case.by_region().map_or(Vec::new(), |origins| Region::all(origins, cap)),
        }
    }

    /// Adds a call that ends now. Its user has seen everything later by half the
    /// round trip, and has sent it earlier by the other half.
    #[inline]
    pub fn record(&mut self, now: Time, call: &Call, bounds: &Bounds) {
        let ttft = call.first_token.since(call.arrived) + call.network;
        let e2e = now.since(call.arrived) + call.network;
        let queue = call.scheduled.since(call.arrived) - call.fetch;
        self.ttft_parts.network += u128::from(call.network.ticks());
        self.ttft_parts.queue += u128::from(queue.ticks());
        self.ttft_parts.fetch += u128::from(call.fetch.ticks());
        self.ttft_parts.prefill += u128::from(call.first_token.since(call.scheduled).ticks());
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
        let visible_ttft = match call.thinking {
            0 => ttft,
            _ => call.answering.since(call.arrived) + call.network,
        };
        if let Some(thoughts) = &mut self.thoughts {
            thoughts.record(call, visible_ttft);
        }
        let good = ttft <= bounds.ttft
            && visible_ttft <= bounds.visible_ttft
            && Span::from_ticks(tpot.unwrap_or(0)) <= bounds.tpot
            && e2e <= bounds.e2e
            && queue <= bounds.queue;
        self.good += u64::from(good);
        if let Some(region) = self.regions.get_mut(usize::from(call.region)) {
            region.record(call, ttft, e2e, good);
        }
    }

    /// Adds a call that left before its end.
    pub fn aborted(&mut self, why: Why) {
        match why {
            Why::GaveUp => self.given_up += 1,
            Why::CalledOff => self.called_off += 1,
        }
    }

    /// Adds what the tiers supplied to such a call.
    pub fn supplied(&mut self, credit: &Credit) {
        for (sum, &tokens) in self.tier_tokens.iter_mut().zip(&credit.tokens) {
            *sum += u64::from(tokens);
        }
    }

    /// What is left of them, with what happened in the same stretch.
    pub fn reduce(&mut self, happened: &Happened) -> UseCaseRecord {
        UseCaseRecord {
            calls: self.calls,
            rejected: self.rejected,
            given_up: self.given_up,
            called_off: self.called_off,
            good: self.good,
            prompt_tokens: self.prompt_tokens,
            cached_tokens: self.cached_tokens,
            tier_tokens: self.tier_tokens,
            output_tokens: self.output_tokens,
            preemptions: self.preemptions,
            ttft: LatencyRecord::new(&mut self.ttft),
            thinking: self.thoughts.as_mut().map(|thoughts| thoughts.reduce()),
            tpot: LatencyRecord::new(&mut self.tpot),
            e2e: LatencyRecord::new(&mut self.e2e),
            queue: LatencyRecord::new(&mut self.queue),
            ttft_parts: self.ttft_parts,
            regions: self.regions.iter_mut().map(Region::reduce).collect(),
            ..happened.reduce()
        }
    }
}

impl Bounds {
    /// The tightest bound of each metric, whichever statistic it promises. A
    /// bound on ITL holds a call by its TPOT, the mean of its own gaps.
    pub fn new(slo: &Slo) -> Self {
        let tightest = |metrics: &[Metric]| {
            let bounds = slo.targets.iter().filter(|target| metrics.contains(&target.metric));
            let seconds = bounds.map(|target| target.bound_s).fold(f64::INFINITY, f64::min);
            Span::from_seconds(seconds)
        };
        Bounds {
            ttft: tightest(&[Metric::Ttft]),
            visible_ttft: tightest(&[Metric::VisibleTtft]),
            tpot: tightest(&[Metric::Tpot, Metric::Itl]),
            e2e: tightest(&[Metric::E2e]),
            queue: tightest(&[Metric::Queue]),
        }
    }
}
