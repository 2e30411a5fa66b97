//! The tiers of all pools, and what a rank does with its own.
//!
//! A rank sees its tiers as [`Level`]s from near to far. Whether a level's store
//! and link belong to the rank alone or to many is a matter of which it points
//! to. A tier receives blocks by its [`Writing`]; what it has no room for goes to
//! the next farther one if that one's policy is [`Writing::OnEvict`].

use super::{Count, Counts, Dropped, Link, Store};
use crate::factory::cache::{Piece, pieces};
use crate::factory::call::CallId;
use crate::kernel::{Span, Time};
use crate::workload::Stretch;
use smallvec::SmallVec;

/// Most tiers of a pool.
pub const LEVELS_MAX: usize = 4;

/// When a tier receives blocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Writing {
    /// When they have been computed: a prompt's when its first token is sampled,
    /// the output's when the sequence ends, since nobody can ask for them earlier.
    WriteThrough,
    /// When their sequence ends or is preempted.
    WriteBack,
    /// When the next nearer tier, or HBM, drops them. What is fetched leaves it.
    OnEvict,
}

/// Which of a row of stores or links a rank uses.
#[derive(Clone, Copy, Debug, Default)]
pub struct Seats {
    /// The one of the first rank of the first replica.
    pub first: u32,
    /// How many each replica has to itself.
    pub per_replica: u32,
    /// How many each rank has to itself.
    pub per_rank: u32,
}

impl Seats {
    fn of(&self, replica: u32, rank: u32) -> usize {
        (self.first + replica * self.per_replica + rank * self.per_rank) as usize
    }
}

/// A tier as the ranks of a pool see it.
#[derive(Clone, Copy, Debug)]
pub struct Level {
    /// When it receives blocks.
    pub policy: Writing,
    /// Bytes of a block in the store.
    pub block_bytes: u64,
    /// Bytes of a block that pass over one link.
    pub link_bytes: u64,
    /// Its stores.
    pub stores: Seats,
    /// Its links.
    pub links: Seats,
    /// Where its traffic is counted.
    pub count: usize,
}

/// Blocks of a sequence that one tier has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// The tier among the levels of the rank.
    pub level: usize,
    /// The blocks.
    pub piece: Piece,
    /// When they have been written.
    there: Time,
}

/// Parts that follow one another in a sequence.
pub type Parts = SmallVec<[Part; 2]>;

/// What a call owes to each tier: prompt tokens, and seconds of computing them.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Credit {
    /// Tokens by level.
    pub tokens: [u32; LEVELS_MAX],
    /// Seconds by level.
    pub saved_s: [f64; LEVELS_MAX],
}

/// All tiers of a simulation.
#[derive(Clone, Debug)]
pub struct Tiers<S> {
    stores: Vec<S>,
    links: Vec<Link>,
    counts: Counts,
    /// By place of the call; kept from a fetch to the call's end.
    credits: Vec<Credit>,
    /// Kept for their memory.
    pieces: Vec<Piece>,
    dropped: Vec<Dropped>,
}

impl<S: Store> Tiers<S> {
    /// Empty stores of these capacities in bytes, links at rest, and room for
    /// the traffic of `counts` levels.
    pub fn new(capacities: &[u64], links: Vec<Link>, counts: usize) -> Self {
        Tiers {
            stores: capacities.iter().map(|&capacity| S::new(capacity)).collect(),
            links,
            counts: Counts::new(counts),
            credits: Vec::new(),
            pieces: Vec::new(),
            dropped: Vec::new(),
        }
    }

    /// What rank `rank` of replica `replica` sees of them.
    #[inline]
    pub fn view<'a>(&'a mut self, levels: &'a [Level], replica: u32, rank: u32) -> View<'a, S> {
        View { tiers: self, levels, replica, rank }
    }

    /// The measured window opens: counts start anew.
    pub fn open(&mut self, now: Time) {
        self.counts.open(&self.links, now);
    }

