//! The lane where a call costs least, by what its cache holds and what waits
//! and runs there: the cost function of NVIDIA Dynamo's KV router.
//!
//! cost = `overlap_weight` x (prompt tokens booked on the lane and not computed
//! yet + those of the call that the lane does not hold) + tokens of the blocks
//! of the prompts in flight on the lane. The least cost wins. With a temperature
//! T a lane is drawn with a probability proportional to
//! exp(-cost / (range of costs) / T), as there. Source: Dynamo, `kv_router`
//! scheduler (`DefaultWorkerSelector`, `softmax_sample`), where costs are
//! counted in blocks. Simplified: each prompt in flight counts all its blocks,
//! also those that it shares; generated tokens are not counted (an option
//! there); of equal costs the lane with the least load wins, of equal loads the
//! one whose load changed longest ago (there chance decides).
//!
//! Without a temperature no choice looks at all lanes. Whoever holds the deepest
//! strands of a call is looked at where they are few. Nobody else can hold more
//! than the strands before, so a search from the least load on stops where even
//! that much overlap would not beat the best. Costs are integers, so that sums
//! that come and go return to zero.

use super::min_tree::MinTree;
use super::prefix_index::{Path, PrefixIndex};
use crate::factory::cache::CacheEvent;
use crate::random::Stream;
use crate::workload::Stretch;

/// Resolution of the weight.
const UNIT: f64 = 1024.0;

/// At most this many holders of a strand are looked at one by one. A holder costs
/// a look-up; where more hold it, few lanes are passed until one of them comes.
const FEW: usize = 64;

/// Loads, and who holds what; see the module text.
#[derive(Clone, Debug)]
pub struct KvAware {
    block_tokens: u32,
    /// In parts of `UNIT`.
    weight: u64,
    temperature: f64,
    loads: Vec<Load>,
    /// Lanes by load; equals by when it changed last.
    order: MinTree<(u64, u64)>,
    changes: u64,
    index: PrefixIndex,
    /// Holders of a strand that are looked at one by one.
    few: usize,
    stream: Stream,
    /// Costs of all lanes, kept for its memory.
    costs: Vec<u64>,
}

/// What a lane has to do, as far as the router knows.
#[derive(Clone, Copy, Debug, Default)]
struct Load {
    /// Prompt tokens booked and not computed yet.
    prefill: u64,
    /// Tokens of the blocks of all prompts in flight.
    held: u64,
}

/// Where a call goes, and the prompt tokens that it will compute there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Choice {
    pub lane: u32,
    pub uncached: u32,
}

/// A lane's cost; the lesser is the better.
type Rank = (u64, (u64, u64));

#[derive(Clone, Copy, Debug)]
struct Best {
    rank: Rank,
    lane: u32,
    overlap: u32,
}

impl KvAware {
    pub fn new(
        lanes: u32,
        block_tokens: u32,
        overlap_weight: f64,
        temperature: f64,
        stream: Stream,
    ) -> Self {
        KvAware {
            block_tokens,
            weight: (overlap_weight * UNIT).round() as u64,
            temperature,
            loads: vec![Load::default(); lanes as usize],
            order: MinTree::new((0..u64::from(lanes)).map(|lane| (0, lane)).collect()),
            changes: u64::from(lanes),
            index: PrefixIndex::new(block_tokens),
            few: FEW,
            stream,
            costs: Vec::new(),
        }
    }

    pub fn choose(&mut self, prompt: u32, content: &[Stretch]) -> Choice {
        // The last token is always computed.
        let path = self.index.path(content, (prompt - 1) / self.block_tokens);
        let (lane, overlap) = if self.temperature > 0.0 {
            let own =
                |lane| self.weight * u64::from(prompt - path.overlap(lane) * self.block_tokens);
            let lanes = 0..self.loads.len() as u32;
            self.costs.clear();
            self.costs.extend(lanes.map(|lane| self.order.key(lane).0 + own(lane)));
            let lane = draw(&self.costs, self.temperature, &mut self.stream);
            (lane, path.overlap(lane))
        } else {
            let best = self.least(prompt, &path);
            (best.lane, best.overlap)
        };
        Choice { lane, uncached: prompt - overlap * self.block_tokens }
    }

    /// A call with `prompt` tokens was sent to `lane`, `uncached` of them to be
    /// computed.
    pub fn arrived(&mut self, lane: u32, prompt: u32, uncached: u32) {
        let load = &mut self.loads[lane as usize];
        load.prefill += u64::from(uncached);
        load.held += held(prompt, self.block_tokens);
        self.changed(lane);
    }

