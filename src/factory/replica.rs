//! One replica: data-parallel ranks that step together.
//!
//! A step lasts as long as its slowest rank's. Between two decisions on any
//! rank the duration of each rank is a line in the step number, so the replica
//! follows the line on top and stops where another one crosses it. A whole
//! [`Segment`] of steps is one event; an arrival that could join earlier cuts
//! it short at the next step boundary.

use super::cache::CacheEvent;
use super::call::{CallId, Calls};
use super::engine::{Engine, EngineSpec, Load, Next, Progress, Rescheduled};
use super::rank::{Counters, Outcome, Rank, Turn};
use super::segment::Segment;
use super::step_time::GroupTokens;
use super::tier::{TierStore, Tiers};
use super::work::{Ledger, StepWork};
use crate::kernel::{Span, Time};
use smallvec::SmallVec;

/// Duration of a rank's current step, and its growth a step, in ticks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Line {
    base: u64,
    increment: u64,
}

/// A rank, and how its steps grow.
#[derive(Clone, Debug)]
struct Lane {
    rank: Rank,
    line: Line,
}

/// Ranks in lockstep; see the module text.
///
/// Most replicas have one rank and serve few use cases: those are kept in
/// place, since with a thousand replicas every pointer followed is a cache miss.
#[derive(Clone, Debug)]
pub struct Replica {
    lanes: SmallVec<[Lane; 1]>,
    /// The replica within its pool.
    number: u32,
    /// Number of the current step, or of the next one when idle.
    step: u64,
    segment: Option<Segment>,
    decoding: SmallVec<[u32; 4]>,
    /// Use cases whose only sequences in the current step are prompts.
    prompting: SmallVec<[u16; 4]>,
    /// How work is shared in the steps of the present composition, and what has been.
    work: StepWork,
    counters: Counters,
    /// Nothing runs until a transfer is over: since when that has been counted.
    waits_since: Option<Time>,
    /// Where the search for the least loaded rank starts, so that ties rotate.
    next_rank: u32,
    /// Calls that leave before the next step.
    aborts: Vec<CallId>,
    /// Its steps may have to end with a transfer, or when a block expires.
    minds_time: bool,
}

impl Engine for Replica {
    type Store = TierStore;

    fn new(spec: &EngineSpec, number: u32, use_cases: usize) -> Self {
        let rank = |at| Rank::new(&spec.limits, at, !spec.offload.is_empty());
        let lane = |at| Lane { rank: rank(at), line: Line::default() };
        Replica {
            lanes: (0..spec.ranks).map(lane).collect(),
            number,
            step: 0,
            segment: None,
            decoding: SmallVec::from_elem(0, use_cases),
            prompting: SmallVec::new(),
            work: StepWork::default(),
            counters: Counters::default(),
            waits_since: None,
            next_rank: 0,
            aborts: Vec::new(),
            minds_time: spec.limits.can_expire() || !spec.offload.is_empty(),
        }
    }

    fn enqueue(
        &mut self,
        now: Time,
        call: CallId,
        rank: Option<u32>,
        calls: &Calls,
    ) -> Rescheduled {
        let rank = rank.map_or_else(|| self.choose_rank(), |rank| rank as usize);
        let may_join = self.lanes[rank].rank.enqueue(call, calls);
        match &mut self.segment {
            None => Rescheduled::Wake,
            Some(segment) if may_join => cut(segment, now),
            Some(_) => Rescheduled::Unmoved,
        }
    }

    fn abort(&mut self, now: Time, id: CallId) -> Rescheduled {
        self.aborts.push(id);
        self.segment.as_mut().map_or(Rescheduled::Wake, |segment| cut(segment, now))
    }

    fn worked(&self, spec: &EngineSpec, now: Time, id: CallId, calls: &Calls) -> u64 {
        let steps = self.segment.map_or(0, |segment| segment.ended_by(now));
        let mut at = self.counters;
        at.shared = at.shared.wrapping_add(self.work.shared(steps));
        at.held = at.held.wrapping_add(self.held_until(spec, now));
        let of_rank = |rank: &Rank| rank.worked(spec, (self.step, steps), at, &calls[id], id);
        self.ranks().find_map(of_rank).unwrap_or(calls[id].work)
    }

    fn settle(&mut self, spec: &EngineSpec, now: Time) -> Option<Progress> {
        let steps = self.segment.as_ref()?.ended_by(now);
        (steps > 0).then(|| self.advance(spec, steps))
    }

    fn finish_segment(&mut self, spec: &EngineSpec) -> Option<Progress> {
        let steps = self.segment.as_ref()?.steps;
        Some(self.advance(spec, steps))
    }

