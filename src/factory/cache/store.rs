//! KV blocks that can be found again by what they hold.
//!
//! The verbs of a sequence, in the order of its life: `lookup` what is there
//! already, `acquire` it, `publish` blocks as they are computed, `release` all
//! of them at the end. What nobody uses stays, idle, until `evict` takes it.
//! Every verb walks the runs along one sequence; nothing looks at blocks.
//!
//! A block's content is kept once: who computes a block that is there already
//! shares it and gives its own back ([`Published::duplicates`]). A sequence
//! uses all blocks from its start, so users never grow along a sequence, and
//! eviction never leaves a block without those before it.
//!
//! Text that nobody else can have needs none of this: its sequence keeps its
//! blocks to itself and `retire`s them when it ends. They are idle like others
//! then, but nameless, and those that fell idle one after the other are one run.

use super::agent_hold::Hold;
use super::policy::Policy;
use super::runs::{NONE, Run, Runs};
use crate::kernel::Time;
use crate::workload::{Strand, Stretch};

/// What a lookup found.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Hit {
    /// Blocks from the start of the sequence.
    pub blocks: u32,
    /// Of these, blocks that nobody uses.
    pub idle: u32,
}

/// What publishing did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Published {
    /// Blocks that were there already.
    pub duplicates: u32,
    /// Of these, blocks that nobody used before.
    pub woken: u32,
}

/// Blocks under one policy; see the module text.
///
/// A block of the module text is a *place* of [groups of layers](crate::factory::KvGroups),
/// which takes a block of memory in each group; counts are of those.
#[derive(Clone, Debug)]
pub struct Store<P> {
    pub(super) block_tokens: u32,
    /// Groups of full attention, and of windowed layers: blocks of a place.
    full: u32,
    windowed: u32,
    pub(super) runs: Runs,
    pub(super) order: P,
    pub(super) resident: u32,
    pub(super) idle: u32,
    /// Runs that a release walks, kept for its memory.
    pub(super) path: Vec<u32>,
}

impl<P: Policy> Store<P> {
    /// An empty store of blocks of `block_tokens` tokens.
    pub fn new(order: P, block_tokens: u32) -> Self {
        let (runs, path) = (Runs::default(), Vec::new());
        let (full, windowed) = (1, 0);
        Store { block_tokens, full, windowed, runs, order, resident: 0, idle: 0, path }
    }

    /// The same for `full` groups of full attention and `windowed` of windowed layers.
    pub fn with_groups(self, full: u32, windowed: u32) -> Self {
        Store { full, windowed, ..self }
    }

    /// Blocks of memory that one place of `strand` takes.
    #[inline]
    pub(super) fn weight(&self, strand: Strand) -> u32 {
        if strand.is_windowed() { self.windowed } else { self.full }
    }

    /// Blocks kept.
    pub fn resident(&self) -> u32 {
        self.resident
    }

    /// Blocks kept that nobody uses.
    #[inline]
    pub fn idle(&self) -> u32 {
        self.idle
    }

    /// Runs kept: what its memory and the cost of its verbs follow.
    pub fn runs(&self) -> usize {
        self.runs.len()
    }

    /// The blocks of a sequence that are there from its start on, at most `blocks`.
    pub fn lookup(&self, content: &[Stretch], blocks: u32) -> Hit {
        let mut hit = Hit::default();
        for piece in pieces(content, self.block_tokens, blocks) {
            let mut at = self.find(piece.strand, piece.start);
            while at != NONE && hit.blocks < piece.end && self.runs[at].start <= hit.blocks {
                let run = &self.runs[at];
                let end = run.end.min(piece.end);
                if run.users == 0 {
                    hit.idle += self.full * (end - hit.blocks);
                }
                hit.blocks = end;
                at = run.behind;
            }
            if hit.blocks < piece.end {
                break;
            }
        }
        hit
    }

    /// Uses the first `blocks` blocks of a sequence, which are there. Returns how
    /// many of them nobody used before.
    pub fn acquire(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        let (resident, idle) = (self.resident, self.idle);
        self.share(content, 0, blocks);
        debug_assert!(self.resident == resident, "acquired blocks that are not there");
        idle - self.idle
    }

    /// Adds blocks `from..to` of a sequence, whose first `from` blocks the caller
    /// uses, and uses them too.
    pub fn publish(&mut self, content: &[Stretch], from: u32, to: u32) -> Published {
        let (resident, idle) = (self.resident, self.idle);
        self.share(content, from, to);
        let duplicates = self.full * (to - from) - (self.resident - resident);
        Published { duplicates, woken: idle - self.idle }
    }

