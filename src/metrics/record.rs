//! What is left of one replication: counts, sums and quantiles.

use super::agents::AgentRuns;
use super::timeline::Timeline;
use crate::factory::{Count, LEVELS_MAX, Ledger, ToolPoolRecord};
use crate::kernel::{Span, TICKS_PER_SECOND, Time};
use crate::statistics::{Histogram, Sample, Trend};
use serde::{Deserialize, Serialize};

/// Fractions at which latency distributions are kept for charts: every
/// percent, and finer towards the tail.
pub const CDF_FRACTIONS: [f64; 107] = {
    let mut fractions = [0.0; 107];
    let mut i = 0;
    while i < 100 {
        fractions[i] = i as f64 / 100.0;
        i += 1;
    }
    let tail = [0.993, 0.995, 0.997, 0.998, 0.999, 0.9995, 1.0];
    let mut j = 0;
    while j < tail.len() {
        fractions[100 + j] = tail[j];
        j += 1;
    }
    fractions
};

/// One replication.
#[derive(Clone, Debug)]
pub struct RunRecord {
    /// Fold of every event.
    pub digest: u64,
    /// Calls that arrived, rejected ones included, over the whole run.
    pub calls: u64,
    /// Events popped from the pending set.
    pub events: u64,
    /// When the last event happened, s.
    pub end_s: f64,
    /// Where in the run the measured window starts, s.
    pub window_from_s: f64,
    /// Why the run was cut off before its end; `None` when it was not.
    pub cut_off: Option<CutOff>,
    /// The measured window.
    pub whole: Stretch,
    /// Its sections, in order; none where it is not divided.
    pub sections: Vec<Stretch>,
    /// The windows of the horizon that it is put together from, in order; none
    /// where the horizon ran as a whole.
    pub windows: Vec<WindowRecord>,
    /// State of the pools over time; empty where it is put together.
    pub timeline: Timeline,
}

/// A window of the horizon in one replication.
#[derive(Clone, Debug)]
pub struct WindowRecord {
    /// When it begins, warm-up apart.
    pub from: Time,
    /// What it measured; its timeline is not kept.
    pub run: RunRecord,
    /// By pool, how the number of calls in it grew over the window, and from the
    /// beginning of the warm-up on.
    pub growth: Vec<[Option<Trend>; 2]>,
}

/// What a stretch of a run measured: its window, or a section of that.
#[derive(Clone, Debug)]
pub struct Stretch {
    /// Its length, s.
    pub window_s: f64,
    /// By use case.
    pub use_cases: Vec<UseCaseRecord>,
    /// By pool.
    pub pools: Vec<PoolRecord>,
    /// By tool pool.
    pub tool_pools: Vec<ToolPoolRecord>,
    /// In a whole episode, the part of it in which calls were arriving: its first. Of
    /// use cases it tells what happened in it, not what became of calls.
    pub arrivals: Option<Box<Stretch>>,
}

/// Why a run was cut off before its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum CutOff {
    /// More calls were in the system at once than a run keeps.
    Calls,
    /// More sessions were alive at once than a run keeps.
    Sessions,
    /// The calls of the window took too long to finish after it.
    Drain,
    /// The run reached the end of simulated time.
    Horizon,
}

/// One use case in one replication. Latencies are of calls that arrived in the
/// window and finished, tokens and rates of what happened in the window.
#[derive(Clone, Debug, Default)]
pub struct UseCaseRecord {
    /// Calls that arrived in the window and finished.
    pub calls: u64,
    /// Calls that arrived in the window and can never be served.
    pub rejected: u64,
    /// Calls that arrived in the window and that whoever waited for them gave up.
    pub given_up: u64,
    /// Calls that arrived in the window and whose answer was not needed in the end.
    pub called_off: u64,
    /// Calls that finished in the window.
    pub finished: u64,
    /// Of `calls`, those that kept every bound of the SLO.
    pub good: u64,
    /// Prompt tokens of `calls`.
    pub prompt_tokens: u64,
    /// Of these, tokens found in the cache.
    pub cached_tokens: u64,
    /// Of these, tokens that each tier supplied, from near to far.
    pub tier_tokens: [u64; LEVELS_MAX],
    /// Output tokens of `calls`.
    pub output_tokens: u64,
    /// Preemptions of `calls`.
    pub preemptions: u64,
    /// Its sessions.
    pub sessions: SessionsRecord,
    /// Its batch jobs.
    pub jobs: JobsRecord,
    /// Time to first token.
    pub ttft: LatencyRecord,
    /// What they thought; `None` where none ever does.
    pub thinking: Option<ThinkingRecord>,
    /// Time per output token after the first.
    pub tpot: LatencyRecord,
    /// Gap before each token after the first.
    pub itl: LatencyRecord,
    /// Arrival to last token.
    pub e2e: LatencyRecord,
    /// Arrival to first scheduling, without fetching.
    pub queue: LatencyRecord,
    /// Ticks of the TTFT of all `calls`.
    pub ttft_parts: TtftParts,
    /// `calls` by the region of their users; empty where they are not told apart.
    pub regions: Vec<RegionRecord>,
    /// Runs of agents that ended, by member of the crew; none without agents.
    pub agents: Vec<AgentRuns>,
}

