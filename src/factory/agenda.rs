//! What is due next, and what came last: a sorted list in chunks.
//!
//! The soonest entries lie in one ring, in order; those behind it, if there are
//! many, in further rings of at most [`CHUNK`] entries, each later than the one
//! before. A small batch is one stretch of memory, which a heap is not, and with
//! a thousand replicas that comes from far caches. In a large one an entry that
//! joins or leaves moves part of a chunk, whatever the number of entries.

use std::collections::VecDeque;

/// Most entries of a chunk.
const CHUNK: usize = 128;

/// What an agenda holds.
pub trait Entry {
    /// When it is due, and its rank in the order in which entries came.
    fn key(&self) -> (u64, u64);
}

/// Entries by when they are due, and by when they came where that is the same.
#[derive(Clone, Debug)]
pub struct Agenda<T> {
    soonest: VecDeque<T>,
    later: VecDeque<Chunk<T>>,
    /// Rings without entries, kept for their memory.
    spare: Vec<VecDeque<T>>,
    len: u32,
}

#[derive(Clone, Debug)]
struct Chunk<T> {
    /// Never empty.
    entries: VecDeque<T>,
    /// No entry came after the one of this rank.
    newest: u64,
}

impl<T> Default for Agenda<T> {
    fn default() -> Self {
        Agenda { soonest: VecDeque::new(), later: VecDeque::new(), spare: Vec::new(), len: 0 }
    }
}

impl<T: Entry> Agenda<T> {
    /// Number of entries.
    #[inline]
    pub fn len(&self) -> u32 {
        self.len
    }

    /// All entries, the soonest first.
    pub fn iter(&self) -> impl Iterator<Item = &T> {
        self.soonest.iter().chain(self.later.iter().flat_map(|chunk| &chunk.entries))
    }

    /// The soonest entry.
    #[inline]
    pub fn first(&self) -> Option<&T> {
        self.soonest.front()
    }

    /// Adds an entry.
    #[inline]
    pub fn insert(&mut self, entry: T) {
        self.len += 1;
        if self.later.is_empty() {
            put(&mut self.soonest, entry);
            if self.soonest.len() > CHUNK {
                let entries = self.half(None);
                self.later.push_front(Chunk::of(entries));
            }
        } else {
            self.insert_far(entry);
        }
    }

    /// Takes out the soonest entry.
    #[inline]
    pub fn pop_first(&mut self) -> Option<T> {
        let entry = self.soonest.pop_front()?;
        self.len -= 1;
        if self.soonest.is_empty() {
            self.bring_up();
        }
        Some(entry)
    }

    /// Takes out the entry that came last.
    pub fn pop_newest(&mut self) -> Option<T> {
        loop {
            let near = newest(&self.soonest);
            let chunks = self.later.iter().enumerate();
            let far = chunks.max_by_key(|(_, chunk)| chunk.newest).map(|(at, _)| at);
            let Some(at) = far.filter(|&at| near.is_none_or(|near| near.1 < self.later[at].newest))
            else {
                let entry = self.soonest.remove(near?.0);
                self.len -= 1;
                if self.soonest.is_empty() {
                    self.bring_up();
                }
                return entry;
            };
            let chunk = &mut self.later[at];
            let (place, order) = newest(&chunk.entries).expect("no chunk is empty");
            let is_exact = order == chunk.newest;
            // It may have left since: then this is known now, and asked again.
            chunk.newest = order;
            if is_exact {
                self.len -= 1;
                return self.take(at, place);
            }
        }
    }

    /// Takes out the soonest entry that `is_it`; looks at all before it.
    pub fn remove(&mut self, is_it: impl Fn(&T) -> bool) -> Option<T> {
        let entry = match self.soonest.iter().position(&is_it) {
            Some(place) => self.soonest.remove(place),
            None => {
                let places = self.later.iter().map(|chunk| chunk.entries.iter().position(&is_it));
                let mut found = places.enumerate().filter_map(|(at, place)| Some((at, place?)));
                let (at, place) = found.next()?;
                drop(found);
                self.take(at, place)
            }
        };
        self.len -= 1;
        if self.soonest.is_empty() {
            self.bring_up();
        }
        entry
    }

    /// Takes the entry at `place` out of the chunk at `at`.
    fn take(&mut self, at: usize, place: usize) -> Option<T> {
        let chunk = &mut self.later[at];
        let entry = chunk.entries.remove(place);
        if chunk.entries.is_empty() {
            let chunk = self.later.remove(at).expect("it was just there");
            self.spare.push(chunk.entries);
        }
        entry
    }

