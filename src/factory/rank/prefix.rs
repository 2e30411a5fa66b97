//! What a rank does with its prefix cache.
//!
//! Free blocks are all that no running sequence holds: those with nothing in
//! them and the idle ones of the cache, which are evicted when they are needed.
//! A sequence shares the blocks that the cache knows; the others, its last one
//! and those it has decoded into, are its own until it ends. Nobody could hit
//! decoded blocks earlier: only a later call can continue them.
//!
//! A call that shares its text with nobody can be hit by itself alone, after a
//! preemption. Until there is one its blocks stay its own, and when it ends they
//! fall idle without a name, which leaves the same blocks to be evicted in the
//! same order for a tenth of the work.
//!
//! Nobody sees which blocks an eviction takes until the cache is asked again. So
//! evictions are only counted, and carried out together before the next verb:
//! a step of undisturbed decoding does not touch the cache.

use super::{Partial, Rank, Turn};
use crate::factory::cache::{CacheEvents, Hit, Hold, PrefixStore, pieces};
use crate::factory::call::{Call, CallId, Calls};
use crate::kernel::Time;
use crate::workload::{Author, Strand, Stretch};

impl Rank {
    /// The blocks of `call` that are in the cache. At least one token is left
    /// to compute: without it there would be nothing to sample from. Where answers
    /// are not kept none of it is looked for either, whoever may have it as a prompt.
    pub(super) fn find(&mut self, call: &Call, calls: &Calls) -> Hit {
        match self.keepable(call, call.known_tokens() - 1) {
            0 => Hit::default(),
            most => self.settled().lookup(calls.stretches(call, &mut nothing()), most),
        }
    }

    /// Tokens of `call`, which holds its first `blocks` blocks, that need not be
    /// computed.
    #[inline]
    pub(super) fn known(&self, call: &Call, blocks: u32) -> u32 {
        let found = blocks * self.limits.block_tokens;
        match call.given_now() {
            Some(carried) if call.is_carried => carried.max(found),
            Some(given) => given,
            None => found,
        }
    }

    /// Whether `call` keeps its blocks to itself; see the module text.
    #[inline]
    fn is_apart(&self, call: &Call) -> bool {
        self.sets_apart && call.is_private() && call.preemptions == 0
    }

    /// The first blocks of `tokens` tokens of `call` that the cache may know.
    #[inline]
    pub(super) fn keepable(&self, call: &Call, tokens: u32) -> u32 {
        if self.is_apart(call) { 0 } else { self.kept_at_end(call, tokens) }
    }

    /// The first blocks of `tokens` tokens of `call` that the cache keeps when it
    /// ends: those that are full, and by its rules.
    #[inline]
    fn kept_at_end(&self, call: &Call, tokens: u32) -> u32 {
        let most = match (&self.limits.prefix_cache, call.is_apart_from_cache()) {
            (Some(rules), false) if rules.cache_decoded => tokens,
            (Some(_), false) => call.prompt,
            (None, _) | (_, true) => 0,
        };
        tokens.min(most) / self.limits.block_tokens
    }

    /// Holds the blocks that were hit.
    pub(super) fn acquire(&mut self, calls: &Calls, id: CallId, hit: Hit) {
        if hit.blocks > 0 {
            let mut own = nothing();
            self.settled().acquire(calls.stretches(&calls[id], &mut own), hit.blocks);
            self.idle -= hit.idle;
            self.blocks.take(hit.idle);
        }
    }

    /// A chunk of a prompt enters the step that starts: its blocks can be hit
    /// from now on, or once they have been computed.
    pub(super) fn start_chunk(&mut self, turn: &Turn, partial: &mut Partial) {
        let Some(rules) = self.limits.prefix_cache else { return };
        let in_flight = if rules.dedup_in_flight { partial.chunk } else { 0 };
        let tokens = partial.computed + in_flight;
        partial.published = self.publish(turn.calls, partial.call, partial.published, tokens);
    }

    /// Whether the cache has the block behind those of `partial` that it knows. Only
    /// what ends brings such blocks, so it stays as it is until something happens.
    pub(super) fn meets(&mut self, turn: &Turn, partial: &Partial) -> bool {
        let next = partial.published + 1;
        if self.keepable(&turn.calls[partial.call], partial.known) < next {
            return false;
        }
        let mut own = nothing();
        let content = turn.calls.stretches(&turn.calls[partial.call], &mut own);
        self.settled().lookup(content, next).blocks == next
    }

    /// Lets the cache know the full blocks of the first `tokens` tokens of a
    /// sequence, of which it knows `published`. Returns how many it knows now.
    pub(super) fn publish(
        &mut self,
        calls: &Calls,
        id: CallId,
        published: u32,
        tokens: u32,
    ) -> u32 {
        let full = self.keepable(&calls[id], tokens);
        if full <= published {
            return published;
        }
        let mut own = nothing();
        let content = calls.stretches(&calls[id], &mut own);
        let added = self.settled().publish(content, published, full);
        self.idle -= added.woken;
        self.blocks.give(added.duplicates - added.woken);
        tell_stored(&mut self.events, content, self.limits.block_tokens, published, full);
        full
    }

