//! What the runs of agents came to, by kind of agent.
//!
//! What runs waited for is summed in buckets of their latency, each at most 0.8 %
//! wide, so that bands of percentiles can be formed when all runs are there; counts
//! and sums are integers and merge in any order. Latencies themselves are kept while
//! they are few (a megabyte), since a millisecond a call is less than such a bucket.

use super::path::{Part, Parts, Path};
use crate::kernel::Span;
use crate::statistics::{Histogram, Sample};

/// Turns whose paths are kept apart; later ones count as the last.
pub const TURNS_KEPT: usize = 100;

/// Latencies kept of a kind of agent in one replication; beyond, they are in a histogram.
pub const LATENCIES_KEPT: usize = 1 << 17;

/// Bands of percentiles of run latency: where each ends.
pub const BANDS: [(&str, f64); 4] =
    [("p0_50", 0.5), ("p50_90", 0.9), ("p90_99", 0.99), ("p99_100", 1.0)];

/// Counts of a run, or of many, sub-agents included.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RunCounts {
    /// Model calls that were answered.
    pub calls: u64,
    /// Turns.
    pub turns: u64,
    /// Compactions.
    pub compactions: u64,
    /// Turns and calls that were repeated.
    pub retries: u64,
    /// Prompt tokens.
    pub prompt_tokens: u64,
    /// Of these, tokens found in the cache.
    pub cached_tokens: u64,
    /// Output tokens.
    pub output_tokens: u64,
    /// Of these, thinking tokens.
    pub thinking_tokens: u64,
    /// Tool calls.
    pub tools: u64,
    /// Sub-agents.
    pub children: u64,
}

impl RunCounts {
    /// Adds the counts of another.
    pub fn add(&mut self, other: &RunCounts) {
        self.calls += other.calls;
        self.turns += other.turns;
        self.compactions += other.compactions;
        self.retries += other.retries;
        self.prompt_tokens += other.prompt_tokens;
        self.cached_tokens += other.cached_tokens;
        self.output_tokens += other.output_tokens;
        self.thinking_tokens += other.thinking_tokens;
        self.tools += other.tools;
        self.children += other.children;
    }
}

/// What runs used of the factory, sub-agents included.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Spent {
    /// GPU time that their calls took, those that were called off too, by pool, in
    /// grains; see [`UseCaseWork::all`](crate::factory::UseCaseWork::all).
    pub work: Vec<u128>,
    /// Ticks that a slot ran their tool calls, or started up for them, by tool pool.
    pub tools: Vec<u128>,
}

impl Spent {
    /// Forgets all.
    pub fn clear(&mut self) {
        self.work.clear();
        self.tools.clear();
    }

    /// Adds a call on `pool`.
    pub fn add_work(&mut self, pool: usize, grains: u128) {
        *place(&mut self.work, pool) += grains;
    }

    /// Adds a tool call on tool pool `pool`.
    pub fn add_tool(&mut self, pool: usize, ticks: u64) {
        *place(&mut self.tools, pool) += u128::from(ticks);
    }

    /// Adds what others used.
    pub fn add(&mut self, other: &Spent) {
        let add = |ours: &mut Vec<u128>, theirs: &[u128]| {
            theirs.iter().enumerate().for_each(|(at, more)| *place(ours, at) += more);
        };
        add(&mut self.work, &other.work);
        add(&mut self.tools, &other.tools);
    }
}

/// The value at `at`, 0 where there was none.
fn place(values: &mut Vec<u128>, at: usize) -> &mut u128 {
    if at >= values.len() {
        values.resize(at + 1, 0);
    }
    &mut values[at]
}

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RunEnd {
    /// With its last answer.
    Done,
    /// After too many repeated turns, or with a prompt too long to be served.
    Failed,
    /// Its user, or its parent, no longer waited.
    Abandoned,
}

