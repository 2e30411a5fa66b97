//! The kernel: integer time, the pending-event set, arenas and the run digest.
//!
//! It knows nothing of AI. Everything above it moves time forward only by
//! popping the pending set, so the order of events is decided here and nowhere
//! else.

mod arena;
mod digest;
mod pending;
mod slot_heap;
mod time;

pub use arena::{Arena, Id};
pub use digest::Digest;
pub use pending::{PendingSet, Slot};
pub use slot_heap::SlotHeap;
pub use time::{Span, TICKS_PER_SECOND, Time};