    /// Ends the use of the first `blocks` blocks of a sequence, from the last to
    /// the first. Returns how many of them nobody uses now.
    pub fn release(&mut self, content: &[Stretch], blocks: u32) -> u32 {
        let before = self.idle;
        let mut path = std::mem::take(&mut self.path);
        for piece in pieces(content, self.block_tokens, blocks) {
            let mut at = self.find(piece.strand, piece.start);
            while at != NONE && self.runs[at].start < piece.end {
                if self.runs[at].end > piece.end {
                    at = self.split(at, piece.end);
                }
                path.push(at);
                at = self.runs[at].behind;
            }
        }
        for mut at in path.drain(..).rev() {
            if self.runs[at].users > 1 {
                self.runs[at].users -= 1;
                continue;
            }
            loop {
                let from = self.order.part(&self.runs, at);
                if from == self.runs[at].start {
                    break;
                }
                let head = self.split(at, from);
                self.rest(at);
                at = head;
            }
            self.rest(at);
        }
        self.path = path;
        self.idle - before
    }

    /// [`Store::release`] for a sequence that says `said` of its blocks.
    pub fn leave(&mut self, content: &[Stretch], blocks: u32, said: Hold) -> u32 {
        self.order.hold(said);
        let fallen_idle = self.release(content, blocks);
        self.order.hold(Hold::Silent);
        fallen_idle
    }

    /// Whether a sequence may keep blocks to itself and [`Store::retire`] them,
    /// with nothing else turning out different.
    pub fn can_retire(&self) -> bool {
        !P::MINDS_ARRIVALS
    }

    /// A sequence that kept blocks to itself ends, and nobody will ever look for
    /// them: `blocks` more are idle, as if they had been published and released.
    pub fn retire(&mut self, blocks: u32) {
        self.retire_as(Strand::NONE, blocks);
    }

    /// [`Store::retire`] for blocks of windowed layers.
    pub fn retire_windows(&mut self, blocks: u32) {
        self.retire_as(Strand::NONE.windowed(), blocks);
    }

    #[inline]
    fn retire_as(&mut self, strand: Strand, blocks: u32) {
        let weight = self.weight(strand);
        self.resident += weight * blocks;
        self.idle += weight * blocks;
        match self.order.grows_nameless(&self.runs, strand) {
            // Which of them goes first makes no difference.
            Some(at) => self.runs[at].end += blocks,
            None if blocks == 0 => {}
            None => {
                let at = self.runs.insert_nameless(strand, blocks);
                self.order.add(at);
                self.order.rest(&mut self.runs, at);
            }
        }
    }

    /// Takes away idle places that make up `blocks` blocks of memory, in the order of
    /// the policy, and tells of each stretch of them but those of windowed layers: its
    /// strand, first place and end. Returns by how many blocks the last place was more
    /// than that.
    pub fn evict(&mut self, blocks: u32, mut tell: impl FnMut(Strand, u32, u32)) -> u32 {
        let mut left = blocks;
        while left > 0 {
            let victim = self.order.victim(&self.runs);
            let at = victim.expect("as many idle blocks as are evicted");
            let (run, weight) = (&self.runs[at], self.weight(self.runs[at].strand));
            // What takes no memory goes when its turn comes.
            let most = if weight > 0 { left.div_ceil(weight) } else { u32::MAX };
            let taken = most.min(run.blocks());
            self.take(at, taken, &mut tell);
            match left.checked_sub(taken * weight) {
                Some(fewer) => left = fewer,
                None => return taken * weight - left,
            }
        }
        0
    }

    /// Time has come to `now`, for this and all verbs until the next call: blocks
    /// that a policy with a time limit keeps no longer are taken away, and told
    /// of like evicted ones. Other policies know no time.
    #[inline]
    pub fn expire(&mut self, now: Time, mut tell: impl FnMut(Strand, u32, u32)) {
        self.order.pass(now);
        while let Some(at) = self.order.expired() {
            self.take(at, self.runs[at].blocks(), &mut tell);
        }
    }

    /// The last instant at which all blocks are there and as due as now, whatever
    /// nobody does in between; `None`: for good.
    #[inline]
    pub fn all_live_until(&self) -> Option<Time> {
        self.order.all_live_until()
    }

    /// Takes the last `blocks` blocks of idle run `at`, which nothing continues.
    #[inline]
    fn take(&mut self, at: u32, blocks: u32, tell: &mut impl FnMut(Strand, u32, u32)) {
        let run = &mut self.runs[at];
        run.end -= blocks;
        let Run { strand, end, parent, .. } = *run;
        let is_empty = run.blocks() == 0;
        if !strand.is_windowed() {
            tell(strand, end, end + blocks);
        }
        let memory = self.weight(strand) * blocks;
        self.resident -= memory;
        self.idle -= memory;
        self.order.take(&mut self.runs, at, blocks);
        if is_empty {
            self.runs.remove(at);
            self.order.end(&self.runs, parent);
        }
    }

    /// Panics unless what is kept as sums is what the runs say. Returns the uses
    /// of blocks: one for each block and each sequence that uses it.
    pub fn recount(&self) -> u64 {
        let blocks = |counts: fn(&Run) -> bool| -> u32 {
            let counted = self.runs.iter().filter(|run| counts(run));
            counted.map(|run| self.weight(run.strand) * run.blocks()).sum()
        };
        assert_eq!(self.resident, blocks(|_| true), "KV blocks kept");
        assert_eq!(self.idle, blocks(|run| run.users == 0), "KV blocks that nobody uses");
        let uses = |run: &Run| run.users * self.weight(run.strand) * run.blocks();
        self.runs.iter().map(|run| u64::from(uses(run))).sum()
    }

