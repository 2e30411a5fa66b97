//! What a rank does with the tiers below HBM.
//!
//! When the head of the queue could be admitted, the blocks that HBM lacks are
//! looked for in the tiers. If fetching them takes less time than computing
//! them, queues on links included, the call takes the KV blocks that it will
//! need and waits aside for the transfer, as requests of vLLM wait for a KV
//! connector; those behind it go on. At the first boundary after the transfer
//! it is ready: its blocks are in the cache, and it is the next to be admitted.
//! Because it holds its blocks already it always fits, so calls that wait for
//! each other's blocks cannot come about.
//!
//! What HBM drops is handed to the tiers when a call is taken in or something
//! has happened to one, not in the midst of undisturbed decoding: several drops
//! make one transfer, and decoding can be jumped over.

use super::work::settle_fetching;
use super::{Outcome, Partial, Rank, Turn};
use crate::factory::cache::{Hit, Piece};
use crate::factory::call::{Call, CallId};
use crate::factory::tier::Parts;
use crate::kernel::{Span, Time};
use crate::workload::{Strand, Stretch};
use std::collections::VecDeque;

/// What a rank keeps of its dealings with tiers.
#[derive(Clone, Debug, Default)]
pub(super) struct Offload {
    /// The rank among those of its replica.
    number: u32,
    /// Blocks that HBM has dropped and that the tiers do not know of yet.
    evicted: Vec<Piece>,
    /// Calls whose blocks are on their way, the first to arrive first.
    fetching: VecDeque<Fetching>,
    /// Calls whose blocks have arrived.
    ready: VecDeque<Ready>,
}

/// A call whose blocks are on their way.
#[derive(Clone, Debug)]
struct Fetching {
    call: CallId,
    done: Time,
    parts: Parts,
    /// Blocks that were hit in HBM, and the block after the last one fetched.
    hit: u32,
    end: u32,
    /// Blocks taken beside those hit.
    taken: u32,
    /// It leaves when they have arrived.
    is_aborted: bool,
}

/// A call whose blocks have arrived.
#[derive(Clone, Copy, Debug)]
struct Ready {
    call: CallId,
    /// Its blocks that the cache knows.
    blocks: u32,
    /// Blocks taken beside those.
    spare: u32,
}

impl Offload {
    pub(super) fn new(number: u32) -> Self {
        Offload { number, ..Offload::default() }
    }

    /// Calls that are fetching or ready.
    pub(super) fn calls(&self) -> u32 {
        (self.fetching.len() + self.ready.len()) as u32
    }

    /// KV blocks that each of them holds, and those of them that the cache knows.
    pub(super) fn held(&self) -> impl Iterator<Item = (u32, u32)> {
        let fetching = self.fetching.iter();
        let fetching = fetching.map(|fetching| (fetching.hit + fetching.taken, fetching.hit));
        let ready = self.ready.iter().map(|ready| (ready.blocks + ready.spare, ready.blocks));
        fetching.chain(ready)
    }

    pub(super) fn ids(&self) -> impl Iterator<Item = CallId> {
        let fetching = self.fetching.iter().map(|fetching| fetching.call);
        fetching.chain(self.ready.iter().map(|ready| ready.call))
    }

    /// Calls that are fetching.
    pub(super) fn fetching(&self) -> impl Iterator<Item = CallId> {
        self.fetching.iter().map(|fetching| fetching.call)
    }

    /// HBM has dropped blocks.
    pub(super) fn evicted(&mut self, strand: Strand, start: u32, end: u32) {
        self.evicted.push(Piece { strand, start, end });
    }
}

impl Rank {
    /// When the next transfer is over.
    #[inline]
    pub fn next_fetched(&self) -> Option<Time> {
        self.offload.as_ref()?.fetching.front().map(|fetching| fetching.done)
    }

    /// Calls that are fetching.
    pub fn fetching(&self) -> impl Iterator<Item = CallId> {
        self.offload.iter().flat_map(|offload| offload.fetching())
    }

    /// Calls that wait beside the queue.
    #[inline]
    pub(super) fn set_aside(&self) -> u32 {
        self.offload.as_ref().map_or(0, |offload| offload.calls())
    }

    /// Whether a call is ready to be admitted.
    pub(super) fn has_ready(&self) -> bool {
        self.offload.as_ref().is_some_and(|offload| !offload.ready.is_empty())
    }

    /// Hands over to the tiers what HBM has dropped.
    fn hand_over(&mut self, turn: &mut Turn) {
        self.settle_evictions();
        let Some(offload) = &mut self.offload else { return };
        if !offload.evicted.is_empty() {
            let levels = &turn.spec.offload;
            let mut view = turn.tiers.view(levels, turn.replica, offload.number);
            view.evicted(turn.now, &mut offload.evicted);
        }
    }

    /// The step is over; `happened`: something has happened to a call in it.
    /// Transfers that are over by now make their calls ready.
    pub(super) fn collect_fetched(&mut self, turn: &mut Turn, happened: bool) {
        let is_over = self.next_fetched().is_some_and(|done| done <= turn.now);
        if happened || is_over {
            self.hand_over(turn);
        }
        while self.next_fetched().is_some_and(|done| done <= turn.now) {
            let offload = self.offload.as_mut().expect("a transfer");
            let fetching = offload.fetching.pop_front().expect("a transfer");
            let mut view = turn.tiers.view(&turn.spec.offload, turn.replica, offload.number);
            view.arrived(&fetching.parts);
            settle_fetching(&mut turn.calls[fetching.call], turn.counters, turn.ledger);
            let Fetching { call, hit, end, taken, is_aborted, .. } = fetching;
            self.publish(turn.calls, call, hit, end * self.limits.block_tokens);
            let ready = Ready { call, blocks: end, spare: taken - (end - hit) };
            turn.outcomes.push(Outcome::Fetched(call));
            if is_aborted {
                self.give_up_fetched(turn, ready);
            } else {
                self.offload.as_mut().expect("a transfer").ready.push_back(ready);
            }
        }
    }