    /// The prompt of a call has been computed.
    pub fn prefilled(&mut self, lane: u32, uncached: u32) {
        self.loads[lane as usize].prefill -= u64::from(uncached);
        self.changed(lane);
    }

    /// A call with `prompt` tokens is done.
    pub fn left(&mut self, lane: u32, prompt: u32) {
        self.loads[lane as usize].held -= held(prompt, self.block_tokens);
        self.changed(lane);
    }

    /// Blocks came into the cache of `lane`, or went.
    pub fn told(&mut self, lane: u32, event: CacheEvent) {
        self.index.told(lane, event);
    }

    fn changed(&mut self, lane: u32) {
        let Load { prefill, held } = self.loads[lane as usize];
        self.changes += 1;
        self.order.set(lane, (self.weight * prefill + UNIT as u64 * held, self.changes));
    }

    /// The lane with the least cost.
    fn least(&self, prompt: u32, path: &Path<'_>) -> Best {
        let uncached = |overlap: u32| self.weight * u64::from(prompt - overlap * self.block_tokens);
        let rank = |key: (u64, u64), overlap| (key.0 + uncached(overlap), key);
        let mut best = Best { rank: (u64::MAX, (u64::MAX, u64::MAX)), lane: 0, overlap: 0 };
        let offer = |best: &mut Best, lane, overlap| {
            let rank = rank(self.order.key(lane), overlap);
            if rank < best.rank {
                *best = Best { rank, lane, overlap };
            }
        };
        let mut most = 0;
        for part in path.0.iter().rev() {
            if part.holders.len() > self.few {
                most = part.end;
                break;
            }
            for holder in part.holders {
                offer(&mut best, holder.lane, holder.end.min(part.end));
            }
            most = part.start;
        }
        // Everybody else holds at most `most` blocks.
        let mut search = self.order.search();
        while let Some(lane) = search.next(|key| rank(key, most) < best.rank) {
            offer(&mut best, lane, path.overlap(lane));
        }
        best
    }
}

/// Tokens of the blocks of a prompt.
fn held(prompt: u32, block_tokens: u32) -> u64 {
    u64::from(prompt.div_ceil(block_tokens)) * u64::from(block_tokens)
}

