//! An indexed 4-ary heap: at most one entry a slot, moved or removed in place.
//!
//! The pending-event set, the finish order of a batch and the load index of a
//! router are all "which slot comes next by a `u64` key", so one structure
//! serves all three. The key, a tie-break and the slot are packed into one
//! `u128` (64 + 40 + 24 bits) so that an ordering is one integer comparison.
//! Four children a node halve the depth of a binary heap and keep siblings
//! on one or two cache lines.
//!
//! `pop` leaves a hole at the root that the next `insert` fills: most pops are
//! followed by a re-insertion, which then costs one sift instead of two.

use std::hint::select_unpredictable;

const SLOT_BITS: u32 = 24;
const ORDER_BITS: u32 = 40;
const ARITY: usize = 4;
const ABSENT: u32 = u32::MAX;

/// Priority queue over small integer slots; see the module text.
#[derive(Clone, Debug, Default)]
pub struct SlotHeap {
    heap: Vec<u128>,
    /// Heap index of each slot, `ABSENT` when it holds no entry.
    position: Vec<u32>,
    /// The root was popped and not yet replaced.
    hole: bool,
}

impl SlotHeap {
    /// Largest tie-break value.
    pub const ORDER_MAX: u64 = (1 << ORDER_BITS) - 1;
    /// Largest number of slots.
    pub const SLOTS_MAX: u32 = 1 << SLOT_BITS;

    /// An empty heap over `slots` slots.
    pub fn new(slots: u32) -> Self {
        assert!(slots <= Self::SLOTS_MAX, "{slots} slots: at most 2^24");
        SlotHeap {
            heap: Vec::with_capacity(slots as usize + 1),
            position: vec![ABSENT; slots as usize],
            hole: false,
        }
    }

    /// Makes room for `slots` slots in all.
    pub fn grow(&mut self, slots: u32) {
        assert!(slots <= Self::SLOTS_MAX, "{slots} slots: at most 2^24");
        let slots = self.position.len().max(slots as usize);
        self.position.resize(slots, ABSENT);
    }

    /// Number of entries.
    pub fn len(&self) -> usize {
        self.heap.len() - usize::from(self.hole)
    }

    /// Whether there is no entry.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Gives `slot` the key `key`, ties broken by `order`; moves it if it is
    /// already in.
    #[inline]
    pub fn insert(&mut self, slot: u32, key: u64, order: u64) {
        debug_assert!(order <= Self::ORDER_MAX);
        let entry = (u128::from(key) << 64) | u128::from(order << SLOT_BITS | u64::from(slot));
        let at = self.position[slot as usize];
        if at != ABSENT {
            self.fill_hole();
            let at = self.position[slot as usize] as usize;
            if entry < self.heap[at] {
                self.sift_up(at, entry);
            } else {
                self.sift_down(at, entry);
            }
        } else if self.hole {
            self.hole = false;
            self.sift_down(0, entry);
        } else {
            self.heap.push(entry);
            self.sift_up(self.heap.len() - 1, entry);
        }
    }

    /// Takes `slot` out; does nothing when it holds no entry.
    pub fn remove(&mut self, slot: u32) {
        if self.position[slot as usize] == ABSENT {
            return;
        }
        self.fill_hole();
        let at = self.position[slot as usize] as usize;
        self.position[slot as usize] = ABSENT;
        let last = self.heap.pop().expect("an entry has a position");
        if at < self.heap.len() {
            if last < self.heap[at] {
                self.sift_up(at, last);
            } else {
                self.sift_down(at, last);
            }
        }
    }

    /// The least `(key, slot)`, left in.
    #[inline]
    pub fn peek(&mut self) -> Option<(u64, u32)> {
        self.fill_hole();
        self.heap.first().map(|&entry| unpack(entry))
    }

    /// The least `(key, slot)`, taken out.
    #[inline]
    pub fn pop(&mut self) -> Option<(u64, u32)> {
        self.fill_hole();
        let &root = self.heap.first()?;
        let (key, slot) = unpack(root);
        self.position[slot as usize] = ABSENT;
        self.hole = true;
        Some((key, slot))
    }

    /// The key of `slot`, if it holds an entry.
    #[inline]
    pub fn key(&self, slot: u32) -> Option<u64> {
        match self.position[slot as usize] {
            ABSENT => None,
            at => Some((self.heap[at as usize] >> 64) as u64),
        }
    }