    /// Takes out a call that waits beside the queue, if it is there, or lets it leave
    /// when its blocks have arrived. Returns whether it is.
    pub(super) fn abort_set_aside(&mut self, turn: &mut Turn, id: CallId) -> bool {
        let Some(offload) = &mut self.offload else { return false };
        if let Some(at) = offload.ready.iter().position(|ready| ready.call == id) {
            let ready = offload.ready.remove(at).expect("it was just there");
            self.give_up_fetched(turn, ready);
            return true;
        }
        let fetching = offload.fetching.iter_mut().find(|fetching| fetching.call == id);
        fetching.map(|fetching| fetching.is_aborted = true).is_some()
    }

    /// A call whose blocks have arrived is no longer waited for.
    fn give_up_fetched(&mut self, turn: &mut Turn, ready: Ready) {
        let Ready { call, blocks, spare } = ready;
        self.blocks.give(spare);
        self.release(turn, call, blocks * self.limits.block_tokens, blocks);
        turn.outcomes.push(Outcome::Aborted { call, was_running: false });
    }

    /// Takes in the call that became ready first.
    pub(super) fn admit_ready(&mut self, turn: &mut Turn) -> Option<Partial> {
        let Ready { call: id, blocks, spare } = self.offload.as_mut()?.ready.pop_front()?;
        // It takes them again as it computes them, in this step or later.
        self.blocks.give(spare);
        turn.outcomes.push(Outcome::Scheduled(id));
        Some(self.start(turn, id, blocks))
    }

    /// Starts to fetch blocks for the head of the queue, which hits `hit` and
    /// has room beside `kept` blocks, if that takes less time than to compute
    /// them. Returns whether it did.
    pub(super) fn start_fetching(&mut self, turn: &mut Turn, hit: Hit, kept: u32) -> bool {
        if self.offload.is_none() {
            return false;
        }
        self.hand_over(turn);
        let id = *self.waiting.front().expect("a head");
        let parts = self.worth_fetching(turn, id, hit);
        let Some(end) = parts.last().map(|part| part.piece.end) else { return false };
        let taken = self.blocks_to_take(&turn.calls[id], hit, end);
        let watermark = if self.running() > 0 { self.limits.watermark } else { 0 };
        if taken + watermark + hit.idle + kept > self.blocks.free() {
            return false;
        }
        self.waiting.pop_front();
        let offload = self.offload.as_mut().expect("tiers");
        let mut view = turn.tiers.view(&turn.spec.offload, turn.replica, offload.number);
        let done = view.fetch(turn.now, &parts);
        let call = &mut turn.calls[id];
        call.settled = turn.counters.held;
        if call.scheduled == Time::MAX {
            call.fetch = done.since(turn.now);
            let tokens = self.limits.block_tokens;
            let time = &self.limits.prompt_time;
            let seconds = |piece: Piece| time.seconds(piece.start * tokens, piece.end * tokens);
            view.owe(id, &parts, tokens, seconds);
        }
        let at = offload.fetching.partition_point(|fetching| fetching.done <= done);
        let (hit_blocks, is_aborted) = (hit.blocks, false);
        let fetching = Fetching { call: id, done, parts, hit: hit_blocks, end, taken, is_aborted };
        offload.fetching.insert(at, fetching);
        self.acquire(turn.calls, id, hit);
        self.take(taken, kept);
        turn.outcomes.push(Outcome::Fetching(id));
        true
    }

    /// What of the tiers call `id`, which hits `hit`, had better fetch.
    fn worth_fetching(&self, turn: &mut Turn, id: CallId, hit: Hit) -> Parts {
        let number = self.offload.as_ref().expect("tiers").number;
        let view = turn.tiers.view(&turn.spec.offload, turn.replica, number);
        let call = &turn.calls[id];
        let tokens = self.limits.block_tokens;
        let most = self.keepable(call, call.known_tokens() - 1);
        let mut own = Stretch { strand: Strand::NONE, until: 0 };
        let content = turn.calls.stretches(call, &mut own);
        let mut parts = view.find(turn.now, content, tokens, hit.blocks, most);
        view.choose(turn.now, &mut parts, |end| {
            Span::from_seconds(self.limits.prompt_time.seconds(hit.blocks * tokens, end * tokens))
        });
        parts
    }

    /// Blocks that a call takes beside those it hits while the ones up to `end`
    /// are fetched: all that its admission will need.
    fn blocks_to_take(&self, call: &Call, hit: Hit, end: u32) -> u32 {
        let known = call.known_tokens();
        let first = end * self.limits.block_tokens + self.limits.max_num_batched_tokens;
        let tokens = if self.limits.reserve_full_prompt { known } else { known.min(first) };
        self.blocks.holding(tokens) - hit.blocks
    }

    /// The first `blocks` blocks of a sequence have been computed; `is_over`:
    /// and it has ended.
    pub(super) fn offer(&mut self, turn: &mut Turn, id: CallId, blocks: u32, is_over: bool) {
        let Some(offload) = &self.offload else { return };
        let mut own = Stretch { strand: Strand::NONE, until: 0 };
        let content = turn.calls.stretches(&turn.calls[id], &mut own);
        let mut view = turn.tiers.view(&turn.spec.offload, turn.replica, offload.number);
        view.computed(turn.now, content, self.limits.block_tokens, blocks, is_over);
    }
}