/// Draws a lane by a softmax of the negative costs over their range.
fn draw(costs: &[u64], temperature: f64, stream: &mut Stream) -> u32 {
    let least = *costs.iter().min().expect("a lane");
    let range = costs.iter().max().expect("a lane") - least;
    let weight = |cost: u64| match range {
        0 => 1.0,
        _ => libm::exp(-((cost - least) as f64 / range as f64) / temperature),
    };
    let total: f64 = costs.iter().map(|&cost| weight(cost)).sum();
    let mut left = stream.unit() * total;
    for (lane, &cost) in costs.iter().enumerate() {
        left -= weight(cost);
        if left < 0.0 {
            return lane as u32;
        }
    }
    // Rounding: the draw fell behind the last one.
    costs.len() as u32 - 1
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::{Component, Streams};
    use crate::workload::{Author, Content, Strand};
    use proptest::prelude::*;

    const BLOCK: u32 = 16;

    fn router(lanes: u32, weight: f64, temperature: f64) -> KvAware {
        let stream = Streams::new(1, 0).stream(Component::Route, 0, 0);
        KvAware::new(lanes, BLOCK, weight, temperature, stream)
    }

    /// A group's prefix of 64 blocks, then a session's own words.
    fn session(group: u64, session: u64) -> Content {
        let mut content = Content::new(Strand::new(0, Author::Group, group));
        content.turn_off(64 * BLOCK, Strand::new(0, Author::Session, session));
        content
    }

    fn store(router: &mut KvAware, lane: u32, content: &Content, blocks: u32) {
        for piece in crate::factory::cache::pieces(content.stretches(), BLOCK, blocks) {
            let (strand, first, end) = (piece.strand, piece.start, piece.end);
            router.told(lane, CacheEvent::Stored { strand, first, end });
        }
    }

    #[test]
    fn overlap_is_weighed_against_load() {
        let mut router = router(3, 1.0, 0.0);
        let ours = session(0, 0);
        store(&mut router, 1, &ours, 100);
        // 100 of 125 blocks need not be computed on lane 1.
        let choice = router.choose(2_000, ours.stretches());
        assert_eq!(choice, Choice { lane: 1, uncached: 400 });
        // It would wait there behind 1,600 tokens: as long as computing anew takes.
        router.arrived(1, 800, 800);
        assert_eq!(router.choose(2_000, ours.stretches()).lane, 0);
        router.prefilled(1, 800);
        assert_eq!(router.choose(2_000, ours.stretches()).lane, 1);
        // The prompts of a lane weigh as long as their calls last.
        router.arrived(1, 1_000, 0);
        assert_eq!(router.choose(2_000, ours.stretches()).lane, 0);
        router.left(1, 1_000);
        assert_eq!(router.choose(2_000, ours.stretches()).lane, 1);
    }

    #[test]
    fn what_is_evicted_is_forgotten() {
        let mut router = router(2, 1.0, 0.0);
        let ours = session(0, 0);
        store(&mut router, 1, &ours, 100);
        let strand = ours.stretches()[1].strand;
        router.told(1, CacheEvent::Removed { strand, end: 70 });
        assert_eq!(router.choose(2_000, ours.stretches()).uncached, 2_000 - 70 * BLOCK);
        router.told(1, CacheEvent::Removed { strand, end: 64 });
        assert_eq!(router.choose(2_000, ours.stretches()).uncached, 2_000 - 64 * BLOCK);
        router.told(1, CacheEvent::Removed { strand: ours.stretches()[0].strand, end: 0 });
        assert_eq!(router.choose(2_000, ours.stretches()), Choice { lane: 0, uncached: 2_000 });
        assert_eq!(router.index.len(), 0);
    }

    #[test]
    fn one_token_is_always_computed() {
        let mut router = router(2, 1.0, 0.0);
        let ours = session(0, 0);
        store(&mut router, 1, &ours, 100);
        assert_eq!(router.choose(96 * BLOCK, ours.stretches()).uncached, BLOCK);
    }

    /// Frequencies of the draw against the softmax of costs 0, 1/2 and 1 of
    /// their range: exp(0), exp(-1), exp(-2) for a temperature of one half.
    #[test]
    fn a_temperature_draws_by_softmax() {
        let mut stream = Streams::new(1, 0).stream(Component::Route, 0, 0);
        let mut counts = [0u32; 3];
        const DRAWS: u32 = 100_000;
        for _ in 0..DRAWS {
            counts[draw(&[1_000, 1_500, 2_000], 0.5, &mut stream) as usize] += 1;
        }
        let total = 1.0 + (-1f64).exp() + (-2f64).exp();
        for (count, cost) in counts.into_iter().zip([0.0, -1.0, -2.0f64]) {
            let share = cost.exp() / total;
            let deviation = (share * (1.0 - share) / f64::from(DRAWS)).sqrt();
            let seen = f64::from(count) / f64::from(DRAWS);
            assert!((seen - share).abs() < 4.0 * deviation, "{seen} against {share}");
        }
    }

    #[test]
    fn equal_costs_are_drawn_alike() {
        let mut stream = Streams::new(1, 0).stream(Component::Route, 0, 0);
        let mut counts = [0u32; 4];
        (0..4_000).for_each(|_| counts[draw(&[7; 4], 0.1, &mut stream) as usize] += 1);
        assert!(counts.iter().all(|&count| (880..1_120).contains(&count)), "{counts:?}");
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// A call of this group and session, with this many prompt tokens.
        Call(u64, u64, u32),
        /// A call in flight has its first token.
        Prefilled(prop::sample::Index),
        /// A call in flight whose prompt is computed ends.
        Left(prop::sample::Index),
        /// A lane holds this many blocks of a session.
        Stored(u32, u64, u64, u32),
        /// A lane holds only this many blocks of a session, and of its group.
        Removed(u32, u64, u64, u32),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let index = any::<prop::sample::Index>;
        let step = prop_oneof![
            4 => (0..2u64, 0..6u64, 1..4_000u32).prop_map(|(group, of, prompt)| Step::Call(group, of, prompt)),
            2 => index().prop_map(Step::Prefilled),
            2 => index().prop_map(Step::Left),
            3 => (0..30u32, 0..2u64, 0..6u64, 1..200u32).prop_map(|(lane, group, of, blocks)| Step::Stored(lane, group, of, blocks)),
            1 => (0..30u32, 0..2u64, 0..6u64, 0..200u32).prop_map(|(lane, group, of, blocks)| Step::Removed(lane, group, of, blocks)),
        ];
        proptest::collection::vec(step, 0..150)
    }

    /// Blocks by lane, group or session: a cache as a table.
    type Held = std::collections::BTreeMap<(u32, Strand), u32>;

    fn overlap(held: &Held, lane: u32, content: &Content, most: u32) -> u32 {
        let [group, session] = content.stretches() else { unreachable!() };
        let of_group = held.get(&(lane, group.strand)).copied().unwrap_or(0).min(64);
        let of_session = held.get(&(lane, session.strand)).copied().unwrap_or(0);
        if of_group == 64 { of_session.max(64).min(most) } else { of_group.min(most) }
    }

    /// Takes blocks from `end` on away, as a cache does: what continues them first.
    fn remove(router: &mut KvAware, held: &mut Held, lane: u32, group: u64, of: u64, end: u32) {
        let strand = |author, number| Strand::new(0, author, number);
        let mut cut = |strand, first: u32| {
            let to = end.max(first);
            if held.get(&(lane, strand)).is_some_and(|&now| now > to) {
                router.told(lane, CacheEvent::Removed { strand, end: to });
                if to > first {
                    held.insert((lane, strand), to)
                } else {
                    held.remove(&(lane, strand))
                };
            }
        };
        let sessions = if end < 64 { 0..6 } else { of..of + 1 };
        sessions.for_each(|of| cut(strand(Author::Session, group * 10 + of), 64));
        cut(strand(Author::Group, group), 0);
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]
        /// Against the cost of every lane by its definition.
        #[test]
        fn chooses_what_a_search_of_all_finds(
            steps in steps(),
            lanes in 1..30u32,
            weight in prop_oneof![Just(0.0), Just(1.0), 0.0..3.0, 5.0..30.0],
            few in prop_oneof![Just(0), Just(4), Just(FEW)],
        ) {
            let mut router = KvAware { few, ..router(lanes, weight, 0.0) };
            let mut held = Held::new();
            let mut all: Vec<(u64, u64, u64)> = (0..u64::from(lanes)).map(|lane| (0, 0, lane)).collect();
            let mut computing: Vec<(Choice, u32)> = Vec::new();
            let mut running: Vec<(Choice, u32)> = Vec::new();
            let mut changes = u64::from(lanes);
            let blocks = |prompt: u32| u64::from(prompt.div_ceil(BLOCK) * BLOCK);
            for step in steps {
                match step {
                    Step::Call(group, of, prompt) => {
                        let content = session(group, group * 10 + of);
                        let weight = (weight * 1024.0).round() as u64;
                        let uncached = |lane: u32| prompt - overlap(&held, lane, &content, (prompt - 1) / BLOCK) * BLOCK;
                        let cost = |lane: u32| {
                            let (prefill, held, since) = all[lane as usize];
                            let load = weight * prefill + 1024 * held;
                            (load + weight * u64::from(uncached(lane)), load, since)
                        };
                        let lane = (0..lanes).min_by_key(|&lane| cost(lane)).unwrap();
                        let choice = router.choose(prompt, content.stretches());
                        prop_assert_eq!(choice, Choice { lane, uncached: uncached(lane) });
                        router.arrived(lane, prompt, choice.uncached);
                        changes += 1;
                        let load = &mut all[lane as usize];
                        *load = (load.0 + u64::from(choice.uncached), load.1 + blocks(prompt), changes);
                        computing.push((choice, prompt));
                    }
                    Step::Prefilled(which) if !computing.is_empty() => {
                        let (choice, prompt) = computing.swap_remove(which.index(computing.len()));
                        router.prefilled(choice.lane, choice.uncached);
                        changes += 1;
                        let load = &mut all[choice.lane as usize];
                        *load = (load.0 - u64::from(choice.uncached), load.1, changes);
                        running.push((choice, prompt));
                    }
                    Step::Left(which) if !running.is_empty() => {
                        let (choice, prompt) = running.swap_remove(which.index(running.len()));
                        router.left(choice.lane, prompt);
                        changes += 1;
                        let load = &mut all[choice.lane as usize];
                        *load = (load.0, load.1 - blocks(prompt), changes);
                    }
                    Step::Stored(lane, group, of, blocks) if lane < lanes => {
                        let content = session(group, group * 10 + of);
                        store(&mut router, lane, &content, blocks);
                        for piece in crate::factory::cache::pieces(content.stretches(), BLOCK, blocks) {
                            let end = held.entry((lane, piece.strand)).or_default();
                            *end = piece.end.max(*end);
                        }
                    }
                    Step::Removed(lane, group, of, end) if lane < lanes => {
                        remove(&mut router, &mut held, lane, group, of, end);
                    }
                    _ => {}
                }
            }
            prop_assert!(router.index.len() <= held.len());
        }
    }
}
