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
use crate::factory::cache::{CacheEvents, Hit, Hold, PrefixStore, Published, pieces};
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
            most if self.keeps_windows => self.find_windows(call, calls, most),
            most => self.settled().lookup(calls.stretches(call, &mut nothing()), most),
        }
    }

    /// [`Rank::find`] where the last window of what is found must be there too.
    fn find_windows(&mut self, call: &Call, calls: &Calls, most: u32) -> Hit {
        let reach = self.limits.needs.reach;
        let mut own = nothing();
        let content = calls.stretches(call, &mut own);
        let windows = self.settled().windows();
        let found = windows.lookup(content, most).blocks;
        let blocks = windows.reached(content, found, reach);
        let windows_idle = windows.idle_windows(content, blocks.saturating_sub(reach), blocks);
        Hit { blocks, idle: windows.lookup(content, blocks).idle + windows_idle }
    }

    /// Tokens of `call`, which holds its first `blocks` blocks, that need not be
    /// computed.
    #[inline]
    pub(super) fn known(&self, call: &Call, blocks: u32) -> u32 {
        call.given.unwrap_or(blocks * self.limits.block_tokens)
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
        let most = match (&self.limits.prefix_cache, call.given) {
            (Some(rules), None) if rules.cache_decoded => tokens,
            (Some(_), None) => call.prompt,
            (None, _) | (_, Some(_)) => 0,
        };
        tokens.min(most) / self.limits.block_tokens
    }

    /// Holds the blocks that were hit, but of windows only those from `slid` on.
    pub(super) fn acquire(&mut self, calls: &Calls, id: CallId, hit: Hit, slid: u32) {
        if hit.blocks > 0 {
            let mut own = nothing();
            let content = calls.stretches(&calls[id], &mut own);
            let keeps_windows = self.keeps_windows;
            let cache = self.settled();
            let mut woken = cache.acquire(content, hit.blocks);
            if keeps_windows && slid < hit.blocks {
                woken += cache.windows().share_windows(content, slid, hit.blocks).woken;
            }
            self.idle -= woken;
            self.blocks.take(woken);
        }
    }

    /// A chunk of a prompt enters the step that starts: its blocks can be hit
    /// from now on, or once they have been computed.
    pub(super) fn start_chunk(&mut self, turn: &Turn, partial: &mut Partial) {
        let Some(rules) = self.limits.prefix_cache else { return };
        let in_flight = if rules.dedup_in_flight { partial.chunk } else { 0 };
        let (tokens, slid) = (partial.computed + in_flight, partial.slid);
        partial.published = self.publish(turn.calls, partial.call, partial.published, tokens, slid);
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
    /// sequence, of which it knows `published`, and `slid` have slid out of its window.
    /// Returns how many it knows now.
    pub(super) fn publish(
        &mut self,
        calls: &Calls,
        id: CallId,
        published: u32,
        tokens: u32,
        slid: u32,
    ) -> u32 {
        let full = self.keepable(&calls[id], tokens);
        if full <= published {
            return published;
        }
        let mut own = nothing();
        let content = calls.stretches(&calls[id], &mut own);
        let mut added = self.settled().publish(content, published, full);
        self.share_windows(content, published.max(slid), full, &mut added);
        self.idle -= added.woken;
        self.blocks.give(added.duplicates - added.woken);
        tell_stored(&mut self.events, content, self.limits.block_tokens, published, full);
        full
    }

    /// Lets the cache know the windows of places `from..to` of a sequence as well, if it
    /// keeps them.
    #[inline]
    fn share_windows(&mut self, content: &[Stretch], from: u32, to: u32, added: &mut Published) {
        if self.keeps_windows && from < to {
            let cache = self.cache.as_mut().expect("it keeps windows");
            let windows = cache.windows().share_windows(content, from, to);
            added.duplicates += windows.duplicates;
            added.woken += windows.woken;
        }
    }

    /// Blocks of a decoding sequence that the cache knows: those of its prompt,
    /// and of what it had generated when it was admitted last.
    pub(super) fn published(&self, call: &Call) -> u32 {
        self.keepable(call, call.known_tokens() - 1)
    }

    /// A call with KV of `tokens` tokens is over; the cache knows `published` of
    /// its blocks, and `slid` have slid out of its window.
    #[inline]
    pub(super) fn release(
        &mut self,
        turn: &mut Turn,
        id: CallId,
        tokens: u32,
        published: u32,
        slid: u32,
    ) {
        let call = &turn.calls[id];
        if self.is_apart(call) {
            let needs = self.limits.needs;
            let full = self.kept_at_end(call, tokens);
            self.blocks.give(needs.blocks(needs.places(tokens), slid));
            if self.keeps_windows && full > slid {
                self.settled().windows().retire_windows(full - slid);
                self.idle += needs.windowed * (full - slid);
            }
            self.settled().retire(full);
            self.idle += needs.full * full;
        } else {
            let said = call.hold.in_blocks(self.limits.block_tokens);
            self.let_go(turn, id, tokens, published, slid, said);
        }
    }

    /// A sequence with KV of `tokens` tokens ends here; the cache knows
    /// `published` of its blocks and keeps the other full ones too, of which it says
    /// `said`. What its window still holds falls idle before the rest.
    pub(super) fn let_go(
        &mut self,
        turn: &mut Turn,
        id: CallId,
        tokens: u32,
        published: u32,
        slid: u32,
        said: Hold,
    ) {
        let needs = self.limits.needs;
        let held = needs.blocks(needs.places(tokens), slid);
        let full = self.kept_at_end(&turn.calls[id], tokens);
        if self.cache.is_none() {
            return self.blocks.give(held);
        }
        let before = self.cached(published, slid);
        let cache = self.settled();
        let mut own = nothing();
        let content = turn.calls.stretches(&turn.calls[id], &mut own);
        let mut added = cache.publish(content, published, full);
        self.share_windows(content, published.max(slid), full, &mut added);
        let cache = self.cache.as_mut().expect("it was there before");
        let mut fallen_idle = 0;
        if self.keeps_windows && full > slid {
            fallen_idle += cache.windows().release_windows(content, slid, full);
        }
        fallen_idle += cache.leave(content, full, said);
        self.idle = self.idle + fallen_idle - added.woken;
        tell_stored(&mut self.events, content, self.limits.block_tokens, published, full);
        let kept = self.cached(full, slid) - before - added.duplicates;
        self.blocks.give(held - before - kept + fallen_idle - added.woken);
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
        if self.to_evict > 0 || self.to_retire > 0 {
            self.evict();
        }
    }

    fn evict(&mut self) {
        let cache = self.cache.as_mut().expect("what is idle is in the cache");
        if self.to_retire > 0 {
            cache.windows().retire_windows(std::mem::take(&mut self.to_retire));
        }
        let events = &mut self.events;
        let mut offload = self.offload.as_mut();
        self.idle -= cache.evict(std::mem::take(&mut self.to_evict), |strand, start, end| {
            if let Some(offload) = &mut offload {
                offload.evicted(strand, start, end);
            }
            tell_removed(events, strand, start);
        });
    }

    /// The cache of a rank that has one, all evictions carried out.
    #[inline]
    pub(super) fn settled(&mut self) -> &mut PrefixStore {
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
