//! The pending-event set: the next instant of each entity.
//!
//! Every entity (source, replica, client, sampler) owns one slot and has at
//! most one event pending. At one instant, events fire in three classes:
//!
//! 1. *boundaries*: engine steps that end now, in slot order;
//! 2. everything else, in the order in which it was scheduled;
//! 3. *wakes*: idle engines that received work now, in slot order.
//!
//! So an arrival at the very instant at which a step ends has missed the next
//! step, simultaneous arrivals at an idle engine share its first step, and how
//! often a boundary was moved on the way (fast-forward moves it, the
//! step-by-step oracle does not) cannot change the order.

use super::slot_heap::SlotHeap;
use super::time::Time;

/// Names the entity that an event belongs to.
pub type Slot = u32;

/// Ordered set of at most one pending event a slot.
#[derive(Clone, Debug)]
pub struct PendingSet {
    heap: SlotHeap,
    scheduled: u64,
}

impl PendingSet {
    /// An empty set over `slots` slots.
    pub fn new(slots: u32) -> Self {
        PendingSet { heap: SlotHeap::new(slots), scheduled: 0 }
    }

    /// Makes room for `slots` slots in all.
    pub fn grow(&mut self, slots: u32) {
        self.heap.grow(slots);
    }

    /// Schedules the event of `slot` at `time`, or moves it there; among
    /// ordinary events at one instant the first scheduled fires first, and a
    /// moved event counts as scheduled anew.
    #[inline]
    pub fn schedule(&mut self, slot: Slot, time: Time) {
        self.scheduled += 1;
        assert!(self.scheduled < SlotHeap::ORDER_MAX, "more than 2^40 events in one run");
        self.heap.insert(slot, time.ticks(), self.scheduled);
    }

    /// Schedules a boundary: before all ordinary events of its instant.
    #[inline]
    pub fn schedule_boundary(&mut self, slot: Slot, time: Time) {
        self.heap.insert(slot, time.ticks(), 0);
    }

    /// Schedules a wake: after all ordinary events of its instant.
    #[inline]
    pub fn schedule_wake(&mut self, slot: Slot, time: Time) {
        self.heap.insert(slot, time.ticks(), SlotHeap::ORDER_MAX);
    }

    /// Removes the event of `slot`, if one is pending.
    pub fn cancel(&mut self, slot: Slot) {
        self.heap.remove(slot);
    }

    /// The instant of the next event.
    pub fn peek(&mut self) -> Option<(Time, Slot)> {
        self.heap.peek().map(|(ticks, slot)| (Time::from_ticks(ticks), slot))
    }

    /// Takes out the next event.
    #[inline]
    pub fn pop(&mut self) -> Option<(Time, Slot)> {
        self.heap.pop().map(|(ticks, slot)| (Time::from_ticks(ticks), slot))
    }

    /// When the event of `slot` is due.
    pub fn due(&self, slot: Slot) -> Option<Time> {
        self.heap.key(slot).map(Time::from_ticks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_instant_orders_boundaries_then_events_then_wakes() {
        let mut pending = PendingSet::new(6);
        let now = Time::from_ticks(7);
        pending.schedule_wake(0, now);
        pending.schedule(4, now);
        pending.schedule(1, now);
        pending.schedule_boundary(5, now);
        pending.schedule_boundary(2, now);
        pending.schedule(4, now); // moved: now after slot 1
        let order: Vec<Slot> = std::iter::from_fn(|| pending.pop()).map(|(_, slot)| slot).collect();
        assert_eq!(order, [2, 5, 1, 4, 0]);
    }
}