    fn settle_work(
        &mut self,
        spec: &EngineSpec,
        now: Time,
        calls: &mut Calls,
        ledger: &mut Ledger,
    ) {
        self.wait_until(spec, now);
        for lane in &mut self.lanes {
            lane.rank.settle_work(spec, self.step, self.counters, calls, ledger);
        }
    }

    fn prompting(&self) -> &[u16] {
        &self.prompting
    }

    fn turn(
        &mut self,
        spec: &EngineSpec,
        now: Time,
        calls: &mut Calls,
        tiers: &mut Tiers<TierStore>,
        ledger: &mut Ledger,
        outcomes: &mut Vec<Outcome>,
    ) -> Next {
        let was_idle = self.segment.is_none();
        self.wait_until(spec, now);
        let Replica { lanes, number, step, decoding, aborts, counters, .. } = self;
        let (replica, step, counters) = (*number, *step, *counters);
        let mut turn =
            Turn { spec, replica, now, step, calls, outcomes, decoding, tiers, ledger, counters };
        let mut changed = was_idle;
        for lane in lanes.iter_mut() {
            lane.rank.expire(now);
            changed |= lane.rank.complete(&mut turn);
        }
        for id in aborts.drain(..) {
            let was_running = lanes.iter_mut().find_map(|lane| lane.rank.abort(&mut turn, id));
            changed |= was_running.unwrap_or(false);
        }
        let mut is_running = false;
        for lane in lanes.iter_mut() {
            changed |= lane.rank.schedule(&mut turn);
            is_running |= lane.rank.running() > 0;
        }
        if !is_running {
            self.segment = None;
            let transfer = self.next_fetched();
            assert!(transfer.is_some() || self.is_idle(), "calls wait for an empty replica");
            self.waits_since = transfer.map(|_| now);
            return transfer.map_or(Next::Nothing, Next::Transfer);
        }
        self.waits_since = None;
        if changed {
            self.measure(spec, calls);
        }
        let segment = self.plan(now);
        self.segment = Some(segment);
        Next::Boundary(segment.end())
    }

    fn decoding(&self) -> &[u32] {
        &self.decoding
    }

    fn recount(&self, calls: &Calls) -> u64 {
        self.ranks().map(|rank| rank.recount(self.step, calls)).sum()
    }

    fn tell_caches(&mut self, mut tell: impl FnMut(u32, CacheEvent)) {
        for (rank, lane) in (0..).zip(&mut self.lanes) {
            lane.rank.tell_cache(|event| tell(rank, event));
        }
    }

    fn load(&self, now: Time) -> Load {
        let steps = self.segment.map_or(0, |segment| segment.ended_by(now) + 1);
        let used = |rank: &Rank| rank.blocks_used_after(self.step, steps);
        Load {
            running: self.ranks().map(Rank::running).sum(),
            waiting: self.ranks().map(Rank::waiting).sum(),
            blocks_used: self.ranks().map(used).sum(),
        }
    }
}

impl Replica {
    fn ranks(&self) -> impl Iterator<Item = &Rank> {
        self.lanes.iter().map(|lane| &lane.rank)
    }

    fn lines(&self) -> impl Iterator<Item = Line> {
        self.lanes.iter().map(|lane| lane.line)
    }

    fn is_idle(&self) -> bool {
        self.ranks().all(Rank::is_idle)
    }

    /// When the next transfer to any rank is over.
    fn next_fetched(&self) -> Option<Time> {
        self.ranks().filter_map(Rank::next_fetched).min()
    }

    /// The rank with the least load, scored as vLLM's coordinator did for long:
    /// four times the waiting calls plus the running ones. Idealized: counts are
    /// fresh, and ties rotate.
    fn choose_rank(&mut self) -> usize {
        let ranks = self.lanes.len();
        if ranks == 1 {
            return 0;
        }
        let score = |rank: &Rank| 4 * u64::from(rank.waiting()) + u64::from(rank.running());
        let chosen = (0..ranks)
            .map(|offset| (self.next_rank as usize + offset) % ranks)
            .min_by_key(|&rank| score(&self.lanes[rank].rank))
            .expect("a replica has a rank");
        self.next_rank = ((chosen + 1) % ranks) as u32;
        chosen
    }