    /// Adds an entry where there are several chunks.
    fn insert_far(&mut self, entry: T) {
        let key = entry.key();
        let starts = |chunk: &Chunk<T>| chunk.entries[0].key() < key;
        match self.later.partition_point(starts) {
            0 => {
                put(&mut self.soonest, entry);
                if self.soonest.len() > CHUNK {
                    let entries = self.half(None);
                    self.later.push_front(Chunk::of(entries));
                }
            }
            behind => {
                let chunk = &mut self.later[behind - 1];
                chunk.newest = chunk.newest.max(key.1);
                put(&mut chunk.entries, entry);
                if chunk.entries.len() > CHUNK {
                    let entries = self.half(Some(behind - 1));
                    self.later.insert(behind, Chunk::of(entries));
                }
            }
        }
    }

    /// The later half of the soonest entries, or of a chunk of later ones.
    fn half(&mut self, chunk: Option<usize>) -> VecDeque<T> {
        let mut half = self.spare.pop().unwrap_or_else(|| VecDeque::with_capacity(CHUNK + 1));
        let entries = match chunk {
            None => &mut self.soonest,
            Some(at) => &mut self.later[at].entries,
        };
        half.extend(entries.drain(CHUNK / 2..));
        half
    }

    /// The next chunk becomes the soonest.
    #[cold]
    fn bring_up(&mut self) {
        if let Some(chunk) = self.later.pop_front() {
            self.spare.push(std::mem::replace(&mut self.soonest, chunk.entries));
        }
    }
}

impl<T: Entry> Chunk<T> {
    fn of(entries: VecDeque<T>) -> Chunk<T> {
        let newest = newest(&entries).expect("half of a chunk").1;
        Chunk { entries, newest }
    }
}

/// Puts an entry in its place.
#[inline]
fn put<T: Entry>(entries: &mut VecDeque<T>, entry: T) {
    let key = entry.key();
    let is_before = |other: &T| other.key() < key;
    if entries.back().is_none_or(is_before) {
        entries.push_back(entry);
    } else {
        let at = entries.partition_point(is_before);
        entries.insert(at, entry);
    }
}

/// Where the entry that came last lies, and its rank.
fn newest<T: Entry>(entries: &VecDeque<T>) -> Option<(usize, u64)> {
    entries.iter().map(|entry| entry.key().1).enumerate().max_by_key(|&(_, order)| order)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    impl Entry for (u64, u64) {
        fn key(&self) -> (u64, u64) {
            *self
        }
    }

    #[derive(Clone, Debug)]
    enum Step {
        /// So many entries come, each due somewhere in a range.
        Insert(u16, u64),
        PopFirst(u16),
        PopNewest(u16),
        /// So many entries are taken out, wherever they are.
        Remove(u16),
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            3 => (1..600u16, 1..5_000u64).prop_map(|(count, range)| Step::Insert(count, range)),
            2 => (1..500u16).prop_map(Step::PopFirst),
            1 => (1..300u16).prop_map(Step::PopNewest),
            1 => (1..100u16).prop_map(Step::Remove),
        ];
        prop::collection::vec(step, 1..12)
    }

    proptest! {
        #[test]
        fn it_is_a_sorted_set(steps in steps()) {
            let mut agenda = Agenda::default();
            let (mut by_due, mut by_order) = (BTreeSet::new(), BTreeSet::new());
            let mut order = 0;
            for step in steps {
                match step {
                    Step::Insert(count, range) => for _ in 0..count {
                        // Scattered, with ties, and none of them random.
                        let due = order * 7_919 % range;
                        agenda.insert((due, order));
                        by_due.insert((due, order));
                        by_order.insert((order, due));
                        order += 1;
                    },
                    Step::PopFirst(count) => for _ in 0..count {
                        let expected = by_due.pop_first();
                        expected.inspect(|(due, order)| _ = by_order.remove(&(*order, *due)));
                        prop_assert_eq!(agenda.first().copied(), expected);
                        prop_assert_eq!(agenda.pop_first(), expected);
                    },
                    Step::Remove(count) => for _ in 0..count {
                        // From everywhere, and some that are not there.
                        let wanted = order * 31 / u64::from(count) % (order + 1);
                        let expected = by_order
                            .range((wanted, 0)..(wanted + 1, 0))
                            .next()
                            .map(|&(order, due)| (due, order));
                        expected.inspect(|key| {
                            by_due.remove(key);
                            by_order.remove(&(key.1, key.0));
                        });
                        prop_assert_eq!(agenda.remove(|entry| entry.1 == wanted), expected);
                    },
                    Step::PopNewest(count) => for _ in 0..count {
                        let expected = by_order.pop_last().map(|(order, due)| (due, order));
                        expected.inspect(|key| _ = by_due.remove(key));
                        prop_assert_eq!(agenda.pop_newest(), expected);
                    },
                }
                prop_assert_eq!(agenda.len() as usize, by_due.len());
                prop_assert!(agenda.iter().eq(&by_due));
                prop_assert!(agenda.later.iter().all(|chunk| !chunk.entries.is_empty()));
                prop_assert!(agenda.later.iter().all(|chunk| chunk.entries.len() <= CHUNK));
                prop_assert!(agenda.later.is_empty() || !agenda.soonest.is_empty());
            }
        }
    }
}