    /// Blocks of a decoding sequence that the cache knows: those of its prompt,
    /// and of what it had generated when it was admitted last.
    pub(super) fn published(&self, call: &Call) -> u32 {
        self.keepable(call, call.known_tokens() - 1)
    }

    /// A call with KV of `tokens` tokens is over; the cache knows `published` of
    /// its blocks.
    #[inline]
    pub(super) fn release(&mut self, turn: &mut Turn, id: CallId, tokens: u32, published: u32) {
        let call = &turn.calls[id];
        if self.is_apart(call) {
            let full = self.kept_at_end(call, tokens);
            self.blocks.give(self.blocks.holding(tokens));
            self.settled().retire(full);
            self.idle += full;
        } else {
            let said = call.hold.in_blocks(self.limits.block_tokens);
            self.let_go(turn, id, tokens, published, said);
        }
    }

    /// A sequence with KV of `tokens` tokens ends here; the cache knows
    /// `published` of its blocks and keeps the other full ones too, of which it says
    /// `said`.
    pub(super) fn let_go(
        &mut self,
        turn: &mut Turn,
        id: CallId,
        tokens: u32,
        published: u32,
        said: Hold,
    ) {
        let held = self.blocks.holding(tokens);
        let full = self.kept_at_end(&turn.calls[id], tokens);
        if self.cache.is_none() {
            return self.blocks.give(held);
        }
        let cache = self.settled();
        let mut own = nothing();
        let content = turn.calls.stretches(&turn.calls[id], &mut own);
        let added = cache.publish(content, published, full);
        let fallen_idle = cache.leave(content, full, said);
        self.idle = self.idle + fallen_idle - added.woken;
        tell_stored(&mut self.events, content, self.limits.block_tokens, published, full);
        let kept = full - published - added.duplicates;
        self.blocks.give(held - published - kept + fallen_idle - added.woken);
        self.offer(turn, id, full, true);
    }

    /// Takes `blocks` free blocks, and evicts what is in the way of them and of
    /// `kept` more.
    #[inline]
    pub(super) fn take(&mut self, blocks: u32, kept: u32) {
        self.blocks.take(blocks);
        self.evict_down_to(self.blocks.free() - kept);
    }

    /// Evicts until at most `blocks` blocks are idle.
    #[inline]
    pub(super) fn evict_down_to(&mut self, blocks: u32) {
        let excess = self.idle.saturating_sub(blocks);
        self.idle -= excess;
        self.to_evict += excess;
    }

    /// Carries out the evictions that are due.
    #[inline]
    pub(super) fn settle_evictions(&mut self) {
        if self.to_evict > 0 {
            self.evict();
        }
    }

    fn evict(&mut self) {
        let cache = self.cache.as_mut().expect("what is idle is in the cache");
        let events = &mut self.events;
        let mut offload = self.offload.as_mut();
        cache.evict(std::mem::take(&mut self.to_evict), |strand, start, end| {
            if let Some(offload) = &mut offload {
                offload.evicted(strand, start, end);
            }
            tell_removed(events, strand, start);
        });
    }

    /// The cache of a rank that has one, all evictions carried out.
    #[inline]
    fn settled(&mut self) -> &mut PrefixStore {
        self.settle_evictions();
        self.cache.as_mut().expect("only asked where there is a cache")
    }

    /// Time has come to a step boundary: what the cache keeps no longer goes.
    #[inline]
    pub fn expire(&mut self, now: Time) {
        if self.expires {
            self.settle_evictions();
            let cache = self.cache.as_mut().expect("a cache with a time limit");
            let events = &mut self.events;
            cache.expire(now, |strand, start, _| tell_removed(events, strand, start));
            self.idle = cache.idle();
        }
    }

    /// The last instant at which all blocks of the cache are there; `None`: for
    /// good.
    #[inline]
    pub fn all_live_until(&mut self) -> Option<Time> {
        if !self.expires {
            return None;
        }
        self.settled().all_live_until()
    }
}

/// Tells that blocks of a strand are gone from `start` on.
#[inline]
fn tell_removed(events: &mut CacheEvents, strand: Strand, start: u32) {
    if strand != Strand::NONE && !strand.is_by(Author::Call) {
        events.removed(strand, start);
    }
}

/// Tells that blocks `from..to` of a sequence are in the cache. What a call says
/// for itself alone is never asked for again: nobody is told.
#[inline]
fn tell_stored(
    events: &mut CacheEvents,
    content: &[Stretch],
    block_tokens: u32,
    from: u32,
    to: u32,
) {
    if events.are_kept() {
        pieces(content, block_tokens, to)
            .filter(|piece| piece.end > from && !piece.strand.is_by(Author::Call))
            .for_each(|piece| events.stored(piece.strand, piece.start, piece.end));
    }
}

/// Place for the strand of a call that has no others.
const fn nothing() -> Stretch {
    Stretch { strand: Strand::NONE, until: 0 }
}