    fn advance(&mut self, spec: &EngineSpec, steps: u64) -> Progress {
        let segment = self.segment.as_mut().expect("only a stepping replica advances");
        let segment_done = Segment { steps, ..*segment };
        segment.skip(steps);
        let mut blocks_used = 0;
        for Lane { rank, line } in &mut self.lanes {
            rank.advance(self.step, steps);
            line.base += line.increment * steps;
            blocks_used = blocks_used.max(rank.blocks_used());
        }
        self.step += steps;
        self.counters.shared = self.counters.shared.wrapping_add(self.work.shared(steps));
        let all = spec.rates.of_replica(segment_done.span(steps));
        let rest = all as i128 - self.work.advance(steps) as i128;
        Progress { segment: segment_done, blocks_used: blocks_used.into(), rest }
    }

    /// Counts waiting for transfers up to `now`.
    #[inline]
    fn wait_until(&mut self, spec: &EngineSpec, now: Time) {
        if self.waits_since.is_some() {
            self.counters.held = self.counters.held.wrapping_add(self.held_until(spec, now));
            self.waits_since = self.waits_since.map(|_| now);
        }
    }

    /// What each call that fetches takes of waiting from when it was counted to `now`.
    fn held_until(&self, spec: &EngineSpec, now: Time) -> u64 {
        let fetching = self.ranks().map(|rank| rank.fetching().count() as u128).sum::<u128>();
        self.waits_since
            .map_or(0, |since| (spec.rates.of_replica(now.since(since)) / fetching.max(1)) as u64)
    }

    /// Takes each rank's line anew after the composition has changed, and how work is
    /// shared.
    fn measure(&mut self, spec: &EngineSpec, calls: &Calls) {
        let step_time = &spec.step_time;
        let mut group = GroupTokens::default();
        if step_time.minds_group() {
            self.ranks().for_each(|rank| group.add(&rank.batch()));
        }
        let (mut work, mut sequences, mut prompts) = (StepWork::default(), 0, 0);
        for Lane { rank, line } in &mut self.lanes {
            let batch = rank.batch();
            let (base, increment) = match batch.is_empty() {
                true => (0, 0),
                false => {
                    let growth = rank.growth();
                    sequences += work.add(&spec.rates, &batch, &growth);
                    step_time.line(&batch, &growth, group)
                }
            };
            prompts += batch.prefills;
            *line = Line { base, increment };
        }
        let Line { base, increment } = self.lines().max().unwrap_or_default();
        work.share(&spec.rates, sequences, (base, increment));
        self.work = work;
        self.prompting.clear();
        if prompts > 0 {
            self.list_prompting(calls);
        }
    }

    fn list_prompting(&mut self, calls: &Calls) {
        let Replica { lanes, prompting, decoding, .. } = self;
        for id in lanes.iter().flat_map(|lane| lane.rank.prompts()) {
            let use_case = calls[id].use_case;
            if decoding[usize::from(use_case)] == 0 && !prompting.contains(&use_case) {
                prompting.push(use_case);
            }
        }
    }

    /// The segment from `now` on: as long as nothing changes on any rank, no block
    /// of a cache expires, no transfer ends and the slowest rank stays the slowest.
    fn plan(&mut self, now: Time) -> Segment {
        let (step, mut steps, mut top) = (self.step, u64::MAX, Line::default());
        for Lane { rank, line } in &mut self.lanes {
            steps = steps.min(rank.horizon(step));
            top = top.max(*line);
        }
        if self.lanes.len() > 1 {
            for line in self.lines().filter(|line| line.increment > top.increment) {
                steps = steps.min((top.base - line.base) / (line.increment - top.increment) + 1);
            }
        }
        let mut segment = Segment { start: now, base: top.base, increment: top.increment, steps };
        if self.minds_time {
            self.cut_in_time(now, &mut segment);
        }
        segment
    }

    /// Ends `segment` when a block of a cache expires or a transfer ends.
    fn cut_in_time(&mut self, now: Time, segment: &mut Segment) {
        let live = self.lanes.iter_mut().filter_map(|lane| lane.rank.all_live_until()).min();
        if let Some(time) = live
            && time < segment.end()
        {
            segment.steps = segment.ended_by(time) + 1;
        }
        if let Some(fetched) = self.next_fetched() {
            // A call is ready at the first boundary that is not before its transfer's end.
            let last = fetched.max(now + Span::from_ticks(1)).before();
            segment.steps = segment.steps.min(segment.ended_by(last) + 1);
        }
    }
}

/// Ends `segment` with the step that is under way at `now`.
fn cut(segment: &mut Segment, now: Time) -> Rescheduled {
    let steps = segment.ended_by(now) + 1;
    if steps >= segment.steps {
        return Rescheduled::Unmoved;
    }
    segment.steps = steps;
    Rescheduled::Boundary(segment.end())
}
