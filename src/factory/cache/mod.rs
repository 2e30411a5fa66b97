//! The prefix cache of a rank: KV blocks that outlive the sequence that
//! computed them.
//!
//! A block is known by a strand and its position; it can be hit only with all
//! blocks before it. [`PrefixStore`] keeps *runs* of neighboring blocks with
//! one history instead of blocks, so its cost follows the number of runs that a
//! prompt touches, not its length. [`Eviction`] says which of the blocks that
//! nobody uses goes first.

mod agent_hold;
mod cost_aware;
mod event;
mod eviction;
mod ghost;
mod lfu;
mod lru;
mod policy;
#[cfg(test)]
mod policy_tests;
mod prefix_store;
mod ranked;
#[cfg(test)]
mod reference;
mod runs;
mod s3_fifo;
mod store;
#[cfg(test)]
mod tests;
mod ttl;
mod window_runs;

pub use agent_hold::Hold;
pub use event::{CacheEvent, CacheEvents};
pub use eviction::Eviction;
pub use prefix_store::PrefixStore;
#[cfg(test)]
pub(crate) use reference::ReferenceStore;
pub(in crate::factory) use runs::StrandHasher;
pub(in crate::factory) use store::pieces;
pub use store::{Hit, Piece, Published};
