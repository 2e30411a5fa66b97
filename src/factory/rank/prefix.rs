//! What a rank does with its prefix cache.
//!
//! Free blocks are all that no running sequence holds: those with nothing in
//! them and the idle ones of the cache, which are evicted when they are needed.
//! A sequence shares the blocks that the cache knows; the others, its last one
//! and those it has decoded into, are its own until it ends. Nobody could hit
//! decoded blocks earlier: only a later call can continue them.

use super::{Partial, Rank, Turn};
use crate::factory::cache::{CacheEvents, Hit, pieces};
use crate::factory::call::{Call, CallId, Calls};
use crate::kernel::Time;
use crate::workload::{Author, Strand, Stretch};

impl Rank {
    /// The blocks of `call` that are in the cache. At least one token is left
    /// to compute: without it there would be nothing to sample from.
    pub(super) fn find(&self, call: &Call, calls: &Calls) -> Hit {
        match &self.cache {
            Some(cache) if call.given.is_none() => {
                let most = self.keepable(call, call.known_tokens() - 1);
                cache.lookup(calls.stretches(call, &mut nothing()), most)
            }
            _ => Hit::default(),
        }
    }

    /// Tokens of `call`, which holds its first `blocks` blocks, that need not be
    /// computed.
    #[inline]
    pub(super) fn known(&self, call: &Call, blocks: u32) -> u32 {
        call.given.unwrap_or(blocks * self.limits.block_tokens)
    }

    /// The first blocks of `tokens` tokens of `call` that the cache may keep:
    /// those that are full, and by its rules.
    #[inline]
    pub(super) fn keepable(&self, call: &Call, tokens: u32) -> u32 {
        let most = match (&self.limits.prefix_cache, call.given) {
            (Some(rules), None) if rules.cache_decoded => tokens,
            (Some(_), None) => call.prompt,
            (None, _) | (_, Some(_)) => 0,
        };
        tokens.min(most) / self.limits.block_tokens
    }

    /// Holds the blocks that were hit.
    pub(super) fn acquire(&mut self, calls: &Calls, id: CallId, hit: Hit) {
        if let (Some(cache), 1..) = (&mut self.cache, hit.blocks) {
            cache.acquire(calls.stretches(&calls[id], &mut nothing()), hit.blocks);
            self.blocks.take(hit.idle);
        }
    }

    /// A chunk of a prompt enters the step that starts: its blocks can be hit
    /// from now on, or once they have been computed.
    pub(super) fn start_chunk(&mut self, turn: &Turn, partial: &mut Partial) {
        let Some(rules) = &self.limits.prefix_cache else { return };
        let in_flight = if rules.dedup_in_flight { partial.chunk } else { 0 };
        let tokens = partial.computed + in_flight;
        partial.published = self.publish(turn.calls, partial.call, partial.published, tokens);
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
        match &mut self.cache {
            Some(cache) if full > published => {
                let mut own = nothing();
                let content = calls.stretches(&calls[id], &mut own);
                let added = cache.publish(content, published, full);
                self.blocks.give(added.duplicates - added.woken);
                let block_tokens = self.limits.block_tokens;
                tell_stored(&mut self.events, content, block_tokens, published, full);
                full
            }
            _ => published,
        }
    }

    /// Blocks of a decoding sequence that the cache knows: those of its prompt,
    /// and of what it had generated when it was admitted last.
    pub(super) fn published(&self, call: &Call) -> u32 {
        self.keepable(call, call.known_tokens() - 1)
    }

    /// A sequence with KV of `tokens` tokens ends here; the cache knows
    /// `published` of its blocks and keeps the other full ones too.
    pub(super) fn release(&mut self, turn: &mut Turn, id: CallId, tokens: u32, published: u32) {
        let held = self.blocks.holding(tokens);
        let full = self.keepable(&turn.calls[id], tokens);
        let Some(cache) = &mut self.cache else { return self.blocks.give(held) };
        let mut own = nothing();
        let content = turn.calls.stretches(&turn.calls[id], &mut own);
        let added = cache.publish(content, published, full);
        let fallen_idle = cache.release(content, full);
        let block_tokens = self.limits.block_tokens;
        tell_stored(&mut self.events, content, block_tokens, published, full);
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
        if let Some(cache) = &mut self.cache {
            let excess = cache.idle().saturating_sub(blocks);
            if excess > 0 {
                let events = &mut self.events;
                let mut offload = self.offload.as_mut();
                cache.evict(excess, |strand, start, end| {
                    if let Some(offload) = &mut offload {
                        offload.evicted(strand, start, end);
                    }
                    tell_removed(events, strand, start);
                });
            }
        }
    }

    /// Time has come to a step boundary: what the cache keeps no longer goes.
    #[inline]
    pub fn expire(&mut self, now: Time) {
        if let Some(cache) = &mut self.cache {
            let events = &mut self.events;
            cache.expire(now, |strand, start, _| tell_removed(events, strand, start));
        }
    }

    /// The last instant at which all blocks of the cache are there; `None`: for
    /// good.
    #[inline]
    pub fn all_live_until(&self) -> Option<Time> {
        self.cache.as_ref()?.all_live_until()
    }
}

/// Tells that blocks of a strand are gone from `start` on.
#[inline]
fn tell_removed(events: &mut CacheEvents, strand: Strand, start: u32) {
    if !strand.is_by(Author::Call) {
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