    #[inline]
    fn fill_hole(&mut self) {
        if self.hole {
            self.hole = false;
            let last = self.heap.pop().expect("a hole is an entry");
            if !self.heap.is_empty() {
                self.sift_down(0, last);
            }
        }
    }

    #[inline]
    fn sift_up(&mut self, mut at: usize, entry: u128) {
        while at > 0 {
            let parent = (at - 1) / ARITY;
            let above = self.heap[parent];
            if above < entry {
                break;
            }
            self.place(at, above);
            at = parent;
        }
        self.place(at, entry);
    }

    #[inline]
    fn sift_down(&mut self, mut at: usize, entry: u128) {
        loop {
            let first = at * ARITY + 1;
            let Some(children) = self.heap.get(first..first + ARITY) else { break };
            let (least, offset) = least_of_four(children);
            if entry < least {
                return self.place(at, entry);
            }
            self.place(at, least);
            at = first + offset;
        }
        self.sift_down_at_the_end(at, entry);
    }

    /// The last node with children may have fewer than four.
    #[inline]
    fn sift_down_at_the_end(&mut self, at: usize, entry: u128) {
        let first = at * ARITY + 1;
        let children = self.heap.iter().enumerate().skip(first);
        match children.min_by_key(|(_, child)| **child) {
            Some((child, &least)) if least < entry => {
                self.place(at, least);
                self.place(child, entry);
            }
            _ => self.place(at, entry),
        }
    }

    #[inline]
    fn place(&mut self, at: usize, entry: u128) {
        self.heap[at] = entry;
        let slot = entry as usize & (Self::SLOTS_MAX as usize - 1);
        self.position[slot] = at as u32;
    }
}

/// The least of four entries and its index: two rounds of a knock-out without
/// a branch, since which child is least cannot be predicted.
#[inline]
fn least_of_four(entries: &[u128]) -> (u128, usize) {
    let duel = |(left, i), (right, j)| {
        let wins = right < left;
        (select_unpredictable(wins, right, left), select_unpredictable(wins, j, i))
    };
    let contender = |at: usize| (entries[at], at);
    duel(duel(contender(0), contender(1)), duel(contender(2), contender(3)))
}

#[inline]
fn unpack(entry: u128) -> (u64, u32) {
    ((entry >> 64) as u64, entry as u32 & (SlotHeap::SLOTS_MAX - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeMap;

    #[derive(Clone, Debug)]
    enum Op {
        Insert(u32, u64),
        Remove(u32),
        Pop,
        Peek,
    }

    fn op() -> impl Strategy<Value = Op> {
        prop_oneof![
            4 => (0..20u32, 0..50u64).prop_map(|(slot, key)| Op::Insert(slot, key)),
            1 => (0..20u32).prop_map(Op::Remove),
            3 => Just(Op::Pop),
            1 => Just(Op::Peek),
        ]
    }

    proptest! {
        /// The heap against an ordered map, ties and moves included.
        #[test]
        fn behaves_like_an_ordered_map(ops in proptest::collection::vec(op(), 0..400)) {
            let mut heap = SlotHeap::new(20);
            let mut model: BTreeMap<(u64, u64), u32> = BTreeMap::new();
            for (order, op) in ops.into_iter().enumerate() {
                let order = order as u64;
                match op {
                    Op::Insert(slot, key) => {
                        heap.insert(slot, key, order);
                        model.retain(|_, &mut held| held != slot);
                        model.insert((key, order), slot);
                    }
                    Op::Remove(slot) => {
                        heap.remove(slot);
                        model.retain(|_, &mut held| held != slot);
                    }
                    Op::Pop => {
                        let expected = model.pop_first().map(|((key, _), slot)| (key, slot));
                        prop_assert_eq!(heap.pop(), expected);
                    }
                    Op::Peek => {
                        let expected = model.iter().next().map(|(&(key, _), &slot)| (key, slot));
                        prop_assert_eq!(heap.peek(), expected);
                    }
                }
                prop_assert_eq!(heap.len(), model.len());
                for slot in 0..20 {
                    let expected = model.iter().find(|&(_, &held)| held == slot).map(|(k, _)| k.0);
                    prop_assert_eq!(heap.key(slot), expected);
                }
            }
        }
    }
}