/// Runs of one kind of agent that ended in a stretch of time.
#[derive(Clone, Debug)]
pub struct AgentRuns {
    /// Runs that ended with their last answer.
    pub done: u64,
    /// Of these, runs within the deadline.
    pub in_time: u64,
    /// Runs that failed.
    pub failed: u64,
    /// Runs that were abandoned.
    pub abandoned: u64,
    /// Counts of runs that ended with their last answer.
    pub counts: RunCounts,
    /// What they would have taken if nobody else had been served, ticks.
    pub alone_ticks: u128,
    /// What runs used that ended with their last answer.
    pub spent_on_done: Spent,
    /// What all runs used that ended.
    pub spent: Spent,
    /// Latencies of runs that ended with their last answer, ticks.
    pub latency: Sample,
    /// Runs and their ticks by part, by bucket of latency from `first` on.
    buckets: Vec<Bucket>,
    first: usize,
    /// Ticks by part, by turn, and runs that had that turn.
    pub by_turn: Vec<Bucket>,
}

/// Some runs, and the ticks that they waited for each part.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Runs.
    pub runs: u64,
    /// Ticks by part, in the order of [`Part::ALL`].
    pub ticks: [u128; Part::ALL.len()],
}

impl Bucket {
    fn add(&mut self, other: &Bucket) {
        self.runs += other.runs;
        self.ticks.iter_mut().zip(&other.ticks).for_each(|(sum, ticks)| *sum += ticks);
    }
}

impl Default for AgentRuns {
    fn default() -> Self {
        AgentRuns {
            done: 0,
            in_time: 0,
            failed: 0,
            abandoned: 0,
            counts: RunCounts::default(),
            alone_ticks: 0,
            spent_on_done: Spent::default(),
            spent: Spent::default(),
            latency: Sample::new(LATENCIES_KEPT),
            buckets: Vec::new(),
            first: 0,
            by_turn: Vec::new(),
        }
    }
}

impl AgentRuns {
    /// Adds a run that ended with its last answer.
    pub fn add_done(&mut self, latency: Span, parts: &Parts, is_in_time: bool) {
        self.done += 1;
        self.in_time += u64::from(is_in_time);
        self.latency.record(latency.ticks());
        let bucket = Bucket { runs: 1, ticks: parts.map(u128::from) };
        self.bucket(Histogram::bucket(latency.ticks())).add(&bucket);
    }

    /// Adds the path of one turn of a run that ended with its last answer.
    pub fn add_turn(&mut self, turn: u32, parts: &Parts) {
        let at = (turn as usize).min(TURNS_KEPT - 1);
        if at >= self.by_turn.len() {
            self.by_turn.resize(at + 1, Bucket::default());
        }
        self.by_turn[at].add(&Bucket { runs: 1, ticks: parts.map(u128::from) });
    }

    /// Adds the path of a run that ended with its last answer, turn by turn.
    pub fn add_path(&mut self, path: &Path) {
        let (mut turn, mut parts) = (0, Parts::default());
        path.each(|at, part, ticks| {
            if at != turn {
                self.add_turn(turn, &std::mem::take(&mut parts));
                turn = at;
            }
            parts[part as usize] += ticks;
        });
        self.add_turn(turn, &parts);
    }

    fn bucket(&mut self, at: usize) -> &mut Bucket {
        if self.buckets.is_empty() {
            self.first = at;
        }
        if at < self.first {
            let missing = self.first - at;
            self.buckets.splice(0..0, std::iter::repeat_n(Bucket::default(), missing));
            self.first = at;
        }
        let at = at - self.first;
        if at >= self.buckets.len() {
            self.buckets.resize(at + 1, Bucket::default());
        }
        &mut self.buckets[at]
    }

    /// Runs that ended in any way.
    pub fn ended(&self) -> u64 {
        self.done + self.failed + self.abandoned
    }

