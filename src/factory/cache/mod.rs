//! The prefix cache of a rank: KV blocks that outlive the sequence that
//! computed them.
//!
//! A block is known by a strand and its position; it can be hit only with all
//! blocks before it. [`PrefixStore`] keeps *runs* of neighboring blocks with
//! one history instead of blocks, so its cost follows the number of runs that a
//! prompt touches, not its length. [`Eviction`] says which of the blocks that
//! nobody uses goes first.

mod event;
mod lru;
#[cfg(test)]
mod reference;
mod runs;
mod store;
#[cfg(test)]
mod tests;

pub use event::{CacheEvent, CacheEvents};
#[cfg(test)]
pub(crate) use reference::ReferenceStore;
pub(in crate::factory) use runs::StrandHasher;
pub(in crate::factory) use store::pieces;
pub use store::{Hit, Piece, PrefixStore, Published};

/// Which of the blocks that nobody uses goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Eviction {
    /// The one that was used longest ago, the end of a sequence before its start.
    Lru,
}

impl Eviction {
    /// Its name.
    pub fn name(&self) -> &'static str {
        match self {
            Eviction::Lru => "lru",
        }
    }
}