impl UseCaseRecord {
    /// Calls that arrived in the window and kept no promise: refused or given up.
    pub fn unanswered(&self) -> u64 {
        self.rejected + self.given_up
    }
}

/// What calls thought before they answered.
#[derive(Clone, Debug, Default)]
pub struct ThinkingRecord {
    /// Calls that thought.
    pub calls: u64,
    /// Calls whose thinking a budget cut.
    pub cut: u64,
    /// Thinking tokens.
    pub tokens: u64,
    /// Quantiles of the thinking tokens of calls that thought at 50, 90, 95, 99 and
    /// 100 %; empty if none did.
    pub quantiles: Vec<f64>,
    /// Arrival to the first token after thinking, of all calls.
    pub visible_ttft: LatencyRecord,
}

impl ThinkingRecord {
    /// The fractions of [`ThinkingRecord::quantiles`].
    pub const FRACTIONS: [f64; 5] = [0.50, 0.90, 0.95, 0.99, 1.0];
}

/// Calls of users in one region.
#[derive(Clone, Debug)]
pub struct RegionRecord {
    /// Calls that arrived in the window and finished.
    pub calls: u64,
    /// Of these, those that kept every bound of the SLO.
    pub good: u64,
    /// Time to first token, network included.
    pub ttft: LatencyRecord,
    /// Sending to last token, network included.
    pub e2e: LatencyRecord,
    /// Ticks on the network, there and back.
    pub network: u128,
    /// By the pool that served them, in the order of the use case's pools.
    pub sites: Vec<SiteRecord>,
}

/// What a pool served of some calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct SiteRecord {
    /// Calls.
    pub calls: u64,
}

/// What the times to first token of some calls are made of, in ticks: these add
/// up to their sum.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct TtftParts {
    /// On the network, the way of the prompt and that of the first token.
    pub network: u128,
    /// Waiting to be scheduled.
    pub queue: u128,
    /// Waiting for KV blocks to be fetched from a tier.
    pub fetch: u128,
    /// From the first scheduling to the first token.
    pub prefill: u128,
}

/// One tier of one pool in one replication, over the window.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct TierRecord {
    /// Prompt tokens of calls whose first token was sampled that it supplied.
    pub hit_tokens: u64,
    /// Seconds of a rank that computing them would have taken.
    pub saved_s: f64,
    /// Bytes fetched from it, all GPUs.
    pub read_bytes: u64,
    /// Bytes written to it, all GPUs.
    pub written_bytes: u64,
    /// Seconds that its links were occupied towards GPUs, summed over links.
    pub read_s: f64,
    /// The same from GPUs.
    pub written_s: f64,
    /// Links to it.
    pub links: u64,
}

/// What became of sessions in the window.
#[derive(Clone, Copy, Debug, Default)]
pub struct SessionsRecord {
    /// Sessions that began.
    pub began: u64,
    /// Sessions that ended with their last turn.
    pub completed: u64,
    /// Sessions that ended because a prompt grew too long to be served.
    pub aborted: u64,
    /// Turns answered of those that ended.
    pub turns: u64,
}

/// What became of batch jobs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct JobsRecord {
    /// Jobs released.
    pub released: u64,
    /// Jobs done.
    pub done: u64,
    /// Of these, jobs done by their deadline.
    pub on_time: u64,
    /// Of these, jobs done after arrivals had ended.
    pub beyond: u64,
    /// Jobs not done when the run was cut off.
    pub unfinished: u64,
    /// Ticks from release to the end of jobs done.
    pub makespan: u128,
    /// Ticks from deadline to the end of those that were late.
    pub lateness: u128,
    /// The most of these of any job.
    pub lateness_max: u64,
}