    /// Adds the runs of another stretch.
    pub fn add(&mut self, other: &AgentRuns) {
        self.done += other.done;
        self.in_time += other.in_time;
        self.failed += other.failed;
        self.abandoned += other.abandoned;
        self.counts.add(&other.counts);
        self.alone_ticks += other.alone_ticks;
        self.spent_on_done.add(&other.spent_on_done);
        self.spent.add(&other.spent);
        self.latency.merge(&other.latency);
        for (at, bucket) in other.buckets.iter().enumerate().filter(|(_, bucket)| bucket.runs > 0) {
            self.bucket(other.first + at).add(bucket);
        }
        if self.by_turn.len() < other.by_turn.len() {
            self.by_turn.resize(other.by_turn.len(), Bucket::default());
        }
        self.by_turn.iter_mut().zip(&other.by_turn).for_each(|(sum, turn)| sum.add(turn));
    }

    /// All runs that ended with their last answer.
    pub fn whole(&self) -> Bucket {
        let mut sum = Bucket::default();
        self.buckets.iter().for_each(|bucket| sum.add(bucket));
        sum
    }

    /// Runs and seconds by part of each of [`BANDS`]. The runs of a bucket on the
    /// edge of two bands are divided among them.
    pub fn bands(&self) -> [(f64, [f64; Part::ALL.len()]); BANDS.len()] {
        let mut bands = [(0.0, [0.0; Part::ALL.len()]); BANDS.len()];
        let mut below = 0.0;
        for bucket in &self.buckets {
            let runs = bucket.runs as f64;
            let mut from = 0.0;
            for (band, (_, fraction)) in bands.iter_mut().zip(BANDS) {
                let end = fraction * self.done as f64;
                let here = (end - below - from).clamp(0.0, runs - from);
                if here > 0.0 {
                    band.0 += here;
                    for (sum, &ticks) in band.1.iter_mut().zip(&bucket.ticks) {
                        *sum +=
                            ticks as f64 * (here / runs) / crate::kernel::TICKS_PER_SECOND as f64;
                    }
                    from += here;
                }
            }
            below += runs;
        }
        bands
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bands_divide_the_runs_and_their_time() {
        let mut runs = AgentRuns::default();
        for number in 1..=1000u64 {
            let ticks = number * 1_000_000_000;
            let mut parts = Parts::default();
            parts[Part::Tool as usize] = ticks / 4;
            parts[Part::Decode as usize] = ticks - ticks / 4;
            runs.add_done(Span::from_ticks(ticks), &parts, true);
        }
        let bands = runs.bands();
        let counts = bands.map(|(runs, _)| runs.round());
        assert_eq!(counts, [500.0, 400.0, 90.0, 10.0]);
        let seconds: f64 = bands.iter().flat_map(|(_, parts)| parts).sum();
        assert!((seconds / 50_050.0 - 1.0).abs() < 1e-12);
        // Runs of 99.1 to 100 s, of which tools are a quarter; buckets are 0.8 % wide.
        let tools = bands[3].1[Part::Tool as usize] / bands[3].0;
        assert!((tools / 24.89 - 1.0).abs() < 0.005, "{tools}");
    }

    #[test]
    fn stretches_add_up_to_the_whole() {
        let add = |runs: &mut AgentRuns, number: u64| {
            let mut parts = Parts::default();
            parts[(number % Part::ALL.len() as u64) as usize] = number * number;
            runs.add_done(Span::from_ticks(number * number), &parts, number.is_multiple_of(3));
            runs.add_turn((number % 130) as u32, &parts);
        };
        let (mut whole, mut sum) = (AgentRuns::default(), AgentRuns::default());
        for section in [400..900, 0..400u64] {
            let mut part = AgentRuns::default();
            for number in section {
                add(&mut whole, number);
                add(&mut part, number);
            }
            sum.add(&part);
        }
        assert_eq!(
            (sum.done, sum.in_time, sum.whole()),
            (whole.done, whole.in_time, whole.whole())
        );
        assert_eq!((sum.bands(), &sum.by_turn), (whole.bands(), &whole.by_turn));
        assert_eq!(whole.by_turn.len(), TURNS_KEPT);
    }
}