    /// The traffic of the levels of a pool of `replicas` replicas of `ranks`
    /// ranks since the window opened.
    pub fn counted(&self, levels: &[Level], replicas: u32, ranks: u32, now: Time) -> Vec<Count> {
        let of_level = |level: &Level| {
            let all = (0..replicas).flat_map(|a| (0..ranks).map(move |b| (a, b)));
            let mut links: Vec<usize> = all.map(|(a, b)| level.links.of(a, b)).collect();
            links.dedup();
            self.counts.since_open(level.count, &self.links, &links, now)
        };
        levels.iter().map(of_level).collect()
    }

    /// What `call` owes to each tier.
    #[inline]
    pub fn credit(&self, call: CallId) -> Credit {
        self.credits.get(call.index() as usize).copied().unwrap_or_default()
    }

    /// The same, and forgets it: the call has ended.
    #[inline]
    pub fn settle(&mut self, call: CallId) -> Credit {
        self.credits.get_mut(call.index() as usize).map(std::mem::take).unwrap_or_default()
    }

    /// Panics if a store keeps more than it has room for.
    pub fn recount(&self) {
        for store in &self.stores {
            assert!(store.used() <= store.capacity(), "a tier keeps more than it has room for");
        }
    }
}

/// The tiers that a rank sees.
pub struct View<'a, S> {
    tiers: &'a mut Tiers<S>,
    levels: &'a [Level],
    replica: u32,
    rank: u32,
}

