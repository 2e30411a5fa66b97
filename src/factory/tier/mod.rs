//! Tiers below HBM: where KV blocks go that a GPU has no room for.
//!
//! Each tier has a [`Store`], which knows the blocks it keeps, and a [`Link`],
//! on which transfers queue. [`TierStore`] keeps ranges of blocks, so its cost
//! follows the number of ranges that a prompt touches, not its length.

mod counts;
mod link;
mod offload;
mod ranges;
#[cfg(test)]
mod reference;
mod store;
#[cfg(test)]
mod tests;

pub use counts::{Count, Counts};
pub use link::{Channel, Link, Pace};
pub use offload::{Credit, LEVELS_MAX, Level, Part, Parts, Seats, Tiers, View, Writing};
#[cfg(test)]
pub(crate) use reference::ReferenceTier;
pub use store::TierStore;

use super::cache::Piece;
use crate::kernel::Time;

/// Blocks that a store dropped for want of room.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dropped {
    /// The blocks.
    pub piece: Piece,
    /// When they had all been written.
    pub there: Time,
}

/// What is asked of the blocks of a tier. No piece is empty.
pub trait Store {
    /// An empty store with room for `capacity` bytes.
    fn new(capacity: u64) -> Self;

    /// Bytes there is room for.
    fn capacity(&self) -> u64;

    /// Bytes kept.
    fn used(&self) -> u64;

    /// The blocks of `piece` that are kept from its start on: where they end,
    /// and when all of them have been written, `now` at the earliest.
    fn find(&self, piece: Piece, now: Time) -> (u32, Time);

    /// How many blocks of `piece` are not kept.
    fn absent(&self, piece: Piece) -> u32;

    /// Uses the blocks of `piece`, from the last to the first; those not kept
    /// are added, `block_bytes` large and there at `there`. May leave more than
    /// there is room for.
    fn put(&mut self, piece: Piece, block_bytes: u64, there: Time, now: Time);

    /// Takes out what is kept of `piece`.
    fn take(&mut self, piece: Piece);

    /// Drops the blocks used longest ago until the rest fits, and tells which.
    fn shrink(&mut self, dropped: &mut Vec<Dropped>);
}