/// One pool in one replication, over the window.
#[derive(Clone, Debug, Default)]
pub struct PoolRecord {
    /// Replica-seconds spent stepping.
    pub busy_s: f64,
    /// Mean sequences running.
    pub running_mean: f64,
    /// Mean calls waiting.
    pub waiting_mean: f64,
    /// Calls that arrived.
    pub arrived: u64,
    /// Calls that finished.
    pub finished: u64,
    /// Calls of the window still in the system when the run was cut off.
    pub unfinished: u64,
    /// Preemptions.
    pub preemptions: u64,
    /// Prompt tokens of calls whose first token was sampled.
    pub input_tokens: u64,
    /// Of these, tokens found in the cache.
    pub cached_tokens: u64,
    /// Seconds of a rank that computing the cached tokens would have taken.
    pub saved_s: f64,
    /// Output tokens sampled.
    pub output_tokens: u64,
    /// What calls took of its GPU time.
    pub work: Ledger,
    /// Mean share of KV blocks in use, over the samples of the timeline.
    pub kv_use_mean: f64,
    /// Largest share of KV blocks in use on any rank at a step boundary.
    pub kv_use_peak: f64,
    /// By tier, from near to far.
    pub tiers: Vec<TierRecord>,
}

impl PoolRecord {
    /// Replica-seconds spent stepping, or waiting for KV blocks with nothing to step.
    pub fn used_s(&self) -> f64 {
        self.busy_s + self.work.held_s()
    }
}

impl TierRecord {
    /// What was added since it was `then`; `None`: nothing was there.
    pub fn since(&self, then: Option<&TierRecord>) -> TierRecord {
        let then = then.copied().unwrap_or_default();
        TierRecord {
            hit_tokens: self.hit_tokens - then.hit_tokens,
            saved_s: self.saved_s - then.saved_s,
            read_bytes: self.read_bytes - then.read_bytes,
            written_bytes: self.written_bytes - then.written_bytes,
            read_s: self.read_s - then.read_s,
            written_s: self.written_s - then.written_s,
            links: self.links,
        }
    }

    /// Adds what its links have counted.
    pub fn count(&mut self, count: &Count) {
        let seconds = |ticks| Span::from_ticks(ticks).seconds();
        self.read_bytes = count.read_bytes;
        self.written_bytes = count.written_bytes;
        self.read_s = seconds(count.read_ticks);
        self.written_s = seconds(count.written_ticks);
        self.links = count.links;
    }
}

/// A latency in one replication, in seconds.
#[derive(Clone, Debug, Default)]
pub struct LatencyRecord {
    /// Values.
    pub count: u64,
    /// Mean; 0 without values.
    pub mean: f64,
    /// Quantiles at 50, 90, 95 and 99 %; empty without values.
    pub quantiles: Vec<f64>,
    /// Quantiles at [`CDF_FRACTIONS`]; empty without values.
    pub curve: Vec<f64>,
    /// Every value was kept; otherwise a histogram within 0.4 %.
    pub exact: bool,
}

impl LatencyRecord {
    /// The fractions of [`LatencyRecord::quantiles`].
    pub const FRACTIONS: [f64; 4] = [0.50, 0.90, 0.95, 0.99];

    /// Reduces a sample of ticks.
    pub fn new(sample: &mut Sample) -> Self {
        // One selection serves both.
        let fractions: Vec<f64> = CDF_FRACTIONS.into_iter().chain(Self::FRACTIONS).collect();
        let mut curve = sample.quantiles(&fractions);
        let quantiles = curve.as_mut().map(|curve| curve.split_off(CDF_FRACTIONS.len()));
        Self::reduce(sample.count(), sample.mean(), quantiles, curve, sample.is_exact())
    }

    /// Reduces a histogram of ticks.
    pub fn from_histogram(histogram: &Histogram) -> Self {
        let quantiles = |fractions: &[f64]| -> Option<Vec<f64>> {
            let at = |&fraction| histogram.quantile(fraction).map(|ticks| ticks as f64);
            fractions.iter().map(at).collect()
        };
        let (few, many) = (quantiles(&Self::FRACTIONS), quantiles(&CDF_FRACTIONS));
        Self::reduce(histogram.count(), histogram.mean(), few, many, false)
    }

    fn reduce(
        count: u64,
        mean: Option<f64>,
        quantiles: Option<Vec<f64>>,
        curve: Option<Vec<f64>>,
        exact: bool,
    ) -> Self {
        let seconds = |ticks: f64| ticks / TICKS_PER_SECOND as f64;
        let all =
            |ticks: Option<Vec<f64>>| ticks.unwrap_or_default().into_iter().map(seconds).collect();
        LatencyRecord {
            count,
            mean: mean.map_or(0.0, seconds),
            quantiles: all(quantiles),
            curve: all(curve),
            exact,
        }
    }
}