    /// The first run of `strand` that reaches beyond `block`.
    #[inline]
    pub(super) fn find(&self, strand: Strand, block: u32) -> u32 {
        let mut at = self.runs.head(strand);
        while at != NONE && self.runs[at].end <= block {
            at = self.runs[at].behind;
        }
        at
    }

    /// One more user for blocks `from..to`; what is not there is added.
    fn share(&mut self, content: &[Stretch], from: u32, to: u32) {
        // The run that ends where the walk stands, and the strand before this one.
        let mut last = NONE;
        let mut before: Option<Strand> = None;
        for piece in pieces(content, self.block_tokens, to) {
            if piece.end > from {
                let start = piece.start.max(from);
                if last == NONE && start > 0 {
                    let inside = if start > piece.start { Some(piece.strand) } else { before };
                    last = self.run_before(inside.expect("a strand before"), start);
                }
                last = self.share_piece(Piece { start, ..piece }, last);
            }
            before = Some(piece.strand);
        }
    }

    /// The run of `strand` that ends before block `end`; cut so that it does.
    fn run_before(&mut self, strand: Strand, end: u32) -> u32 {
        let at = self.find(strand, end - 1);
        debug_assert!(at != NONE && self.runs[at].start < end, "a hole before block {end}");
        if self.runs[at].end > end { self.split(at, end) } else { at }
    }

    /// [`Store::share`] for the blocks of one strand; `last` is the run
    /// before them. Returns the last run of the piece.
    fn share_piece(&mut self, piece: Piece, mut last: u32) -> u32 {
        let mut block = piece.start;
        let mut at = self.find(piece.strand, block);
        while block < piece.end {
            if at != NONE && self.runs[at].start <= block {
                debug_assert!(self.runs[at].start == block, "a user of half a run");
                if self.runs[at].end > piece.end {
                    at = self.split(at, piece.end);
                }
                self.join(at);
                last = at;
            } else {
                let end = if at == NONE { piece.end } else { self.runs[at].start.min(piece.end) };
                last = self.add(piece.strand, block, end, last);
            }
            block = self.runs[last].end;
            at = self.runs[last].behind;
        }
        last
    }

    /// One more user of run `at`.
    pub(super) fn join(&mut self, at: u32) {
        if self.runs[at].users == 0 {
            self.idle -= self.weight(self.runs[at].strand) * self.runs[at].blocks();
            self.order.wake(&mut self.runs, at);
        }
        self.runs[at].users += 1;
        self.order.hit(at);
    }

    /// New blocks `start..end` behind run `last`, which the caller uses.
    fn add(&mut self, strand: Strand, start: u32, end: u32, last: u32) -> u32 {
        self.resident += self.full * (end - start);
        let mut before = NONE;
        if last != NONE && self.runs[last].strand == strand {
            before = last;
            let run = &mut self.runs[last];
            if run.users == 1 && run.children == 0 && self.order.extends(last) {
                run.end = end;
                return last;
            }
        }
        let links = Run {
            strand,
            start,
            end,
            users: 1,
            children: 0,
            parent: last,
            before,
            behind: NONE,
            older: NONE,
            newer: NONE,
        };
        let at = self.runs.insert(links);
        self.order.add(at);
        at
    }

    /// Cuts run `at` before block `cut` and returns the part before it.
    fn split(&mut self, at: u32, cut: u32) -> u32 {
        let head = self.runs.split(at, cut);
        self.order.split(&mut self.runs, head, at);
        head
    }

    /// Run `at` loses its last user.
    pub(super) fn rest(&mut self, at: u32) {
        self.runs[at].users = 0;
        self.idle += self.weight(self.runs[at].strand) * self.runs[at].blocks();
        self.order.rest(&mut self.runs, at);
        let Run { end, behind, children, .. } = self.runs[at];
        let continues = children == 1 && behind != NONE && self.runs[behind].start == end;
        if continues && self.order.joins(&self.runs, at, behind) {
            self.order.merge(&mut self.runs, at, behind);
            self.runs.merge(at, behind);
        }
    }
}

/// Blocks `start..end` of a sequence, all of one strand.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Piece {
    /// The strand.
    pub strand: Strand,
    /// Its first block.
    pub start: u32,
    /// The block after its last.
    pub end: u32,
}

impl Piece {
    /// Its blocks.
    pub fn blocks(&self) -> u32 {
        self.end - self.start
    }
}

/// The first `blocks` blocks of a sequence by strand. A block belongs to the
/// strand of its last token.
#[inline]
pub fn pieces(
    content: &[Stretch],
    block_tokens: u32,
    blocks: u32,
) -> impl Iterator<Item = Piece> + '_ {
    let mut start = 0;
    content.iter().filter_map(move |stretch| {
        let end = blocks.min(stretch.until / block_tokens);
        (end > start).then(|| Piece {
            strand: stretch.strand,
            start: std::mem::replace(&mut start, end),
            end,
        })
    })
}
