//! What a cache tells a router that knows where the cache is.
//!
//! What is resident of a strand is one stretch of blocks from where the strand
//! is entered: a block never stays without those before it. So a router needs
//! one number for a strand and a cache, the block where that stretch ends.

use crate::workload::Strand;

/// Blocks of a strand came into a cache, or went.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CacheEvent {
    /// The strand, entered at block `first`, is resident up to block `end` at least.
    Stored {
        /// The strand.
        strand: Strand,
        /// Its first block.
        first: u32,
        /// Block after the last one.
        end: u32,
    },
    /// The strand is resident only before block `end`.
    Removed {
        /// The strand.
        strand: Strand,
        /// Block after the last one that is left.
        end: u32,
    },
}

/// Events on their way out of a rank, if anybody listens.
#[derive(Clone, Debug, Default)]
pub struct CacheEvents(Option<Vec<CacheEvent>>);

impl CacheEvents {
    /// A place for events that are kept, or not.
    pub fn new(are_kept: bool) -> Self {
        CacheEvents(are_kept.then(Vec::new))
    }

    /// Whether anybody listens.
    #[inline]
    pub fn are_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Blocks came.
    #[inline]
    pub fn stored(&mut self, strand: Strand, first: u32, end: u32) {
        if let Some(events) = &mut self.0 {
            events.push(CacheEvent::Stored { strand, first, end });
        }
    }

    /// Blocks from `start` on went.
    #[inline]
    pub fn removed(&mut self, from: Strand, start: u32) {
        let Some(events) = &mut self.0 else { return };
        match events.last_mut() {
            // Evicted block by block: one event tells it all.
            Some(CacheEvent::Removed { strand, end }) if *strand == from => *end = start,
            _ => events.push(CacheEvent::Removed { strand: from, end: start }),
        }
    }

    /// Tells of everything since the last time, in order.
    #[inline]
    pub fn drain(&mut self, mut tell: impl FnMut(CacheEvent)) {
        if let Some(events) = &mut self.0 {
            events.drain(..).for_each(&mut tell);
        }
    }
}