impl<S: Store> View<'_, S> {
    /// Where the blocks of a sequence from `from` on lie, each in the nearest
    /// tier that has it, until one lies nowhere; at most up to block `most`.
    pub fn find(
        &self,
        now: Time,
        content: &[Stretch],
        block_tokens: u32,
        from: u32,
        most: u32,
    ) -> Parts {
        let mut parts = Parts::new();
        for piece in pieces(content, block_tokens, most) {
            let mut block = piece.start.max(from);
            while block < piece.end {
                let Some(part) = self.nearest(now, Piece { start: block, ..piece }) else {
                    return parts;
                };
                parts.push(part);
                block = part.piece.end;
            }
        }
        parts
    }

    fn nearest(&self, now: Time, piece: Piece) -> Option<Part> {
        self.levels.iter().enumerate().find_map(|(at, level)| {
            let store = &self.tiers.stores[level.stores.of(self.replica, self.rank)];
            let (end, there) = store.find(piece, now);
            let piece = Piece { end, ..piece };
            (end > piece.start).then_some(Part { level: at, piece, there })
        })
    }

    /// Keeps as many of `parts` as are worth fetching: those after which the
    /// time to compute all blocks up to there, `worth` of their end, exceeds the
    /// time to fetch them by most. All transfers start now, each on its link.
    pub fn choose(&self, now: Time, parts: &mut Parts, worth: impl Fn(u32) -> Span) {
        let mut bytes = [0; LEVELS_MAX];
        let (mut there, mut best, mut chosen) = (now, Span::ZERO, 0);
        for (at, part) in parts.iter().enumerate() {
            bytes[part.level] += self.bytes(part);
            there = there.max(part.there);
            let arrived = |(at, level): (usize, &Level)| {
                let link = &self.tiers.links[level.links.of(self.replica, self.rank)];
                if bytes[at] > 0 { link.read_by(now, bytes[at]) } else { now }
            };
            let done = self.levels.iter().enumerate().map(arrived).fold(there, Time::max);
            let (worth, took) = (worth(part.piece.end), done.since(now));
            if worth > took && worth - took > best {
                (best, chosen) = (worth - took, at + 1);
            }
        }
        parts.truncate(chosen);
    }

    /// Starts to fetch `parts`. Returns when all of them have arrived.
    pub fn fetch(&mut self, now: Time, parts: &Parts) -> Time {
        let mut done = now;
        for (at, level) in self.levels.iter().enumerate() {
            let of_level = || parts.iter().filter(|part| part.level == at);
            let blocks: u64 = of_level().map(|part| u64::from(part.piece.blocks())).sum();
            if blocks == 0 {
                continue;
            }
            let link = &mut self.tiers.links[level.links.of(self.replica, self.rank)];
            done = done.max(link.read(now, blocks * level.link_bytes));
            self.tiers.counts.read(level.count, blocks * level.block_bytes);
            let store = &mut self.tiers.stores[level.stores.of(self.replica, self.rank)];
            for part in parts.iter().rev().filter(|part| part.level == at) {
                store.put(part.piece, level.block_bytes, now, now);
            }
        }
        parts.iter().fold(done, |done, part| done.max(part.there))
    }

    /// `call` will owe `seconds` of computing to each part of what it fetches.
    pub fn owe(
        &mut self,
        call: CallId,
        parts: &Parts,
        tokens: u32,
        seconds: impl Fn(Piece) -> f64,
    ) {
        let at = call.index() as usize;
        if self.tiers.credits.len() <= at {
            self.tiers.credits.resize(at + 1, Credit::default());
        }
        let credit = &mut self.tiers.credits[at];
        *credit = Credit::default();
        for part in parts {
            credit.tokens[part.level] += part.piece.blocks() * tokens;
            credit.saved_s[part.level] += seconds(part.piece);
        }
    }

    /// `parts` have arrived in HBM: they leave tiers that keep only what nobody
    /// nearer has.
    pub fn arrived(&mut self, parts: &Parts) {
        for part in parts {
            let level = &self.levels[part.level];
            if level.policy == Writing::OnEvict {
                let store = &mut self.tiers.stores[level.stores.of(self.replica, self.rank)];
                store.take(part.piece);
            }
        }
    }

    /// The first `blocks` blocks of a sequence have been computed; `is_over`:
    /// and it has ended.
    pub fn computed(
        &mut self,
        now: Time,
        content: &[Stretch],
        block_tokens: u32,
        blocks: u32,
        is_over: bool,
    ) {
        for at in 0..self.levels.len() {
            let receives = match self.levels[at].policy {
                Writing::WriteThrough => true,
                Writing::WriteBack => is_over,
                Writing::OnEvict => false,
            };
            if receives {
                self.tiers.pieces.extend(pieces(content, block_tokens, blocks));
                self.tiers.pieces.reverse();
                self.write(now, at);
            }
        }
    }

    /// HBM has dropped `evicted`, in this order.
    pub fn evicted(&mut self, now: Time, evicted: &mut Vec<Piece>) {
        if self.levels.first().is_some_and(|level| level.policy == Writing::OnEvict) {
            self.tiers.pieces.append(evicted);
            self.write(now, 0);
        }
        evicted.clear();
    }

    /// The blocks listed in `pieces` are used in the tier at `first`, in this
    /// order, and written if it has not got them. What that drops goes on.
    fn write(&mut self, now: Time, first: usize) {
        let (mut at, mut ready) = (first, now);
        while !self.tiers.pieces.is_empty() {
            self.write_level(now, ready, at);
            let Tiers { pieces, dropped, .. } = &mut *self.tiers;
            ready = dropped.iter().fold(now, |ready, dropped| ready.max(dropped.there));
            pieces.clear();
            at += 1;
            if self.levels.get(at).is_some_and(|level| level.policy == Writing::OnEvict) {
                pieces.extend(dropped.iter().map(|dropped| dropped.piece));
            }
            dropped.clear();
        }
    }

    fn write_level(&mut self, now: Time, ready: Time, at: usize) {
        let level = &self.levels[at];
        let Tiers { stores, links, counts, pieces, dropped, .. } = &mut *self.tiers;
        let store = &mut stores[level.stores.of(self.replica, self.rank)];
        let absent: u64 = pieces.iter().map(|&piece| u64::from(store.absent(piece))).sum();
        let mut there = now;
        if absent > 0 {
            let link = &mut links[level.links.of(self.replica, self.rank)];
            there = link.write(now, absent * level.link_bytes).max(ready);
            counts.written(level.count, absent * level.block_bytes);
        }
        for &piece in pieces.iter() {
            store.put(piece, level.block_bytes, there, now);
        }
        store.shrink(dropped);
    }

    fn bytes(&self, part: &Part) -> u64 {
        u64::from(part.piece.blocks()) * self.levels[part.level].link_bytes
    }
}
