//! What the oracle does with the tiers below HBM.

use super::{Around, OWN, Rank, Sequence};
use crate::factory::{CallId, Outcome, Parts};
use crate::kernel::{Span, Time};

/// A call that waits aside with its blocks.
#[derive(Clone, Debug)]
pub(super) struct Transfer {
    pub(super) call: CallId,
    pub(super) done: Time,
    pub(super) parts: Parts,
    /// Blocks that the cache knows, blocks to be fetched, blocks held beside.
    pub(super) published: u32,
    fetched: u32,
    pub(super) spare: u32,
    pub(super) has_arrived: bool,
    /// Nobody waits for it: it leaves when its blocks have arrived.
    pub(super) is_aborted: bool,
}

impl Rank {
    /// A sequence has computed what it has published.
    pub(super) fn tell_tiers(&self, sequence: &Sequence, is_over: bool, around: &mut Around<'_>) {
        let mut own = OWN;
        let content = around.calls.stretches(&around.calls[sequence.call], &mut own);
        let mut tiers = around.tiers.view(&around.spec.offload, around.replica, self.number);
        let tokens = self.limits.block_tokens;
        tiers.computed(around.now, content, tokens, sequence.published, is_over);
    }

    pub(super) fn tell_of_dropped(&mut self, around: &mut Around<'_>) {
        let mut tiers = around.tiers.view(&around.spec.offload, around.replica, self.number);
        tiers.evicted(around.now, &mut self.dropped);
    }

    /// Fetches blocks for the head of the queue if it is worth it and `room`
    /// blocks hold what its admission will need.
    pub(super) fn fetch(&mut self, around: &mut Around<'_>, room: u32) -> bool {
        self.tell_of_dropped(around);
        let Around { spec, now, .. } = *around;
        let id = self.waiting[0];
        let call = around.calls[id];
        let (known, tokens) = (call.prompt + call.generated, self.limits.block_tokens);
        let mut own = OWN;
        let content = around.calls.stretches(&call, &mut own);
        let most = self.sought(&call);
        let hit = self.cache.lookup(content, most);
        let mut tiers = around.tiers.view(&spec.offload, around.replica, self.number);
        let mut parts = tiers.find(now, content, tokens, hit.blocks, most);
        let seconds =
            |from: u32, to: u32| self.limits.prompt_time.seconds(from * tokens, to * tokens);
        tiers.choose(now, &mut parts, |end| Span::from_seconds(seconds(hit.blocks, end)));
        let fetched: u32 = parts.iter().map(|part| part.piece.end - part.piece.start).sum();
        let end = hit.blocks + fetched;
        let first_chunk = end * tokens + self.limits.max_num_batched_tokens;
        let reserve = if self.limits.reserve_full_prompt { known } else { known.min(first_chunk) };
        let held = self.blocks_for(reserve) - hit.blocks;
        if parts.is_empty() || held + hit.idle > room {
            return false;
        }
        let done = tiers.fetch(now, &parts);
        if call.scheduled == Time::MAX {
            tiers.owe(id, &parts, tokens, |piece| seconds(piece.start, piece.end));
        }
        self.cache.acquire(content, hit.blocks);
        if call.scheduled == Time::MAX {
            around.calls[id].fetch = done.since(now);
        }
        self.allocate(held);
        self.waiting.pop_front();
        around.outcomes.push(Outcome::Fetching(id));
        self.transfers.push(Transfer {
            call: id,
            done,
            parts,
            published: hit.blocks,
            fetched,
            spare: held - fetched,
            has_arrived: false,
            is_aborted: false,
        });
        true
    }

    /// Calls that nobody waits for leave once their blocks have arrived.
    pub(super) fn drop_aborted(&mut self, around: &mut Around<'_>) {
        let mut left = std::mem::take(&mut self.transfers);
        for transfer in left.extract_if(.., |transfer| transfer.is_aborted && transfer.has_arrived)
        {
            self.drop_transfer(&transfer, around);
        }
        self.transfers = left;
    }

    fn drop_transfer(&mut self, transfer: &Transfer, around: &mut Around<'_>) {
        let Transfer { call, published, spare, .. } = *transfer;
        let computed = published * self.limits.block_tokens;
        let sequence = Sequence {
            call,
            use_case: around.calls[call].use_case,
            computed,
            known: computed + 1,
            blocks: published + spare,
            published,
            decodes: false,
            now: 0,
            cached: 0,
        };
        let said = around.calls[call].hold.in_blocks(self.limits.block_tokens);
        self.release(&sequence, said, around);
        around.outcomes.push(Outcome::Aborted { call, was_running: false });
    }

    /// Transfers that are over by now publish their blocks.
    pub(super) fn finish_transfers(&mut self, around: &mut Around<'_>) {
        self.transfers.sort_by_key(|transfer| transfer.done);
        let mut transfers = std::mem::take(&mut self.transfers);
        for transfer in transfers.iter_mut().filter(|transfer| !transfer.has_arrived) {
            if transfer.done > around.now {
                break;
            }
            let mut tiers = around.tiers.view(&around.spec.offload, around.replica, self.number);
            tiers.arrived(&transfer.parts);
            let mut own = OWN;
            let content = around.calls.stretches(&around.calls[transfer.call], &mut own);
            for _ in 0..transfer.fetched {
                let block = transfer.published;
                self.cache.publish(content, block, block + 1);
                self.private -= 1;
                transfer.published += 1;
            }
            transfer.has_arrived = true;
            around.outcomes.push(Outcome::Fetched(transfer.call));
            if transfer.is_aborted {
                self.drop_transfer(transfer, around);
            }
        }
        transfers.retain(|transfer| !(transfer.is_aborted && transfer.has_arrived));
        self.transfers = transfers;
    }
}
